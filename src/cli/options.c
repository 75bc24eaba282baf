#include "cli/options.h"

#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/limits.h"
#include "base/log.h"
#include "cli/values.h"
#include "fetch/fetch.h"

#define GIB (1024 * MIB)
#define TIB (1024 * GIB)
#define YEAR_SECONDS (366 * 24 * 3600)

enum kind { FLAG, BUILDS, TEXT, SECONDS, NUMBER, SIZE, LIST };
enum group { GENERAL, ISOLATED, STORE, RUN, GROUP_MAX };

struct option {
    const char *name, *value, *variable, *help;
    enum group group;
    enum kind kind;
    size_t at;                      /* offset in struct options */
    uint64_t least, most, standard; /* NUMBER, SIZE; standard 0: the help has to tell */
};

#define AT(field) offsetof(struct options, field)
#define LIMIT(field) offsetof(struct options, isolation.limits.field)

static const struct option options[] = {
    {"--local", NULL, "CELLBLOCK_LOCAL", "run code on this machine, with your rights, your files and your .venv",
     GENERAL, FLAG, AT(local), 0, 0, 0},
    {"--python", "PATH", "CELLBLOCK_PYTHON", "interpreter, CPython 3.9 or later (default: python3; local: .venv's)",
     GENERAL, TEXT, AT(python), 0, 0, 0},
    {"--workdir", "DIR", "CELLBLOCK_WORKDIR", "working directory of local sessions (default: the current one)", GENERAL,
     TEXT, AT(workdir), 0, 0, 0},
    {"--preload", "NAMES", "CELLBLOCK_PRELOAD",
     "modules that every session has imported (default: numpy, pandas and the like; '' for none)", GENERAL, TEXT,
     AT(preload), 0, 0, 0},
    {"--timeout", "SECONDS", "CELLBLOCK_TIMEOUT", "for calls that name none (default: 30)", GENERAL, SECONDS,
     AT(timeout_ms), 0, 0, 0},
    {"--max-timeout", "SECONDS", "CELLBLOCK_MAX_TIMEOUT", "the longest that a call may ask for (default: 600)", GENERAL,
     SECONDS, AT(max_timeout_ms), 0, 0, 0},
    {"--max-sessions", "N", "CELLBLOCK_MAX_SESSIONS", "sessions alive at once", GENERAL, NUMBER, AT(max_sessions), 1,
     100000, LIMIT_SESSIONS},
    {"--spare-kernels", "N", "CELLBLOCK_SPARE_KERNELS", "kernels kept ready for new sessions, 0 for none", GENERAL,
     NUMBER, AT(spare_kernels), 0, 8, LIMIT_SPARE_KERNELS},
    {"--session-idle", "SECONDS", "CELLBLOCK_SESSION_IDLE", "an unused session ends after this (default: 1800)",
     GENERAL, SECONDS, AT(session_idle_ms), 0, 0, 0},
    {"--log-level", "LEVEL", "CELLBLOCK_LOG_LEVEL", "error, warn, info or debug, on stderr (default: warn)", GENERAL,
     TEXT, AT(log_level), 0, 0, 0},
    {"--mount", "HOST:GUEST[:rw]", "CELLBLOCK_MOUNT",
     "share a file or directory, read-only without :rw; repeatable (in the variable: one a line)", ISOLATED, LIST,
     AT(isolation.mount), 0, 0, 0},
    {"--env", "NAME[=VALUE]", "CELLBLOCK_ENV",
     "set a variable, or hand on the server's; repeatable (in the variable: one a line)", ISOLATED, LIST,
     AT(isolation.env), 0, 0, 0},
    {"--network", NULL, "CELLBLOCK_NETWORK",
     "the host's network, its loopback and local services included (default: none)", ISOLATED, FLAG,
     AT(isolation.network), 0, 0, 0},
    {"--memory", "SIZE", "CELLBLOCK_MEMORY", "memory of a session, its files included", ISOLATED, SIZE,
     LIMIT(memory_bytes), 64 * MIB, 16 * TIB, LIMIT_BOX_MEMORY},
    {"--workspace-size", "SIZE", "CELLBLOCK_WORKSPACE_SIZE", "files in a session's working directory", ISOLATED, SIZE,
     LIMIT(workspace_bytes), MIB, 16 * TIB, LIMIT_BOX_WORKSPACE},
    {"--tmp-size", "SIZE", "CELLBLOCK_TMP_SIZE", "files in /tmp and in /dev/shm, each", ISOLATED, SIZE,
     LIMIT(tmp_bytes), MIB, 16 * TIB, LIMIT_BOX_TMP},
    {"--max-file-size", "SIZE", "CELLBLOCK_MAX_FILE_SIZE", "one file", ISOLATED, SIZE, LIMIT(file_bytes), 64 * KIB,
     16 * TIB, LIMIT_BOX_FILE},
    {"--processes", "N", "CELLBLOCK_PROCESSES", "processes and threads of a session", ISOLATED, NUMBER,
     LIMIT(processes), 4, 65536, LIMIT_BOX_PROCESSES},
    {"--open-files", "N", "CELLBLOCK_OPEN_FILES", "open files of one process", ISOLATED, NUMBER, LIMIT(open_files), 32,
     1048576, LIMIT_BOX_OPEN_FILES},
    {"--cpu-time", "SECONDS", "CELLBLOCK_CPU_TIME", "processor time of one process (default: no limit)", ISOLATED,
     NUMBER, LIMIT(cpu_seconds), 1, YEAR_SECONDS, 0},
    {"--require-isolation", "LEVEL", "CELLBLOCK_REQUIRE_ISOLATION",
     "do not start below full, no-proc, landlock or any (default: any); see cellblock doctor", ISOLATED, TEXT,
     AT(isolation.level), 0, 0, 0},
    {"--packages", "FILE", "CELLBLOCK_PACKAGES",
     "requirements.txt or pyproject.toml: what every session has, besides the interpreter's", ISOLATED, TEXT,
     AT(packages), 0, 0, 0},
    {"--resolve-ttl", "SECONDS", "CELLBLOCK_RESOLVE_TTL", "install the same again without asking the index", ISOLATED,
     NUMBER, AT(resolve_ttl_s), 0, YEAR_SECONDS, LIMIT_RESOLVE_TTL_S},
    {"--offline", NULL, "CELLBLOCK_OFFLINE", "ask no index: install what the store has", ISOLATED, FLAG, AT(offline), 0,
     0, 0},
    {"--allow-source-builds", NULL, "CELLBLOCK_ALLOW_SOURCE_BUILDS",
     "build packages that have no wheel, in a sandbox; =network: with the host's network", ISOLATED, BUILDS,
     AT(source_builds), 0, 0, 0},
    {"--store", "DIR", "CELLBLOCK_STORE",
     "where unpacked packages are kept (default: cellblock/store in your cache directory)", STORE, TEXT, AT(store), 0,
     0, 0},
    {"--store-size", "SIZE", "CELLBLOCK_STORE_SIZE", "what they may take; the least recently used go first", STORE,
     SIZE, AT(store_bytes), 16 * MIB, 1024 * TIB, LIMIT_STORE_BYTES},
    {"--figures", "DIR", NULL, "keep the figures of the code there", RUN, TEXT, AT(figures), 0, 0, 0},
};

