/* Errors with a reason: see err.h. Works after fork: no allocation, no lock of our own. */
#include "base/err.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/utf8.h"

/* Format into text and return the bytes used. What is cut is cut at a character; broken bytes become '?'. */
__attribute__((format(printf, 3, 0))) static size_t format_text(char *text, size_t room, const char *format,
                                                                va_list args)
{
    int wanted = vsnprintf(text, room, format, args);
    size_t size;

    if (wanted < 0) {
        text[0] = '\0';
        return 0;
    }
    size = (size_t)wanted;
    if (size >= room)
        size = utf8_cut(text, room - 1);
    text[size] = '\0';
    if (!utf8_valid(text, size)) /* a file name, say: what the name was stays readable */
        for (size_t i = 0; i < size; i++)
            if ((unsigned char)text[i] >= 0x80)
                text[i] = '?';
    return size;
}

int err_set(struct err *e, int code, const char *format, ...)
{
    va_list args;

    if (e) {
        e->code = code;
        va_start(args, format);
        (void)format_text(e->text, sizeof(e->text), format, args);
        va_end(args);
    }
    return -code;
}

int err_errno(struct err *e, const char *format, ...)
{
    int code = errno ? errno : EIO;          /* "failed with success" would be returned as 0 */
    const char *why = strerrordesc_np(code); /* never translated, no shared buffer */
    va_list args;

    if (e) {
        size_t tail = (why ? strlen(why) : strlen("error ") + 11) + strlen(": ");
        size_t used;

        e->code = code;
        va_start(args, format);
        used = format_text(e->text, sizeof(e->text) - tail, format, args);
        va_end(args);
        if (why)
            (void)snprintf(e->text + used, sizeof(e->text) - used, ": %s", why);
        else
            (void)snprintf(e->text + used, sizeof(e->text) - used, ": error %d", code);
    }
    return -code;
}
