/* What the programs print that tests drive: `word|field|...` lines. */
#ifndef CELLBLOCK_TESTS_OUTCOME_LINES_H
#define CELLBLOCK_TESTS_OUTCOME_LINES_H

#include <stdio.h>

#include "packages/outcome.h"

static inline void print_progress(void *data, double seconds, const char *line)
{
    (void)data;
    (void)seconds;
    printf("progress|%s\n", line ? line : "");
    (void)fflush(stdout);
}

/* One field; the newlines in it would break the lines. */
static inline void print_field(const char *text)
{
    (void)putchar('|');
    for (; text && *text; text++)
        (void)fputs(*text == '\n' ? "\\n" : (char[]){*text, '\0'}, stdout);
}

/* Without the end of the line. */
static inline void print_outcome(const struct install_outcome *out)
{
    printf("ok|%d\ntimed_out|%d\ncancelled|%d\nms|%lld\nerror", out->ok, out->timed_out, out->cancelled,
           (long long)out->duration_us / 1000);
    print_field(out->error_text);
    printf("\nnotes");
    print_field(out->notes);
}

static inline void print_items(const struct install_outcome *out)
{
    static const char *const states[] = {"new", "present", "failed", "skipped"};

    for (size_t i = 0; i < out->n_items; i++) {
        const struct install_item *item = &out->items[i];

        printf("\n%s|%s", item->asked ? "asked" : "came", states[item->state]);
        print_field(item->spec);
        print_field(item->version);
        print_field(item->reason);
    }
}

#endif