#define N_OPTIONS (sizeof options / sizeof *options)

/* ---- help ---- */

static void help_option(FILE *out, const struct option *o)
{
    char left[48], standard[VALUE_SIZE_TEXT];

    (void)snprintf(left, sizeof left, "%s%s%s", o->name, o->value ? " " : "", o->value ? o->value : "");
    (void)fprintf(out, "  %-25s %s", left, o->help);
    if (o->standard && o->kind == SIZE) {
        value_size_text(standard, o->standard);
        (void)fprintf(out, " (default: %s)", standard);
    } else if (o->standard) {
        (void)fprintf(out, " (default: %llu)", (unsigned long long)o->standard);
    }
    (void)fprintf(out, "\n");
    if (o->variable)
        (void)fprintf(out, "  %-25s %s\n", "", o->variable);
}

void options_help(FILE *out)
{
    static const char *const titles[GROUP_MAX] = {
        "Options, each also as an environment variable",
        "For isolated sessions. Sizes: 512m, 2g, bytes",
        "For packages in isolated sessions, and `cellblock store`",
        "For `cellblock run`",
    };

    (void)fprintf(out,
                  "cellblock %s: Python for people and agents, as an MCP server\n"
                  "\n"
                  "Usage:\n"
                  "  cellblock stdio [OPTIONS]           serve MCP on stdin and stdout (the default command)\n"
                  "  cellblock run [OPTIONS] FILE        run a file the way the server would\n"
                  "  cellblock run [OPTIONS] -c CODE     run code\n"
                  "  cellblock sessions                  list the sessions of your running servers\n"
                  "  cellblock cp [-r] SESSION:PATH DEST copy files out of a session; DEST - is stdout\n"
                  "  cellblock cp [-r] SRC SESSION:PATH  copy files into it; -r: whole directories\n"
                  "  cellblock store [list|empty|verify] the packages that are kept for isolated sessions\n"
                  "  cellblock doctor                    tell how well this machine can isolate code, and what to do\n"
                  "  cellblock --help | --version\n",
                  CELLBLOCK_VERSION);
    for (int group = 0; group < GROUP_MAX; group++) {
        (void)fprintf(out, "\n%s:\n", titles[group]);
        for (size_t i = 0; i < N_OPTIONS; i++)
            if (options[i].group == (enum group)group)
                help_option(out, &options[i]);
    }
    (void)fprintf(
        out, "\n"
             "For an MCP client's configuration:\n"
             "  {\"mcpServers\": {\"python\": {\"command\": \"cellblock\", \"args\": [\"stdio\"]}}}\n"
             "\n"
             "Exit status: 0 well, 1 the code (run) or the copy (cp) failed, no sandbox (doctor) or damage (store),\n"
             "2 wrong usage, 3 nothing could be started.\n");
}

