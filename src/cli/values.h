/* What people write as the value of an option: yes and no, numbers, sizes. */
#ifndef CELLBLOCK_CLI_VALUES_H
#define CELLBLOCK_CLI_VALUES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct err;

/* For all: name is the option's or the variable's, for the error. 0, or -EINVAL with a text. */

/* 1, true, yes, on; 0, false, no, off and nothing at all. Else an error: a typing error must not switch anything on. */
int value_flag(const char *name, const char *value, bool *ret, struct err *e);

/* Seconds, fractions too, as milliseconds, at least 1. */
int value_milliseconds(const char *name, const char *value, int64_t *ret, struct err *e);

/* A whole number in the range. */
int value_number(const char *name, const char *value, uint64_t least, uint64_t most, uint64_t *ret, struct err *e);

/* Bytes in the range: 1048576, 512m, 1.5g, 1GiB. Units are powers of 1024, as those of tmpfs and containers. */
int value_size(const char *name, const char *value, uint64_t least, uint64_t most, uint64_t *ret, struct err *e);

#define VALUE_SIZE_TEXT 24

/* As value_size reads it: "512m". ret has VALUE_SIZE_TEXT bytes. */
void value_size_text(char *ret, uint64_t bytes);

#endif
