/* The program that resolves and unpacks inside of the fetch sandbox (src/fetch/py): made by tools/bundle.py. */
#ifndef CELLBLOCK_FETCH_BUNDLE_H
#define CELLBLOCK_FETCH_BUNDLE_H

#include <stddef.h>

/*
 * A zip file that Python runs: written to a file, `<python> -I -B <file> resolve|unpack`. The current directory is
 * where it reads the file `job` and writes all else; src/fetch/py/main.py says more. Not NUL-terminated.
 */
extern const unsigned char fetch_bundle[];
extern const size_t fetch_bundle_size;

#endif