/* ---- parsing ---- */

/* Yes, no, or "network". */
static int set_builds(const char *name, const char *value, int *ret, struct err *e)
{
    bool on = true;

    if (strcmp(value, "network") == 0) {
        *ret = BUILDS_NETWORK;
        return 0;
    }
    if (value_flag(name, value, &on, NULL) < 0)
        return err_set(e, EINVAL, "%s is 1, 0 or network, not '%.60s'", name, value);
    *ret = on ? BUILDS_OFFLINE : BUILDS_NONE;
    return 0;
}

static int set(struct options *to, const struct option *o, const char *name, const char *value, struct err *e)
{
    void *at = (char *)to + o->at;
    bool by_variable = name == o->variable;
    int r = 0;

    if (o->kind == TEXT)
        *(const char **)at = value;
    else if (o->kind == FLAG)
        r = value_flag(name, value, at, e);
    else if (o->kind == BUILDS)
        r = set_builds(name, value, at, e);
    else if (o->kind == SECONDS)
        r = value_milliseconds(name, value, at, e);
    else if (o->kind == NUMBER)
        r = value_number(name, value, o->least, o->most, at, e);
    else if (o->kind == SIZE)
        r = value_size(name, value, o->least, o->most, at, e);
    else
        r = option_list_add(at, name, value, by_variable, e);
    /* A flag that is switched off asks for nothing. */
    if (r == 0 && (o->group == ISOLATED || o->group == STORE) && !to->isolation.given &&
        (o->kind != FLAG || *(bool *)at) && (o->kind != BUILDS || *(int *)at))
        to->isolation.given = name;
    return r;
}

