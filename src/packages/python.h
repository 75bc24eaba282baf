/* What an interpreter says about itself: run by the caller with probe_code, its output read here. */
#ifndef CELLBLOCK_PACKAGES_PYTHON_H
#define CELLBLOCK_PACKAGES_PYTHON_H

#include <stdbool.h>
#include <stddef.h>

struct err;

struct python_info {
    char *version; /* 3.11.2 */
    char *abi;     /* what compiled packages must match, such as cpython-311-x86_64-linux-gnu */
    char *prefix, *base_prefix;
    char *site_packages;   /* where packages are installed to */
    char *base_executable; /* the interpreter that the environment was made from; itself without one */
    char *executable;      /* sys.executable: absolute, behind what shims and links stand for it */
    char **path;           /* its sys.path, without the first entry that depends on how it was started */
    size_t n_path;
};

/* For python -c: writes what python_read takes. */
extern const char probe_code[];

/* For python -c with a module's name and its arguments: python -m, but the working directory is not imported from. */
extern const char module_code[];

/* 0, or -EINVAL with what it printed instead. ret has to be empty; python_info_fini it in any case. */
int python_read(const char *python, const char *output, size_t size, struct python_info *ret, struct err *e);
void python_info_fini(struct python_info *info);

#endif
