/* cmocka, with what has to be included before it. */
#ifndef CONCMAP_TESTS_UNIT_H
#define CONCMAP_TESTS_UNIT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#endif
