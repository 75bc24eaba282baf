/*
 * Two tables do the work: texts that tell the kind of a failure, and what is said about each kind. The order of the
 * first one matters: what is surely the cause comes first, because one cause makes uv and pip print several texts. An
 * index that refuses or fails must never be told as "no such package", which is what pip makes of it.
 */
#include "packages/explain.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/mem.h"
#include "base/utf8.h"
#include "packages/near.h"

#define TAIL_LINES 10
#define LINE_MAX_BYTES 500
#define CAUSE_MAX_BYTES 1200

struct sign {
    const char *text;
    enum explain_kind kind;
};

static const struct sign signs[] = {
    {"No module named pip", EXPLAIN_NO_PIP},
    {"No space left on device", EXPLAIN_DISK},
    {"Disk quota exceeded", EXPLAIN_DISK},
    {"Failed to build `", EXPLAIN_BUILD},
    {"Failed building wheel", EXPLAIN_BUILD},
    {"metadata-generation-failed", EXPLAIN_BUILD},
    {"subprocess-exited-with-error", EXPLAIN_BUILD},
    {"The build backend returned an error", EXPLAIN_BUILD},
    {"DO NOT MATCH THE HASHES", EXPLAIN_HASH},
    {"Hash mismatch", EXPLAIN_HASH},
    {"lack of valid authentication credentials", EXPLAIN_REFUSED},
    {"returned a 403 Forbidden error", EXPLAIN_REFUSED},
    {"(401 Unauthorized)", EXPLAIN_REFUSED},
    {"(403 Forbidden)", EXPLAIN_REFUSED},
    {"HTTP error 401", EXPLAIN_REFUSED},
    {"HTTP error 403", EXPLAIN_REFUSED},
    {"network was disabled", EXPLAIN_OFFLINE},
    {"HTTP status client error", EXPLAIN_INDEX},
    {"HTTP status server error", EXPLAIN_INDEX},
    {"HTTP error 4", EXPLAIN_INDEX},
    {"HTTP error 5", EXPLAIN_INDEX},
    {"invalid peer certificate", EXPLAIN_TLS},
    {"InvalidContentType", EXPLAIN_TLS},
    {"CERTIFICATE_VERIFY_FAILED", EXPLAIN_TLS},
    {"SSLError", EXPLAIN_TLS},
    {"failed to lookup address", EXPLAIN_NETWORK},
    {"Connection refused", EXPLAIN_NETWORK},
    {"connection closed", EXPLAIN_NETWORK},
    {"Connection reset", EXPLAIN_NETWORK},
    {"Network is unreachable", EXPLAIN_NETWORK},
    {"timed out", EXPLAIN_NETWORK},
    {"error sending request", EXPLAIN_NETWORK},
    {"Max retries exceeded", EXPLAIN_NETWORK},
    {"Failed to fetch", EXPLAIN_NETWORK},
    {"Permission denied", EXPLAIN_PERMISSION},
    {"Read-only file system", EXPLAIN_PERMISSION},
    {"invalid package format", EXPLAIN_BAD_FILE},
    {"Failed to read from zip", EXPLAIN_BAD_FILE},
    {"Failed to extract", EXPLAIN_BAD_FILE},
    {" is invalid.", EXPLAIN_BAD_FILE},
    {"BadZipFile", EXPLAIN_BAD_FILE},
    {"has an invalid wheel", EXPLAIN_BAD_FILE},
    {"ResolutionImpossible", EXPLAIN_CONFLICT},
    {"conflicting dependencies", EXPLAIN_CONFLICT},
    {"does not satisfy Python", EXPLAIN_PYTHON},
    {"requires a different Python", EXPLAIN_PYTHON},
    {"no wheels with a matching", EXPLAIN_PLATFORM},
    {"is not a supported wheel on this platform", EXPLAIN_PLATFORM},
    {"has no usable wheels", EXPLAIN_NO_WHEEL},
    {"have no usable wheels", EXPLAIN_NO_WHEEL},
    {"was not found in", EXPLAIN_NO_SUCH},
    {"there is no version of", EXPLAIN_NO_VERSION},
    {"there are no versions of", EXPLAIN_NO_VERSION},
    {"No solution found", EXPLAIN_CONFLICT},
};

