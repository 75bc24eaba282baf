/* Log lines to stderr: see log.h. The line is made on the stack; a long one is cut. */
#include "base/log.h"

#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/utf8.h"

#define LINE_MAX_BYTES 1024 /* below PIPE_BUF: such a write to a pipe is whole or not at all (pipe(7)) */

static enum log_level max_level = LOG_WARN;

void log_set_level(enum log_level level)
{
    max_level = level;
}

/* One line must stay one line: control characters (a file name may hold them) become '?'. */
static void flatten(char *text, size_t size)
{
    for (size_t i = 0; i < size; i++)
        if ((unsigned char)text[i] < 0x20 || text[i] == 0x7f)
            text[i] = '?';
}

/*
 * stderr is shared with whoever started the server, so it must not be made non-blocking. A pipe is writable for
 * poll(2) when PIPE_BUF bytes fit, and a line is shorter than that: a write after it does not block, except when
 * another writer fills the pipe in between.
 */
static void write_line(const char *line, size_t size)
{
    struct pollfd p = {.fd = STDERR_FILENO, .events = POLLOUT};
    ssize_t ignored;

    if (poll(&p, 1, 0) != 1 || !(p.revents & POLLOUT) || (p.revents & (POLLERR | POLLNVAL)))
        return;
    ignored = write(STDERR_FILENO, line, size); /* nobody to tell when it fails */
    (void)ignored;
}

void log_write(enum log_level level, const char *format, ...)
{
    static const char *const names[LOG_LEVEL_MAX] = {"error", "warning", "info", "debug"};
    int saved = errno; /* a log line between a failure and its report must not change it */
    char line[LINE_MAX_BYTES];
    size_t head;
    size_t size;
    int wanted;
    va_list args;

    if (level > max_level)
        return;
    head = (size_t)snprintf(line, sizeof(line), "cellblock: %s: ", names[level]);
    va_start(args, format);
    wanted = vsnprintf(line + head, sizeof(line) - head - 1, format, args);
    va_end(args);
    if (wanted < 0)
        wanted = 0;
    size = head + (size_t)wanted;
    if (size > sizeof(line) - 2)
        size = utf8_cut(line, sizeof(line) - 2);
    flatten(line, size);
    line[size++] = '\n';
    write_line(line, size);
    errno = saved;
}
