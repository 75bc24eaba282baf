#include "server/outcome_text.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "packages/provides.h"
#include "server/impl.h"
#include "session/isolation.h"
#include "session/session.h"

static const char *const status_names[EXEC_STATUS_MAX] = {
    [EXEC_OK] = "ok",
    [EXEC_ERROR] = "error",
    [EXEC_EXIT] = "exit",
    [EXEC_TIMEOUT] = "timeout",
    [EXEC_CANCELLED] = "cancelled",
    [EXEC_DIED] = "died",
    [EXEC_PROTOCOL] = "died",
    [EXEC_UNAVAILABLE] = "unavailable",
};

const char *outcome_status(const struct exec_outcome *o)
{
    return status_names[o->status];
}

static const char *what_survived(const struct exec_outcome *o)
{
    if (o->variables_kept)
        return "Variables are kept.\n";
    return o->files_kept ? "Variables and imports are lost, files are kept. The next call starts a fresh Python.\n"
                         : "Variables, imports and files are lost. The next call starts anew.\n";
}

static void explain_timeout(struct buf *out, const struct exec_outcome *o, int64_t timeout_ms)
{
    if (o->status == EXEC_TIMEOUT)
        (void)buf_printf(out, "Timed out after %g s", (double)timeout_ms / 1000);
    else
        (void)buf_puts(out, "Cancelled");
    if (o->status == EXEC_TIMEOUT && o->installing_us) {
        (void)buf_puts(out, " (and ");
        text_duration(out, o->installing_us);
        (void)buf_puts(out, " of installing packages, which does not count)");
    }
    if (!o->variables_kept)
        (void)buf_puts(out, ": the code could not be interrupted, so Python was killed. ");
    else if (o->interrupted_hard)
        (void)buf_puts(out, " and stopped by force, since the code went on after KeyboardInterrupt. ");
    else
        (void)buf_puts(out, " and interrupted. ");
    (void)buf_puts(out, what_survived(o));
    if (o->status == EXEC_TIMEOUT)
        (void)buf_puts(out, "Pass a larger `timeout` (in seconds) if it needs longer.\n");
}

static void explain_memory(struct buf *out, const struct exec_outcome *o)
{
    if (o->memory_limit) {
        (void)buf_puts(out, " The session's memory limit of ");
        text_size(out, (int64_t)o->memory_limit);
        (void)buf_puts(out, " (--memory) was reached: use less, e.g. work in parts.");
    } else {
        (void)buf_puts(out, " The system was out of memory: use less, e.g. work in parts.");
    }
}

static void explain_death(struct buf *out, const struct exec_outcome *o)
{
    if (o->signal) {
        const char *name = sigabbrev_np(o->signal), *meaning = sigdescr_np(o->signal);

        (void)buf_printf(out, "Python was ended by signal %d (SIG%s, %s).", o->signal, name ? name : "?",
                         meaning ? meaning : "unknown");
        if (o->out_of_memory)
            explain_memory(out, o);
        else if (o->signal == SIGXCPU)
            (void)buf_puts(out, " The limit of processor time was used up (--cpu-time).");
    } else {
        (void)buf_printf(out, "The code ended Python itself, with exit status %d (os._exit or the like).",
                         o->exit_code);
    }
    (void)buf_printf(out, " %s", what_survived(o));
}

void outcome_explain(struct buf *out, const struct exec_outcome *o, int64_t timeout_ms)
{
    if (o->kernel_was_replaced)
        (void)buf_printf(out,
                         "Note: this ran in a fresh Python, because the one before had ended: %s of earlier calls "
                         "are lost.\n",
                         o->files_were_lost ? "variables, imports and files" : "variables and imports");
    switch (o->status) {
    case EXEC_TIMEOUT:
    case EXEC_CANCELLED:
        explain_timeout(out, o, timeout_ms);
        break;
    case EXEC_EXIT:
        (void)buf_printf(out, "The code called exit, with status %d. %s", o->exit_code, what_survived(o));
        break;
    case EXEC_DIED:
        explain_death(out, o);
        break;
    case EXEC_PROTOCOL:
        (void)buf_printf(out, "Python was killed because %s. %s", o->error_text, what_survived(o));
        break;
    case EXEC_UNAVAILABLE:
        (void)buf_printf(out, "No Python could be started: %s\n", o->error_text);
        break;
    default:
        if (o->out_of_memory) {
            (void)buf_puts(out, "A process that the code had started was killed.");
            explain_memory(out, o);
            (void)buf_puts(out, "\n");
        }
        break;
    }
    if (o->missing_module)
        provides_advise(out, o->missing_module);
}

/* A name may hold line ends, with which it could forge lines like this one. */
static void put_name(struct buf *out, const char *name)
{
    for (; *name; name++) {
        unsigned char c = (unsigned char)*name;

        if (c < 0x20 || c == 0x7f)
            (void)buf_printf(out, "\\x%02x", c);
        else
            (void)buf_append(out, name, 1);
    }
}

void outcome_status_line(struct buf *out, const struct exec_outcome *o, const char *session)
{
    bool any_new = false, any_changed = false;

    (void)buf_printf(out, "[session %s · %s · ", session, outcome_status(o));
    text_duration(out, o->duration_us);
    for (int pass = 0; pass < 2; pass++)
        for (size_t i = 0; i < o->n_files; i++) {
            bool *any = pass == 0 ? &any_new : &any_changed;

            if (o->files[i].is_new != (pass == 0))
                continue;
            (void)buf_puts(out, *any ? ", " : pass == 0 ? " · new: " : " · changed: ");
            *any = true;
            put_name(out, o->files[i].path);
            (void)buf_puts(out, " ");
            text_size(out, o->files[i].size);
        }
    if (o->n_files_more)
        (void)buf_printf(out, " and %zu more", o->n_files_more);
    (void)buf_puts(out, "]");
}

void outcome_meta(struct buf *out, const struct exec_outcome *o, const char *session)
{
    (void)buf_printf(out,
                     "{\"session\":\"%s\",\"status\":\"%s\",\"duration_ms\":%.3f,\"variables_kept\":%s,"
                     "\"output_bytes\":%lld",
                     session, outcome_status(o), (double)o->duration_us / 1000, o->variables_kept ? "true" : "false",
                     (long long)o->output_total);
    if (o->status == EXEC_EXIT || (o->status == EXEC_DIED && !o->signal))
        (void)buf_printf(out, ",\"exit_code\":%d", o->exit_code);
    if (o->signal)
        (void)buf_printf(out, ",\"signal\":%d", o->signal);
    if (o->error_name) {
        (void)buf_puts(out, ",\"error\":");
        text_json_string(out, o->error_name);
    }
    if (o->output_path) {
        (void)buf_puts(out, ",\"truncated\":true,\"output_path\":");
        text_json_string(out, o->output_path);
    }
    if (o->isolation)
        (void)buf_printf(out, ",\"isolation\":{\"level\":\"%s\",\"landlock\":%s,\"memory_limit\":\"%s\"}",
                         o->isolation->name, o->isolation->landlock ? "true" : "false",
                         o->isolation->memory ? "session" : "process");
    if (o->n_files) {
        (void)buf_puts(out, ",\"files\":[");
        for (size_t i = 0; i < o->n_files; i++) {
            (void)buf_puts(out, i ? ",{\"path\":" : "{\"path\":");
            text_json_string(out, o->files[i].path);
            (void)buf_printf(out, ",\"size\":%lld,\"new\":%s}", (long long)o->files[i].size,
                             o->files[i].is_new ? "true" : "false");
        }
        (void)buf_puts(out, "]");
    }
    (void)buf_puts(out, "}");
}
