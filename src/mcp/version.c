/* The revisions of the specification, oldest first. */
#include <string.h>

#include "mcp/impl.h"

static const char *const names[VERSION_MAX] = {"2024-11-05", "2025-03-26", "2025-06-18", "2025-11-25", "2026-07-28"};

const char *version_name(enum version version)
{
    return names[version];
}

bool version_find(const char *name, enum version *ret)
{
    for (int i = 0; name && i < VERSION_MAX; i++)
        if (strcmp(names[i], name) == 0) {
            *ret = (enum version)i;
            return true;
        }
    return false;
}
