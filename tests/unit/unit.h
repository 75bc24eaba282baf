/* What every unit test includes: cmocka wants these headers before its own. */
#ifndef CELLBLOCK_TESTS_UNIT_H
#define CELLBLOCK_TESTS_UNIT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#endif
