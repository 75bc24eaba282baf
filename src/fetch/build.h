/*
 * Packages that exist only as source distributions: made into wheels, in sandboxes of a third kind (box.h), when that
 * is allowed and wheels alone are no answer. What was built is kept in the store as a set of its own that holds the
 * wheel as a file; the resolver is offered those directories, and what follows is as with any wheel.
 *
 *     build.c      which package, and from one question of the resolver to the next
 *     source.c     its source distribution, in the fetch sandbox
 *     backend.c    from there to a wheel: environments for the build, the steps in the build sandbox
 *     built.c      the wheels that the store keeps
 */
#ifndef CELLBLOCK_FETCH_BUILD_H
#define CELLBLOCK_FETCH_BUILD_H

#include <stdbool.h>
#include <stddef.h>

struct buf;
struct err;
struct explain;
struct process;
struct request;
struct requirement;
struct store_set;

#define BUILDS_MAX 30         /* of one installation */
#define BUILDS_PER_NAME 3     /* versions of one package */
#define BUILDS_DEPTH 5        /* what is needed to build what is needed to build */
#define BUILD_REQUIRES_MAX 64 /* of one package */

/* A source distribution that was downloaded. */
struct source {
    char *name, *version; /* version: "-" where the file's name does not tell */
    char *filename, *sha256;
    char *path; /* in the work directory, where nothing else can write */
};

#define autosource __attribute__((cleanup(source_fini)))

void source_fini(struct source *s);

/* A wheel that was built, now or earlier. */
struct built {
    char *name, *version;  /* of the wheel; name normalised */
    char *filename;        /* in the tree of set */
    struct store_set *set; /* whose tree holds it and nothing else; NULL: building it failed */
    char *reason;          /* then; else NULL */
    char *source;          /* sha256 of what it was built of */
};

/* Of one installation, shared with those of what is needed to build. */
struct builds {
    struct built items[BUILDS_MAX];
    size_t n;
    const char *under_way[BUILDS_DEPTH]; /* names */
    size_t depth, n_files;
};

void builds_close(struct builds *b);

/*
 * The resolver has no answer for these specs, and why says that a package has no wheel. True: something was built that
 * may change that. False: why says what is to be told, which may be why that package was not built.
 */
bool build_missing(struct process *p, const char *const *specs, size_t n, struct explain *why);

/* Requests that name the address of a source distribution: built, or failed. */
void build_addressed(struct process *p);

/* How a request is put to the resolver. */
const char *build_spec(const struct request *q);

/* As requirement_parse, and of what build_spec makes: that names a file, which nobody may write from outside. */
int build_parse_spec(const char *spec, struct requirement *ret);

/* ---- between the files ---- */

/*
 * 0, or -ENOENT: the index has none that fits; or another -errno. why is filled (explain_fini) unless p->error. url:
 * its address; else it is looked for, by specs (of any package) and by what the resolver said.
 */
int source_find(struct process *p, const char *name, const char *url, const char *const *specs, size_t n,
                const struct explain *said, struct source *ret, struct explain *why);

/* The path of a new wheel in the work directory. -errno and why. */
int backend_build(struct process *p, const struct source *s, char **ret_wheel, struct explain *why);

/* Is there a wheel of that source? Its set, opened and checked, and its name and version. */
bool built_find(struct process *p, const char *sha256, struct built *ret);

/* The same by a question that was asked before: for work without an index. */
bool built_recall(struct process *p, const char *name, const char *spec, struct built *ret);
void built_remember(struct process *p, const char *name, const char *spec, const struct built *b);

/* Take a wheel into the store. */
int built_keep(struct process *p, const struct source *s, const char *wheel, struct built *ret, struct err *e);

#endif
