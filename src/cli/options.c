#include "cli/options.h"

#include <errno.h>
#include <math.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/limits.h"
#include "base/log.h"

enum kind { FLAG, TEXT, SECONDS, COUNT };

struct option {
    const char *name, *value, *variable, *help;
    enum kind kind;
    size_t at; /* offset in struct options */
    bool run_only;
};

#define AT(field) offsetof(struct options, field)

static const struct option options[] = {
    {"local", NULL, "CELLBLOCK_LOCAL", "run code on this machine, with your rights, your files and your .venv", FLAG,
     AT(local), false},
    {"python", "PATH", "CELLBLOCK_PYTHON", "interpreter, CPython 3.9 or later (default: .venv's, else python3)", TEXT,
     AT(python), false},
    {"workdir", "DIR", "CELLBLOCK_WORKDIR", "working directory of the code (default: the current one)", TEXT,
     AT(workdir), false},
    {"preload", "NAMES", "CELLBLOCK_PRELOAD",
     "modules that every session has imported (default: numpy, pandas and the like; '' for none)", TEXT, AT(preload),
     false},
    {"timeout", "SECONDS", "CELLBLOCK_TIMEOUT", "for calls that name none (default: 30)", SECONDS, AT(timeout_ms),
     false},
    {"max-timeout", "SECONDS", "CELLBLOCK_MAX_TIMEOUT", "the longest that a call may ask for (default: 600)", SECONDS,
     AT(max_timeout_ms), false},
    {"max-sessions", "N", "CELLBLOCK_MAX_SESSIONS", "sessions alive at once (default: 256)", COUNT, AT(max_sessions),
     false},
    {"session-idle", "SECONDS", "CELLBLOCK_SESSION_IDLE", "an unused session ends after this (default: 1800)", SECONDS,
     AT(session_idle_ms), false},
    {"log-level", "LEVEL", "CELLBLOCK_LOG_LEVEL", "error, warn, info or debug, on stderr (default: warn)", TEXT,
     AT(log_level), false},
    {"figures", "DIR", NULL, "keep the figures of `run` there", TEXT, AT(figures), true},
};

#define N_OPTIONS (sizeof options / sizeof *options)

/* ---- help ---- */

void options_help(FILE *out)
{
    (void)fprintf(out,
                  "cellblock %s: Python for people and agents, as an MCP server\n"
                  "\n"
                  "Usage:\n"
                  "  cellblock stdio --local [OPTIONS]   serve MCP on stdin and stdout (the default command)\n"
                  "  cellblock run [OPTIONS] FILE        run a file the way the server would\n"
                  "  cellblock run [OPTIONS] -c CODE     run code\n"
                  "  cellblock doctor                    tell how well this machine can isolate code, and what to do\n"
                  "  cellblock --help | --version\n"
                  "\n"
                  "Options, each also as an environment variable:\n",
                  CELLBLOCK_VERSION);
    for (size_t i = 0; i < N_OPTIONS; i++) {
        const struct option *o = &options[i];
        char left[48];

        (void)snprintf(left, sizeof left, "--%s%s%s", o->name, o->value ? " " : "", o->value ? o->value : "");
        (void)fprintf(out, "  %-24s %s\n", left, o->help);
        if (o->variable)
            (void)fprintf(out, "  %-24s %s\n", "", o->variable);
    }
    (void)fprintf(out,
                  "\n"
                  "For an MCP client's configuration:\n"
                  "  {\"mcpServers\": {\"python\": {\"command\": \"cellblock\", \"args\": [\"stdio\", \"--local\"]}}}\n"
                  "\n"
                  "Exit status: 0 well, 1 the code failed (run) or no sandbox (doctor), 2 wrong usage,\n"
                  "3 nothing could be started.\n");
}

/* ---- parsing ---- */

static int set(struct options *to, const struct option *o, const char *name, const char *value, struct err *e)
{
    void *at = (char *)to + o->at;
    char *end = NULL;
    double number;

    if (o->kind == TEXT) {
        *(const char **)at = value;
        return 0;
    }
    if (o->kind == FLAG) {
        *(bool *)at = strcmp(value, "0") != 0 && strcmp(value, "false") != 0 && strcmp(value, "no") != 0 && *value;
        return 0;
    }
    number = strtod(value, &end);
    if (end == value || *end || !isfinite(number) || number <= 0 || number > 1e9)
        return err_set(e, EINVAL, "%s takes a number above 0, not '%.60s'", name, value);
    *(int64_t *)at = o->kind == SECONDS ? (int64_t)ceil(number * 1000) : (int64_t)number;
    return 0;
}