enum detail {
    DETAIL_NONE,
    DETAIL_LINE,  /* the line with the sign */
    DETAIL_CAUSE, /* the paragraph in which the resolver says why */
    DETAIL_TAIL,  /* the last lines */
    DETAIL_HASH,  /* uv and pip check nothing else */
};

static const struct {
    const char *text;   /* %s: the package */
    const char *advice; /* or NULL */
    enum detail detail;
} kinds[EXPLAIN_KIND_MAX] = {
    [EXPLAIN_UNKNOWN] = {"the installer failed", NULL, DETAIL_TAIL},
    [EXPLAIN_NO_SUCH] = {"the index has no package named %s",
                         "check the spelling: a package is not always named like the module that it contains",
                         DETAIL_NONE},
    [EXPLAIN_NO_VERSION] = {"no version fits", NULL, DETAIL_CAUSE},
    [EXPLAIN_PYTHON] = {"there is no version for this Python", NULL, DETAIL_CAUSE},
    [EXPLAIN_PLATFORM] = {"%s has no file for this version of Python and this platform", NULL, DETAIL_CAUSE},
    [EXPLAIN_CONFLICT] = {"the requirements exclude each other", "ask for other versions, or for one of them only",
                          DETAIL_CAUSE},
    [EXPLAIN_NO_WHEEL] =
        {"%s has no wheel for this version of Python and this platform, only source, which is not built "
         "in isolated sessions without --allow-source-builds",
         NULL, DETAIL_NONE},
    [EXPLAIN_BUILD] = {"%s comes as source code, and building it failed (a compiler or library may be missing)", NULL,
                       DETAIL_TAIL},
    [EXPLAIN_NOT_BUILT] = {"%s comes as source code, of which no wheel could be had", NULL, DETAIL_NONE},
    [EXPLAIN_HASH] = {"the file that came is not the one that was announced", NULL, DETAIL_HASH},
    [EXPLAIN_BAD_FILE] = {"the file of %s is damaged", NULL, DETAIL_LINE},
    [EXPLAIN_TOO_LARGE] = {"%s is larger than what is accepted", NULL, DETAIL_LINE},
    [EXPLAIN_REFUSED] = {"the index refuses access",
                         "check its address and credentials, and whether this package is "
                         "allowed there",
                         DETAIL_LINE},
    [EXPLAIN_INDEX] = {"the index answered with an error", "try again later, or check its address", DETAIL_LINE},
    [EXPLAIN_NETWORK] = {"the index could not be reached",
                         "check the network and the server's settings (UV_DEFAULT_INDEX"
                         ", PIP_INDEX_URL, https_proxy)",
                         DETAIL_LINE},
    [EXPLAIN_TLS] = {"no trusted connection to the index",
                     "if it has a certificate of its own, set SSL_CERT_FILE and "
                     "PIP_CERT in the server's environment",
                     DETAIL_LINE},
    [EXPLAIN_OFFLINE] = {"%s is not in the cache, and uv is told to stay offline (UV_OFFLINE)", NULL, DETAIL_NONE},
    [EXPLAIN_DISK] = {"the disk is full", "free some space, or set TMPDIR and UV_CACHE_DIR to a larger disk",
                      DETAIL_LINE},
    [EXPLAIN_PERMISSION] = {"no right to write there",
                            "start the server with a --workdir that you can write to, or "
                            "with the --python of a virtual environment of yours",
                            DETAIL_LINE},
    [EXPLAIN_NO_PIP] = {"neither uv nor pip is there", "install uv, or python3-pip, or python3-venv", DETAIL_NONE},
};

bool explain_is_global(enum explain_kind kind)
{
    return kind >= EXPLAIN_INDEX && kind <= EXPLAIN_NO_PIP;
}

/* ---- pieces of text ---- */

/* Where the error begins: at the first line that says so. The progress before it names innocent packages. */
static const char *error_section(const char *text)
{
    for (const char *line = text; *line; line += strcspn(line, "\n"), line += *line == '\n') {
        const char *p = line + strspn(line, " ");

        if (strncasecmp(p, "error:", 6) == 0)
            return line;
    }
    return text;
}

static char *line_at(const char *text, const char *at)
{
    const char *start = at;
    size_t size;

    while (start > text && start[-1] != '\n')
        start--;
    start += strspn(start, " ");
    for (const char *const *word = (const char *const[]){"error: ", "ERROR: ", "cause: ", "hint: ", NULL}; *word;
         word++)
        if (strncmp(start, *word, strlen(*word)) == 0)
            start += strlen(*word);
    size = strcspn(start, "\n");
    return xstrndup(start, size > LINE_MAX_BYTES ? utf8_cut(start, LINE_MAX_BYTES) : size);
}

