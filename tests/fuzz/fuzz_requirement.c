/* Requirements from a client and what installers print: no step outside of the bytes; what is accepted stays plain. */
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/utf8.h"
#include "packages/packages.h"
#include "packages/explain.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_accepted(const char *spec)
{
    char name[64];

    assert(*spec != '-' && *spec != '/' && *spec != '.');
    assert(!strstr(spec, "${") && !strchr(spec, '\n') && !strchr(spec, '\\'));
    requirement_name(spec, name, sizeof(name));
    assert(*name && strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789-") == strlen(name));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct err e = ERR_INIT;
    struct explain why;
    char *text = malloc(size + 1);

    if (!text)
        return 0;
    memcpy(text, data, size);
    text[size] = '\0';
    if (requirement_check(text, &e) == 0)
        check_accepted(text);
    else
        assert(e.code && utf8_valid(e.text, strlen(e.text)));
    explain(text, size, size % 2 ? text : NULL, size, &why);
    assert(utf8_valid(why.reason, strlen(why.reason)));
    explain_fini(&why);
    free(text);
    return 0;
}
