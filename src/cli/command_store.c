/* cellblock store: what packages are kept for isolated sessions, and whether they are whole. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/err.h"
#include "base/limits.h"
#include "cli/commands.h"
#include "cli/copy.h"
#include "cli/options.h"
#include "store/store.h"

#define TEXT_BYTES 32

static const char *size_text(uint64_t bytes, char *ret)
{
    if (bytes >= 1024 * MIB)
        (void)snprintf(ret, TEXT_BYTES, "%.1f GiB", (double)bytes / (double)(1024 * MIB));
    else if (bytes >= MIB)
        (void)snprintf(ret, TEXT_BYTES, "%.1f MiB", (double)bytes / (double)MIB);
    else
        (void)snprintf(ret, TEXT_BYTES, "%" PRIu64 " KiB", (bytes + KIB - 1) / KIB);
    return ret;
}

static const char *age_text(int64_t used_ms, char *ret)
{
    int64_t seconds = (int64_t)time(NULL) - used_ms / 1000;

    if (seconds < 120)
        (void)snprintf(ret, TEXT_BYTES, "%" PRId64 " s", seconds > 0 ? seconds : 0);
    else if (seconds < 7200)
        (void)snprintf(ret, TEXT_BYTES, "%" PRId64 " min", seconds / 60);
    else if (seconds < 172800)
        (void)snprintf(ret, TEXT_BYTES, "%" PRId64 " h", seconds / 3600);
    else
        (void)snprintf(ret, TEXT_BYTES, "%" PRId64 " days", seconds / 86400);
    return ret;
}

static int list(struct store *s, uint64_t most, struct err *e)
{
    char size[TEXT_BYTES], age[TEXT_BYTES], caches[TEXT_BYTES], shown[COPY_SHOWN];
    struct store_list l;
    int r = store_list(s, &l, e);

    if (r < 0)
        return r;
    if (l.n_sets)
        (void)printf("%-20s %6s %10s %9s %-6s %s\n", "SET", "WHEELS", "SIZE", "LAST USE", "IN USE", "PACKAGES");
    for (size_t i = 0; i < l.n_sets; i++) {
        const struct store_entry *set = &l.sets[i];

        (void)printf("%-20s %6zu %10s %9s %-6s %s\n", set->id, set->n_wheels, size_text(set->bytes, size),
                     age_text(set->used_ms, age), set->in_use ? "yes" : "no", copy_shown(set->packages, shown));
    }
    (void)printf("%s: %zu wheel%s in %zu set%s, %s", store_dir(s), l.n_wheels, l.n_wheels == 1 ? "" : "s", l.n_sets,
                 l.n_sets == 1 ? "" : "s", size_text(l.bytes, size));
    (void)printf(" of %s, of which caches take %s. What sets share counts once.\n",
                 size_text(most ? most : LIMIT_STORE_BYTES, size), size_text(l.cache_bytes, caches));
    store_list_fini(&l);
    return 0;
}

static int empty(struct store *s, struct err *e)
{
    char size[TEXT_BYTES];
    struct store_list l;
    uint64_t freed;
    int r = store_empty(s, &freed, e);

    if (r == 0)
        r = store_list(s, &l, e);
    if (r < 0)
        return r;
    (void)printf("%s: removed %s", store_dir(s), size_text(freed, size));
    if (l.n_sets || l.n_wheels)
        (void)printf("; %zu set%s and %zu wheel%s are in use and stay", l.n_sets, l.n_sets == 1 ? "" : "s", l.n_wheels,
                     l.n_wheels == 1 ? "" : "s");
    (void)printf(".\n");
    store_list_fini(&l);
    return 0;
}

static void print_damage(void *data, const char *line)
{
    (void)data;
    (void)printf("damaged: %s\n", line);
}

static int verify(struct store *s, struct err *e)
{
    struct store_verified sum;
    char size[TEXT_BYTES];
    int r = store_verify(s, print_damage, NULL, &sum, e);

    if (r < 0)
        return r;
    (void)printf("%s: %zu wheels and %zu sets, %s read, ", store_dir(s), sum.wheels, sum.sets,
                 size_text(sum.bytes, size));
    if (sum.damaged)
        (void)printf("%zu damaged and removed: they are fetched again when they are needed.\n", sum.damaged);
    else
        (void)printf("all whole.\n");
    return sum.damaged ? EXIT_CODE_FAILED : 0;
}

int command_store(const struct options *options)
{
    const char *action = options->action ? options->action : "list";
    struct store *s = NULL;
    struct err e = ERR_INIT;
    int r = store_open(options->store, options->store_bytes, &s, &e);

    if (r == 0)
        r = strcmp(action, "verify") == 0  ? verify(s, &e)
            : strcmp(action, "empty") == 0 ? empty(s, &e)
                                           : list(s, options->store_bytes, &e);
    store_close(s);
    if (r < 0)
        (void)fprintf(stderr, "cellblock: %s\n", e.text);
    return r < 0 ? EXIT_NOT_STARTED : r;
}