/* From start to the next empty line, in one line, with between between its lines. */
static char *paragraph(const char *start, const char *between)
{
    autobuf struct buf out = BUF_INIT;

    while (*start && *start != '\n' && out.len < CAUSE_MAX_BYTES) {
        start += strspn(start, " ");
        (void)buf_printf(&out, "%s%.*s", out.len ? between : "", (int)strcspn(start, "\n"), start);
        start += strcspn(start, "\n");
        start += *start == '\n';
    }
    return buf_steal(&out, NULL);
}

/* pip begins each line of its log with the time. */
static void strip_times(char *log)
{
    static const char form[] = "0000-00-00T00:00:00,000 ";
    char *to = log;

    for (const char *line = log; *line;) {
        size_t n = 0, size = strcspn(line, "\n");

        while (form[n] && (form[n] == '0' ? isdigit((unsigned char)line[n]) != 0 : line[n] == form[n]))
            n++;
        if (form[n])
            n = 0;
        size += line[size] == '\n';
        memmove(to, line + n, size - n);
        to += size - n;
        line += size;
    }
    *to = '\0';
}

/* Lists of versions can be very long. */
static char *shorten(char *text_take)
{
    if (strlen(text_take) > CAUSE_MAX_BYTES)
        memcpy(text_take + utf8_cut(text_take, CAUSE_MAX_BYTES - 3), "...", 4);
    return text_take;
}

static void cut_at(char *text, const char *mark)
{
    char *at = strstr(text, mark);

    if (at)
        *at = '\0';
}

/* Where pip had put a file: a place of ours that means nothing to anybody. */
static void drop_place(char *text)
{
    char *at = strstr(text, " located at "), *end = at ? strstr(at, " is invalid") : NULL;

    if (end)
        memmove(at, end, strlen(end) + 1);
}

/* Why the resolver gave up, as far as uv and pip say it. */
static char *resolver_cause(const char *section)
{
    const char *at = strstr(section, "Because ");
    char *cause;

    if (at) {
        cause = paragraph(at + strlen("Because "), " ");
        if (strstr(cause, " depend on ")) /* a chain of reasons: all of it, but the last and obvious one */
            cut_at(cause, ", we can conclude that your requirements are unsatisfiable");
        else
            cut_at(cause, ", we can conclude that");
        return cause;
    }
    at = strstr(section, "The conflict is caused by:\n");
    if (at)
        return paragraph(at + strlen("The conflict is caused by:\n"), "; ");
    at = strstr(section, "require a different python version: ");
    if (at)
        return xstrndup(at + strlen("require a different python version: "),
                        strcspn(at + strlen("require a different python version: "), "\n"));
    at = strstr(section, "(from versions: ");
    if (at && strncmp(at, "(from versions: none", 20) != 0) {
        const char *list = at + strlen("(from versions: "), *end = list + strcspn(list, ")\n"), *start = end;

        for (int n = 0; start > list; start--) /* the newest are the last ones */
            if (start[-1] == ',' && ++n == 6)
                break;
        return xasprintf("there %s%.*s", start > list ? "are ...," : "are ", (int)(end - start), start);
    }
    at = strstr(section, "requires a different Python");
    return at ? line_at(section, at) : xstrdup("");
}

/* ---- which package ---- */

/* The name that starts at p, normalised. */
static bool name_at(const char *p, char *ret, size_t size)
{
    size_t n = 0;

    p += strspn(p, "`'\" ");
    for (; (isalnum((unsigned char)*p) || (*p && strchr("-_.", *p))) && n + 1 < size; p++)
        ret[n++] = (char)(*p == '_' || *p == '.' ? '-' : tolower((unsigned char)*p));
    ret[n] = '\0';
    return n > 0;
}

/* The word that ends before p: in "toy-good==1.0 has" with p at " has" that is toy-good. */
static bool name_before(const char *text, const char *p, char *ret, size_t size)
{
    while (p > text && !strchr(" \n`'", p[-1]))
        p--;
    return name_at(p, ret, size);
}

