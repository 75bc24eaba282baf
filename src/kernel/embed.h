/* What the binary carries for its Python processes: made by tools/embed.py at build time. */
#ifndef CELLBLOCK_KERNEL_EMBED_H
#define CELLBLOCK_KERNEL_EMBED_H

#include <stddef.h>

extern const unsigned char embed_boot[]; /* src/kernel/py/boot.py, for python -c; NUL-terminated */
extern const size_t embed_boot_size;
extern const unsigned char embed_blob[]; /* the other files of src/kernel/py: "<name> <size>\n", then the bytes, each */
extern const size_t embed_blob_size;
extern const unsigned char embed_ext[]; /* the extension module, a shared object */
extern const size_t embed_ext_size;

#endif
