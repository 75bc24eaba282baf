#include "session/crash_text.h"

#include <stdbool.h>
#include <string.h>

/* Of a line, without its end. "<string>" is what python -c calls its code: only the kernel was started by that. */
static bool is_own(const char *line, size_t size)
{
    static const char *const starts[] = {"  File \"<cellblock>/", "  File \"<string>\", line ",
                                         "Extension modules: _cellblock"};

    for (size_t i = 0; i < sizeof starts / sizeof *starts; i++)
        if (size >= strlen(starts[i]) && memcmp(line, starts[i], strlen(starts[i])) == 0)
            return true;
    return false;
}

size_t crash_text_trim(char *text, size_t size)
{
    static const char head[] = "Fatal Python error: ";
    char *start = memmem(text, size, head, sizeof head - 1), *to = start;

    if (!start)
        return size;
    for (const char *line = start, *end = text + size; line < end;) {
        const char *newline = memchr(line, '\n', (size_t)(end - line));
        size_t n = newline ? (size_t)(newline + 1 - line) : (size_t)(end - line);

        if (!is_own(line, n)) {
            memmove(to, line, n);
            to += n;
        }
        line += n;
    }
    /* A blank line stood before the list of modules. */
    while (to - start >= 2 && to[-1] == '\n' && to[-2] == '\n')
        to--;
    return (size_t)(to - text);
}