static int from_environment(struct options *to, struct err *e)
{
    for (size_t i = 0; i < N_OPTIONS; i++) {
        const char *value = options[i].variable ? getenv(options[i].variable) : NULL;
        int r;

        /* "" is a value where it means something: no modules to preload. */
        if (!value || (!*value && (options[i].kind != TEXT || options[i].group != GENERAL)))
            continue;
        if (to->command == COMMAND_STORE && options[i].group != STORE)
            continue;
        r = set(to, &options[i], options[i].variable, value, e);
        if (r < 0)
            return r;
    }
    return 0;
}

/* Of two words, how many letters have to change (Levenshtein), for short words. */
static size_t distance(const char *a, const char *b)
{
    size_t row[32], la = strlen(a), lb = strlen(b);

    if (la > 30 || lb > 30)
        return 99;
    for (size_t j = 0; j <= lb; j++)
        row[j] = j;
    for (size_t i = 1; i <= la; i++) {
        size_t corner = row[0];

        row[0] = i;
        for (size_t j = 1; j <= lb; j++) {
            size_t here = corner + (a[i - 1] != b[j - 1]);

            corner = row[j];
            if (row[j] + 1 < here)
                here = row[j] + 1;
            if (row[j - 1] + 1 < here)
                here = row[j - 1] + 1;
            row[j] = here;
        }
    }
    return row[lb];
}

static int unknown_option(const char *arg, struct err *e)
{
    const char *best = NULL;
    size_t least = 4;

    for (size_t i = 0; i < N_OPTIONS; i++) {
        size_t d = distance(arg, options[i].name);

        if (d < least) {
            least = d;
            best = options[i].name;
        }
    }
    if (best)
        return err_set(e, EINVAL, "there is no option %.60s; did you mean %s?", arg, best);
    return err_set(e, EINVAL, "there is no option %.60s; cellblock --help lists them", arg);
}

static const struct option *find_option(const char *arg, size_t size)
{
    for (size_t i = 0; i < N_OPTIONS; i++)
        if (strlen(options[i].name) == size && memcmp(options[i].name, arg, size) == 0)
            return &options[i];
    return NULL;
}

/* --name VALUE or --name=VALUE; *i moves over what was taken. */
static int take_option(int argc, char **argv, int *i, struct options *to, struct err *e)
{
    const char *arg = argv[*i], *equals = strchr(arg, '='), *value;
    const struct option *o = find_option(arg, equals ? (size_t)(equals - arg) : strlen(arg));

    if (!o)
        return unknown_option(arg, e);
    if (o->group == RUN && to->command != COMMAND_RUN)
        return err_set(e, EINVAL, "%s belongs to `cellblock run`", o->name);
    if (to->command == COMMAND_CP || to->command == COMMAND_SESSIONS ||
        (to->command == COMMAND_STORE && o->group != STORE))
        return err_set(e, EINVAL, "%s belongs to `cellblock stdio` and `cellblock run`", o->name);
    if (o->kind == FLAG || o->kind == BUILDS)
        value = equals ? equals + 1 : "1";
    else if (equals)
        value = equals + 1;
    else if (*i + 1 < argc)
        value = argv[++*i];
    else
        return err_set(e, EINVAL, "%s needs a value: %s %s", o->name, o->name, o->value);
    return set(to, o, o->name, value, e);
}

/* -c CODE of run, -r of cp; 0 when it is neither. */
static int take_letter(int argc, char **argv, int *i, struct options *to, struct err *e)
{
    const char *arg = argv[*i];

    if (strcmp(arg, "-c") == 0 && to->command == COMMAND_RUN) {
        if (*i + 1 >= argc)
            return err_set(e, EINVAL, "-c needs code: cellblock run -c 'print(1)'");
        to->code = argv[++*i];
        return 1;
    }
    if ((strcmp(arg, "-r") == 0 || strcmp(arg, "--recursive") == 0) && to->command == COMMAND_CP) {
        to->recursive = true;
        return 1;
    }
    return 0;
}

