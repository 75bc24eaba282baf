#include "packages/provides.h"

#include <ctype.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "packages/provides_impl.h"
#include "packages/spelling.h"

#define NAME_MAX_BYTES 200 /* of a module's name that is looked at */

/* Parts of these names belong to distributions that are called like the part, nearly always. */
static const char *const namespaces[] = {"azure.", "google.cloud.", "opentelemetry."};

/* Of a distribution, what one should know before it is installed. */
static const struct provided notes[] = {
    {"opencv-python-headless", "opencv-python has windows besides, and needs libraries of a desktop"},
};

/* ---- the tables ---- */

static int compare_provided(const void *key, const void *entry)
{
    return strcmp(key, ((const struct provided *)entry)->module);
}

static int compare_name(const void *key, const void *entry)
{
    return strcmp(key, *(const char *const *)entry);
}

static const char *in_provided(const struct provided *table, size_t n, const char *module)
{
    const struct provided *found = bsearch(module, table, n, sizeof *table, compare_provided);

    return found ? found->text : NULL;
}

static const char *in_names(const char *const *table, size_t n, const char *module)
{
    const char *const *found = bsearch(module, table, n, sizeof *table, compare_name);

    return found ? *found : NULL;
}

static const char *exactly(const char *module)
{
    const char *found = in_provided(provides_differing, provides_n_differing, module);

    return found ? found : in_names(provides_same, provides_n_same, module);
}

const char *provides_distribution(const char *module)
{
    const char *found = exactly(module);
    char name[NAME_MAX_BYTES + 1];
    char *dot;

    if (found || strlen(module) >= sizeof name)
        return found;
    /* A part of one that has dots itself, like google.cloud.storage.blob. */
    (void)strcpy(name, module);
    while (!found && (dot = strrchr(name, '.'))) {
        *dot = '\0';
        if (strchr(name, '.'))
            found = exactly(name);
    }
    return found;
}

/* ---- what is nearly a name ---- */

struct near {
    const char *module, *name;
    size_t distance;
};

static void consider(struct near *near, const char *name)
{
    size_t d = strchr(name, '.') ? SPELLING_MAX : spelling_distance(near->module, name);

    if (d < near->distance) {
        near->distance = d;
        near->name = name;
    }
}

const char *provides_near(const char *module)
{
    size_t size = strlen(module);
    /* One letter in four may be wrong, and short names are all near to each other. */
    struct near near = {.module = module, .distance = size < 4 ? 1 : size < 9 ? 2 : 3};

    if (strchr(module, '.'))
        return NULL;
    for (size_t i = 0; i < provides_n_differing; i++)
        if (spelling_same_name(module, provides_differing[i].text))
            return provides_differing[i].module;
    for (size_t i = 0; i < provides_n_standard; i++)
        consider(&near, provides_standard[i]);
    for (size_t i = 0; i < provides_n_differing; i++)
        consider(&near, provides_differing[i].module);
    for (size_t i = 0; i < provides_n_same; i++)
        consider(&near, provides_same[i]);
    return near.name;
}

/* ---- the line ---- */

/* Letters of any script: identifiers may have them. */
static bool is_module_name(const char *text)
{
    size_t size = strlen(text);
    char before = '.';

    if (size > NAME_MAX_BYTES)
        return false;
    for (; *text; before = *text++) {
        bool letter = isalpha((unsigned char)*text) || *text == '_' || (unsigned char)*text >= 0x80;

        if (before == '.' ? !letter : !letter && *text != '.' && !isdigit((unsigned char)*text))
            return false;
    }
    return before != '.';
}

/* As distributions are mostly written: a dot would look like the name of a file. */
static void put_distribution(struct buf *out, const char *distribution)
{
    for (const char *c = distribution; *c; c++)
        (void)buf_append(out, *c == '_' || *c == '.' ? "-" : c, 1);
}

static void put_call(struct buf *out, const char *distribution)
{
    (void)buf_puts(out, "call install_dependencies([\"");
    put_distribution(out, distribution);
    (void)buf_puts(out, "\"])");
    for (size_t i = 0; i < sizeof notes / sizeof notes[0]; i++)
        if (strcmp(notes[i].module, distribution) == 0)
            (void)buf_printf(out, " (%s)", notes[i].text);
    (void)buf_puts(out, ".\n");
}

static void advise_distribution(struct buf *out, const char *module, const char *distribution, bool sure)
{
    (void)buf_printf(out, "`%s` is not installed here. It is %sin the distribution ", module, sure ? "" : "probably ");
    put_distribution(out, distribution);
    (void)buf_puts(out, ": ");
    put_call(out, distribution);
}

static void advise_unknown(struct buf *out, const char *module)
{
    const char *near = provides_near(module), *distribution = near ? provides_distribution(near) : NULL;

    if (distribution && spelling_same_name(module, distribution) && !spelling_same_name(module, near)) {
        (void)buf_printf(out,
                         "`%s` is the name of a distribution, its module is called `%s`: import that. If it is not "
                         "there either, ",
                         module, near);
        put_call(out, distribution);
        return;
    }
    (void)buf_printf(out, "`%s` is not installed here. ", module);
    if (near)
        (void)buf_printf(out, "Did you mean `%s`? ", near);
    (void)buf_puts(out, "Which distribution has a module of this name is not known: one of the index is installed by "
                        "install_dependencies, with the distribution's name, which may be another than the module's; "
                        "one of your own has to be in the working directory or on sys.path.\n");
}

void provides_advise(struct buf *out, const char *module)
{
    const char *advice, *distribution, *last = strrchr(module, '.');

    if (!is_module_name(module))
        return;
    if ((advice = in_provided(provides_advice, provides_n_advice, module))) {
        (void)buf_printf(out, "`%s` %s.\n", module, advice);
        return;
    }
    if ((distribution = provides_distribution(module))) {
        advise_distribution(out, module, distribution, true);
        return;
    }
    for (size_t i = 0; i < sizeof namespaces / sizeof namespaces[0]; i++)
        if (strncmp(module, namespaces[i], strlen(namespaces[i])) == 0) {
            advise_distribution(out, module, module, false);
            return;
        }
    if (in_names(provides_standard, provides_n_standard, module))
        (void)buf_printf(out, "`%s` is a part of Python that this one is without; packages cannot add it.\n", module);
    else if (last) /* Python looks for a part only when it has the whole */
        (void)buf_printf(out,
                         "`%.*s` was found, but has no `%s`: perhaps another version of it has, or the name is wrong, "
                         "or a file of yours is called like it and hides it.\n",
                         (int)(last - module), module, last + 1);
    else
        advise_unknown(out, module);
}