/* The package of a file that could not be fetched: its name ends before a dash and a version. */
static bool name_of_file(const char *section, char *ret, size_t size)
{
    const char *at = strstr(section, "Failed to fetch: "), *p, *end;
    autofree char *name = NULL;

    if (!at)
        return false;
    end = at + strcspn(at, "\n?#");
    for (p = end; p > at && p[-1] != '/'; p--)
        ;
    for (at = p; at < end && !(*at == '-' && isdigit((unsigned char)at[1])); at++)
        ;
    name = xstrndup(p, (size_t)(at - p));
    return at < end && name_at(name, ret, size);
}

static void find_package(const char *section, const char *whole, struct explain *ret)
{
    static const char *const after[] = {"no version of ",
                                        "no versions of ",
                                        "Failed to build `",
                                        "Failed to download `",
                                        "Hash mismatch for `",
                                        "The structure of `",
                                        "Failed building wheel for ",
                                        "No matching distribution found for ",
                                        "Wheels are required for `",
                                        "Could not install requirement ",
                                        "ERROR: Wheel '",
                                        "ERROR: Package '",
                                        "tampered with them.\n",
                                        NULL};
    static const char *const before[] = {" was not found in",      " has no wheels",     " has no usable wheels",
                                         " have no usable wheels", " depends on Python", NULL};
    char *name = ret->package;
    const char *at;

    for (size_t i = 0; before[i]; i++)
        if ((at = strstr(section, before[i])) && name_before(section, at, name, sizeof(ret->package)))
            return;
    for (size_t i = 0; after[i]; i++)
        if ((at = strstr(section, after[i])) && name_at(at + strlen(after[i]), name, sizeof(ret->package)))
            return;
    if ((at = strstr(section, "/simple/")) && name_at(at + strlen("/simple/"), name, sizeof(ret->package)))
        return;
    if (name_of_file(section, name, sizeof(ret->package)))
        return;
    for (const char *p = whole; ret->kind == EXPLAIN_BUILD && (p = strstr(p, "Collecting ")); p += 11)
        (void)name_at(p + strlen("Collecting "), name, sizeof(ret->package));
}

/* ---- pip's "No matching distribution found" ---- */

/* pip says the same whether the index refuses, fails, is not there or has no such package; its log tells them apart. */
static enum explain_kind pip_no_match(const char *out, const char *log, const char *package, const char **ret_sign)
{
    static const struct sign fetch_signs[] = {
        {": 404 Client Error", EXPLAIN_NO_SUCH}, {": 401 Client Error", EXPLAIN_REFUSED},
        {": 403 Client Error", EXPLAIN_REFUSED}, {"ssl certificate", EXPLAIN_TLS},
        {" Client Error", EXPLAIN_INDEX},        {" Server Error", EXPLAIN_INDEX},
        {"error responses", EXPLAIN_INDEX},      {"", EXPLAIN_NETWORK},
    };
    const char *const texts[] = {log, out};
    const char *at;

    for (size_t t = 0; t < 2; t++)
        for (at = texts[t]; at && (at = strstr(at, "Could not fetch URL ")); at++) {
            autofree char *line = line_at(at, at);
            size_t i = 0;

            if (!strstr(line, package))
                continue; /* of another package of the same run */
            while (!strstr(line, fetch_signs[i].text))
                i++;
            *ret_sign = at;
            if (fetch_signs[i].kind != EXPLAIN_NO_SUCH)
                return fetch_signs[i].kind;
        }
    if ((at = strstr(out, "is not a trusted or secure host")) || (at = strstr(out, "connection broken by"))) {
        *ret_sign = at;
        return *at == 'i' ? EXPLAIN_TLS : EXPLAIN_NETWORK;
    }
    if (!strstr(out, "(from versions: none)"))
        return EXPLAIN_NO_VERSION;
    if (strstr(out, "require a different python version"))
        return EXPLAIN_PYTHON;
    if (log && strstr(log, "none of the wheel's tags"))
        return EXPLAIN_PLATFORM;
    return log && strstr(log, "No sources permitted for ") ? EXPLAIN_NO_WHEEL : EXPLAIN_NO_SUCH;
}

/* ---- the whole ---- */

/*
 * The end of a build's output. With a log, pip writes it there, between "Running command" and "... exited with 1";
 * without, before "[end of output]". What pip says after it explains nothing.
 */