static int take_word(const char *arg, struct options *to, struct err *e)
{
    const char **room = to->command == COMMAND_RUN && !to->code ? &to->file
                        : to->command == COMMAND_CP             ? (to->from ? &to->to : &to->from)
                        : to->command == COMMAND_STORE          ? &to->action
                                                                : NULL;

    if (room && !*room) {
        *room = arg;
        return 0;
    }
    if (to->command == COMMAND_DOCTOR || to->command == COMMAND_SESSIONS)
        return err_set(e, EINVAL, "cellblock %s takes no argument, not `%.60s`",
                       to->command == COMMAND_DOCTOR ? "doctor" : "sessions", arg);
    if (to->command == COMMAND_STORE)
        return err_set(e, EINVAL, "`%.60s` is one argument too many: cellblock store takes list, empty or verify", arg);
    if (to->command == COMMAND_RUN)
        return err_set(e, EINVAL, "`%.60s` is one argument too many: cellblock run takes one FILE or -c CODE", arg);
    if (to->command == COMMAND_CP)
        return err_set(e, EINVAL, "`%.60s` is one argument too many: cellblock cp takes what to copy, and where to",
                       arg);
    return err_set(e, EINVAL,
                   "`%.60s` is no command of cellblock; commands are stdio, run, sessions, cp, store and doctor, see "
                   "cellblock --help",
                   arg);
}

static int take(int argc, char **argv, int *i, struct options *to, struct err *e)
{
    const char *arg = argv[*i];
    int r = take_letter(argc, argv, i, to, e);

    if (r != 0)
        return r < 0 ? r : 0;
    if (strncmp(arg, "--", 2) == 0 && arg[2])
        return take_option(argc, argv, i, to, e);
    if (arg[0] == '-' && arg[1])
        return err_set(e, EINVAL, "there is no option %.60s; cellblock --help lists them", arg);
    return take_word(arg, to, e);
}

/* ---- checking ---- */

static int check_isolation(struct options *o, struct err *e)
{
    const char *given = o->isolation.given;

    if (o->local && o->isolation.level)
        return err_set(e, EINVAL,
                       "--local and --require-isolation contradict each other: local mode isolates nothing. Leave one "
                       "of them away (they may also be set by CELLBLOCK_LOCAL and CELLBLOCK_REQUIRE_ISOLATION)");
    if (o->local && given)
        return err_set(
            e, EINVAL,
            "%s is for isolated sessions and would do nothing with --local (or CELLBLOCK_LOCAL): leave one of "
            "them away",
            given);
    return o->local ? 0 : isolation_options_resolve(&o->isolation, o->python, o->store, o->workdir, e);
}

static int check_log_level(const char *level, struct err *e)
{
    static const char *const levels[] = {"error", "warn", "info", "debug"};

    for (size_t i = 0; level && i < 4; i++)
        if (strcmp(level, levels[i]) == 0) {
            log_set_level((enum log_level)i);
            return 0;
        }
    return level ? err_set(e, EINVAL, "--log-level is error, warn, info or debug, not '%.60s'", level) : 0;
}

