/* The dynamic anchored map keeps the promises of every map for every kind of key and value. */
#define ANCHORED
#include "any_adapter.h"

#ifdef __GNUC__
#pragma GCC diagnostic ignored "-Wunused-function" /* the suite does not call all of every kind */
#endif
#define AS ANY_ANCHORED_AS
#include "any_kinds_suite.h"

int main(void)
{
    return any_kinds_run() != 0;
}