static int from_environment(struct options *to, struct err *e)
{
    for (size_t i = 0; i < N_OPTIONS; i++) {
        const char *value = options[i].variable ? getenv(options[i].variable) : NULL;
        int r;

        if (!value || (!*value && options[i].kind != TEXT))
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
        size_t d = distance(arg + 2, options[i].name);

        if (d < least) {
            least = d;
            best = options[i].name;
        }
    }
    if (best)
        return err_set(e, EINVAL, "there is no option %.60s; did you mean --%s?", arg, best);
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
    const struct option *o = find_option(arg + 2, equals ? (size_t)(equals - arg - 2) : strlen(arg + 2));
    char name[64];

    if (!o)
        return unknown_option(arg, e);
    (void)snprintf(name, sizeof name, "--%s", o->name);
    if (o->run_only && to->command != COMMAND_RUN)
        return err_set(e, EINVAL, "%s belongs to `cellblock run`", name);
    if (o->kind == FLAG)
        value = equals ? equals + 1 : "1";
    else if (equals)
        value = equals + 1;
    else if (*i + 1 < argc)
        value = argv[++*i];
    else
        return err_set(e, EINVAL, "%s needs a value: %s %s", name, name, o->value);
    return set(to, o, name, value, e);
}

static int take_word(const char *arg, struct options *to, struct err *e)
{
    if (to->command == COMMAND_RUN && !to->file && !to->code) {
        to->file = arg;
        return 0;
    }
    if (to->command == COMMAND_DOCTOR)
        return err_set(e, EINVAL, "cellblock doctor takes no argument, not `%.60s`", arg);
    if (to->command == COMMAND_RUN)
        return err_set(e, EINVAL, "`%.60s` is one argument too many: cellblock run takes one FILE or -c CODE", arg);
    return err_set(e, EINVAL,
                   "`%.60s` is no command of cellblock; commands are stdio, run and doctor, see cellblock --help", arg);
}

static int check(const struct options *o, struct err *e)
{
    static const char *const levels[] = {"error", "warn", "info", "debug"};

    if (o->command == COMMAND_RUN && !o->file && !o->code)
        return err_set(e, EINVAL, "nothing to run: cellblock run FILE, or cellblock run -c CODE");
    if (o->timeout_ms && o->max_timeout_ms && o->timeout_ms > o->max_timeout_ms)
        return err_set(e, EINVAL, "--timeout is more than --max-timeout");
    for (size_t i = 0; o->log_level && i < 4; i++)
        if (strcmp(o->log_level, levels[i]) == 0) {
            log_set_level((enum log_level)i);
            return 0;
        }
    if (o->log_level)
        return err_set(e, EINVAL, "--log-level is error, warn, info or debug, not '%.60s'", o->log_level);
    return 0;
}

int options_parse(int argc, char **argv, struct options *ret, struct err *e)
{
    int r = from_environment(ret, e), first = 1;

    if (r < 0)
        return r;
    ret->command = COMMAND_STDIO;
    if (argc > 1 && strcmp(argv[1], "run") == 0)
        ret->command = COMMAND_RUN;
    if (argc > 1 && strcmp(argv[1], "doctor") == 0)
        ret->command = COMMAND_DOCTOR;
    if (argc > 1 && (ret->command != COMMAND_STDIO || strcmp(argv[1], "stdio") == 0))
        first = 2;
    for (int i = first; i < argc; i++) {
        const char *arg = argv[i];

        if (strcmp(arg, "--help") == 0 || strcmp(arg, "-h") == 0 || (i == 1 && strcmp(arg, "help") == 0)) {
            ret->command = COMMAND_HELP;
            return 0;
        }
        if (strcmp(arg, "--version") == 0 || strcmp(arg, "-V") == 0) {
            ret->command = COMMAND_VERSION;
            return 0;
        }
        if (strcmp(arg, "-c") == 0 && ret->command == COMMAND_RUN) {
            if (i + 1 >= argc)
                return err_set(e, EINVAL, "-c needs code: cellblock run -c 'print(1)'");
            ret->code = argv[++i];
        } else if (strncmp(arg, "--", 2) == 0 && arg[2]) {
            r = take_option(argc, argv, &i, ret, e);
        } else if (arg[0] == '-' && arg[1]) {
            r = err_set(e, EINVAL, "there is no option %.60s; cellblock --help lists them", arg);
        } else {
            r = take_word(arg, ret, e);
        }
        if (r < 0)
            return r;
    }
    return check(ret, e);
}