static int check(struct options *o, struct err *e)
{
    int r;

    if (o->command == COMMAND_CP && !o->to)
        return err_set(e, EINVAL,
                       "what is to be copied, and where to? cellblock cp SESSION:PATH DEST, or cellblock cp SRC "
                       "SESSION:PATH; `cellblock sessions` lists sessions");
    if (o->command == COMMAND_STORE && o->action && strcmp(o->action, "list") != 0 && strcmp(o->action, "empty") != 0 &&
        strcmp(o->action, "verify") != 0)
        return err_set(e, EINVAL, "cellblock store does list, empty or verify, not `%.60s`", o->action);
    if (o->command == COMMAND_RUN && !o->file && !o->code)
        return err_set(e, EINVAL, "nothing to run: cellblock run FILE, or cellblock run -c CODE");
    if (o->timeout_ms && o->max_timeout_ms && o->timeout_ms > o->max_timeout_ms)
        return err_set(e, EINVAL, "--timeout is more than --max-timeout");
    r = check_log_level(o->log_level, e);
    return r < 0 || (o->command != COMMAND_STDIO && o->command != COMMAND_RUN) ? r : check_isolation(o, e);
}

static enum command find_command(const char *word, bool *ret_found)
{
    static const char *const names[] = {
        [COMMAND_STDIO] = "stdio", [COMMAND_RUN] = "run",       [COMMAND_SESSIONS] = "sessions", [COMMAND_CP] = "cp",
        [COMMAND_STORE] = "store", [COMMAND_DOCTOR] = "doctor", [COMMAND_HELP] = "help",
    };

    *ret_found = true;
    for (size_t i = 0; word && i < sizeof names / sizeof *names; i++)
        if (strcmp(word, names[i]) == 0)
            return (enum command)i;
    *ret_found = false;
    return COMMAND_STDIO;
}

/* Before all else: who asks for help may have something wrong. */
static void ask_for_help(int argc, char **argv, enum command *command)
{
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "-c") == 0)
            i++; /* code */
        else if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0)
            *command = COMMAND_HELP;
        else if (strcmp(argv[i], "--version") == 0 || strcmp(argv[i], "-V") == 0)
            *command = COMMAND_VERSION;
    }
}

int options_parse(int argc, char **argv, struct options *ret, struct err *e)
{
    bool found;
    int r = 0;

    ret->spare_kernels = LIMIT_SPARE_KERNELS;
    ret->resolve_ttl_s = LIMIT_RESOLVE_TTL_S;
    ret->command = find_command(argc > 1 ? argv[1] : NULL, &found);
    ask_for_help(argc, argv, &ret->command);
    if (ret->command == COMMAND_HELP || ret->command == COMMAND_VERSION)
        return 0;
    /* Other commands start no session: a variable that is wrong there is no matter of theirs. */
    if (ret->command == COMMAND_STDIO || ret->command == COMMAND_RUN || ret->command == COMMAND_STORE)
        r = from_environment(ret, e);
    for (int i = found ? 2 : 1; i < argc && r == 0; i++)
        r = take(argc, argv, &i, ret, e);
    return r < 0 ? r : check(ret, e);
}

void options_fini(struct options *o)
{
    isolation_options_fini(&o->isolation);
}

/* ---- for the sessions ---- */

int options_isolation(const struct options *o, struct isolation *ret, struct err *e)
{
    const struct isolation_options *from = &o->isolation;
    const char *home = getenv("HOME");

    if (o->local)
        return err_set(e, EINVAL, "local mode has no isolation");
    *ret = (struct isolation){
        .limits = from->limits,
        .mounts = from->mounts,
        .n_mounts = from->n_mounts,
        .environment = (const char *const *)from->environment,
        .n_environment = from->n_environment,
        .network = from->network ? NETWORK_HOST : NETWORK_NONE,
        .required = from->required,
    };
    if (from->network)
        log_warn("--network: code in sessions reaches everything that this machine reaches: the internet, the local "
                 "network, services on its loopback");
    if (o->source_builds == BUILDS_NETWORK)
        log_warn("--allow-source-builds=network: code of packages reaches everything that this machine reaches while "
                 "they are built");
    for (size_t i = 0; i < from->n_mounts; i++)
        if (home && strcmp(from->mounts[i].source, home) == 0)
            log_warn("--mount %s: code in sessions can read all of your home directory, keys and tokens included",
                     home);
    return 0;
}
