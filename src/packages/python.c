#include "packages/python.h"

#include <errno.h>
#include <string.h>

#include "base/err.h"
#include "base/mem.h"
#include "packages/explain.h"

#define MARK "\n\001cellblock\n"
#define PATHS_MAX 1000

/*
 * The directory that -c puts in front of sys.path is taken away before anything is imported: a user's own sysconfig.py
 * or pip.py in the working directory must not run here. A .pth file may have printed something: hence the mark.
 */
const char probe_code[] =
    "import sys; del sys.path[0]\n"
    "import os, sysconfig\n"
    "said = ['%d.%d.%d' % sys.version_info[:3], str(sysconfig.get_config_var('SOABI')), sys.prefix, sys.base_prefix,\n"
    "        sysconfig.get_path('purelib'), getattr(sys, '_base_executable', None) or sys.executable, sys.executable]\n"
    "said += [p for p in sys.path if os.path.isdir(p)]\n"
    "os.write(1, b'\\n\\1cellblock\\n' + b'\\n'.join(os.fsencode(s) for s in said) + b'\\n')\n";

const char module_code[] = "import sys; del sys.path[0]\n"
                           "import runpy\n"
                           "name = sys.argv.pop(1)\n"
                           "runpy.run_module(name, run_name='__main__', alter_sys=True)\n";

/* The next line, or NULL at the end. */
static char *next(const char **at, const char *end)
{
    const char *start = *at, *stop = start < end ? memchr(start, '\n', (size_t)(end - start)) : NULL;

    if (!stop)
        return NULL;
    *at = stop + 1;
    return xstrndup(start, (size_t)(stop - start));
}

int python_read(const char *python, const char *output, size_t size, struct python_info *ret, struct err *e)
{
    const char *end = output + size, *at = memmem(output, size, MARK, strlen(MARK));
    char **const fields[] = {&ret->version,     &ret->abi,           &ret->prefix,
                             &ret->base_prefix, &ret->site_packages, &ret->base_executable,
                             &ret->executable};

    if (at) {
        at += strlen(MARK);
        for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++)
            *fields[i] = next(&at, end);
    }
    if (!ret->executable) {
        autofree char *said = explain_tail(output, size, 5);

        return err_set(e, EINVAL, "%s does not start as it should%s%s", python, *said ? ":\n" : ".", said);
    }
    ret->path = xnew_n(char *, PATHS_MAX);
    while (ret->n_path < PATHS_MAX && (ret->path[ret->n_path] = next(&at, end)))
        ret->n_path++;
    return 0;
}

void python_info_fini(struct python_info *info)
{
    for (size_t i = 0; i < info->n_path; i++)
        free(info->path[i]);
    free(info->path);
    free(info->version);
    free(info->abi);
    free(info->prefix);
    free(info->base_prefix);
    free(info->site_packages);
    free(info->base_executable);
    free(info->executable);
    memset(info, 0, sizeof(*info));
}