static char *build_tail(const char *section, const char *log)
{
    const char *end = log ? strstr(log, " exited with ") : NULL, *start = log, *next;

    if (!end) {
        end = strstr(section, "[end of output]");
        return explain_tail(section, end ? (size_t)(end - section) : strlen(section), TAIL_LINES);
    }
    while (end > log && end[-1] != '\n')
        end--;
    while ((next = strstr(start, "Running command ")) && next < end)
        start = next + strcspn(next, "\n");
    return explain_tail(start, (size_t)(end - start), TAIL_LINES);
}

static char *detail_text(enum detail detail, const char *in, const char *section, const char *sign, const char *log)
{
    char *line;

    switch (detail) {
    case DETAIL_LINE:
        line = sign ? line_at(in, sign) : xstrdup("");
        drop_place(line);
        cut_at(line, " for url: ");
        cut_at(line, " - skipping");
        cut_at(line, ", we can conclude that");
        return line;
    case DETAIL_CAUSE:
        return shorten(resolver_cause(section));
    case DETAIL_TAIL:
        return build_tail(section, log);
    case DETAIL_HASH:
        return xstrdup("its hash differs");
    default:
        return xstrdup("");
    }
}

/* Something that is not what was meant may be there, too, for want of anything that can be installed. */
static bool say_near(const struct explain *x, struct buf *out)
{
    autobuf struct buf names = BUF_INIT;
    bool none = x->kind == EXPLAIN_NO_SUCH, useless = x->kind == EXPLAIN_NO_WHEEL || x->kind == EXPLAIN_BUILD;

    if (none && near_is_standard(x->package))
        (void)buf_printf(out, "; %s is a part of Python: import it", x->package);
    else if ((none || useless) && near_names(x->package, useless, &names))
        (void)buf_printf(out, "; nearest names: %s", buf_str(&names));
    else
        return false;
    return true;
}

static void say(const char *detail, struct explain *ret)
{
    autobuf struct buf out = BUF_INIT;
    const char *text = kinds[ret->kind].text, *mark = strstr(text, "%s");

    if (mark)
        (void)buf_printf(&out, "%.*s%s%s", (int)(mark - text), text, *ret->package ? ret->package : "that", mark + 2);
    else
        (void)buf_puts(&out, text);
    if (*detail && !strstr(buf_str(&out), detail))
        (void)buf_printf(&out, "%s%s", strchr(detail, '\n') ? ":\n" : ": ", detail);
    if (!say_near(ret, &out) && kinds[ret->kind].advice)
        (void)buf_printf(&out, "; %s", kinds[ret->kind].advice);
    ret->reason = buf_steal(&out, NULL);
}

void explain(const char *out, size_t size, const char *log, size_t log_size, struct explain *ret)
{
    autofree char *whole = explain_clean(out, size), *details = log ? explain_clean(log, log_size) : NULL,
                  *detail = NULL;
    const char *section = error_section(whole), *sign = NULL, *in = whole;

    memset(ret, 0, sizeof(*ret));
    if (details)
        strip_times(details);
    for (size_t i = 0; !sign && i < sizeof(signs) / sizeof(signs[0]); i++) {
        ret->kind = signs[i].kind;
        sign = strstr(section, signs[i].text);
    }
    if (!sign)
        ret->kind = EXPLAIN_UNKNOWN;
    if (ret->kind == EXPLAIN_CONFLICT && strstr(section, "available and you require") &&
        !strstr(section, " depend on ") && !strstr(section, " depends on "))
        ret->kind = EXPLAIN_NO_VERSION;
    find_package(section, whole, ret);
    if (ret->kind == EXPLAIN_UNKNOWN && strstr(section, "No matching distribution found for ")) {
        ret->kind = pip_no_match(whole, details, ret->package, &sign);
        if (sign && details && sign >= details && sign < details + strlen(details))
            in = details;
    }
    ret->section = xstrdup(section);
    detail = detail_text(kinds[ret->kind].detail, in, section, sign, details);
    say(detail, ret);
}

void explain_of_kind(enum explain_kind kind, const char *package, const char *detail, struct explain *ret)
{
    autofree char *said = explain_clean(detail ? detail : "", detail ? strlen(detail) : 0);

    memset(ret, 0, sizeof(*ret));
    ret->kind = kind;
    (void)snprintf(ret->package, sizeof(ret->package), "%s", package);
    ret->section = xstrdup("");
    say(said, ret);
}

void explain_fini(struct explain *x)
{
    free(x->reason);
    free(x->section);
}
