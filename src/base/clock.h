/* Time that does not jump (CLOCK_MONOTONIC). */
#ifndef CELLBLOCK_BASE_CLOCK_H
#define CELLBLOCK_BASE_CLOCK_H

#include <stdint.h>

int64_t clock_us(void);
int64_t clock_ms(void);

#endif
