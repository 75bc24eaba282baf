#include "store/about.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/mem.h"
#include "store/text.h"

#define FIRST_LINE "cellblock about 1\n"

static bool take_wheel(struct cursor *c, struct about_wheel *ret)
{
    struct cursor at = *c;
    const char *space = memchr(at.at, ' ', (size_t)(at.end - at.at));
    size_t size = space ? (size_t)(space - at.at) : 0;

    if (!space || !text_is_id(at.at, size))
        return false;
    memcpy(ret->id, at.at, size);
    ret->id[size] = '\0';
    at.at = space + 1;
    if (!text_take_number(&at, &ret->bytes) || !text_take(&at, "\n"))
        return false;
    *c = at;
    return true;
}

static bool take_field(struct cursor *c, const char *name, uint64_t *ret)
{
    return text_take(c, name) && text_take_number(c, ret) && *ret <= INT64_MAX && text_take(c, "\n");
}

int about_parse(const char *text, size_t size, struct about *ret)
{
    struct cursor c = {text, text + size};
    struct about about = ABOUT_INIT;
    uint64_t seconds, n;

    if (!text_take(&c, FIRST_LINE) || !take_field(&c, "files ", &about.files) ||
        !take_field(&c, "bytes ", &about.bytes) || !take_field(&c, "seconds ", &seconds) ||
        !take_field(&c, "nanoseconds ", &about.nanoseconds) || !take_field(&c, "wheels ", &n) || n > ABOUT_WHEELS ||
        about.nanoseconds >= 1000000000)
        return -EUCLEAN;
    about.seconds = (int64_t)seconds;
    about.wheels = xnew_n(struct about_wheel, (size_t)n + 1);
    while (about.n_wheels < n && take_wheel(&c, &about.wheels[about.n_wheels]))
        about.n_wheels++;
    if (about.n_wheels < n || !text_take(&c, "end\n") || c.at < c.end) {
        about_fini(&about);
        return -EUCLEAN;
    }
    *ret = about;
    return 0;
}

void about_write(struct buf *out, const struct about *about)
{
    (void)buf_printf(out,
                     FIRST_LINE "files %" PRIu64 "\nbytes %" PRIu64 "\nseconds %" PRId64 "\nnanoseconds %" PRIu64
                                "\nwheels %zu\n",
                     about->files, about->bytes, about->seconds, about->nanoseconds, about->n_wheels);
    for (size_t i = 0; i < about->n_wheels; i++)
        (void)buf_printf(out, "%s %" PRIu64 "\n", about->wheels[i].id, about->wheels[i].bytes);
    (void)buf_puts(out, "end\n");
}

void about_fini(struct about *about)
{
    free(about->wheels);
    *about = (struct about)ABOUT_INIT;
}
