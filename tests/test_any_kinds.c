/* The dynamic map keeps the promises of every map for every kind of key and value. */
#include "any_adapter.h"

#define AS ANY_AS
#include "any_kinds_suite.h"

int main(void)
{
    return any_kinds_run() != 0;
}
