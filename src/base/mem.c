/* Memory that aborts rather than returning NULL: see mem.h. */
#include "base/mem.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* Out of memory for a small object: nothing sensible can follow, and logging could need memory itself. */
static _Noreturn void out_of_memory(void)
{
    static const char text[] = "cellblock: out of memory\n";
    ssize_t ignored = write(STDERR_FILENO, text, sizeof(text) - 1);

    (void)ignored;
    abort();
}

void *xcalloc(size_t n, size_t size)
{
    void *p = calloc(n ? n : 1, size ? size : 1); /* checks the product itself */

    if (!p)
        out_of_memory();
    return p;
}

void *xrealloc(void *old, size_t n, size_t size)
{
    size_t total;
    void *p;

    if (__builtin_mul_overflow(n, size, &total) || total > PTRDIFF_MAX)
        out_of_memory();
    p = realloc(old, total ? total : 1); /* realloc(p, 0) would free */
    if (!p)
        out_of_memory();
    return p;
}

char *xstrdup(const char *text)
{
    return text ? xstrndup(text, strlen(text)) : NULL;
}

char *xstrndup(const char *text, size_t size)
{
    size_t length = text ? strnlen(text, size) : 0;
    char *copy;

    if (!text)
        return NULL;
    copy = xrealloc(NULL, length + 1, 1);
    memcpy(copy, text, length);
    copy[length] = '\0';
    return copy;
}

void *xmemdup(const void *data, size_t size)
{
    char *copy = xrealloc(NULL, size + 1, 1);

    if (size)
        memcpy(copy, data, size);
    copy[size] = '\0';
    return copy;
}

char *xasprintf(const char *format, ...)
{
    va_list args;
    char *text;
    int size;

    va_start(args, format);
    size = vsnprintf(NULL, 0, format, args);
    va_end(args);
    if (size < 0) /* longer than INT_MAX, or a broken format: a mistake of the program */
        abort();
    text = xrealloc(NULL, (size_t)size + 1, 1);
    va_start(args, format);
    (void)vsnprintf(text, (size_t)size + 1, format, args);
    va_end(args);
    return text;
}
