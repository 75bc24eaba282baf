/*
 * Calls of the stdio transport that fail when the environment says so: STDIO_FAULT=name:n makes call number n of
 * that function fail (n 0: each). Linked with -Wl,--wrap into stdio_tool.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <uv.h>

int __real_fcntl64(int fd, int command, ...);
int __wrap_fcntl64(int fd, int command, ...);
int __real_open64(const char *path, int flags, ...);
int __wrap_open64(const char *path, int flags, ...);
int __real_dup2(int from, int to);
int __wrap_dup2(int from, int to);
int __real_uv_pipe_open(uv_pipe_t *handle, uv_file file);
int __wrap_uv_pipe_open(uv_pipe_t *handle, uv_file file);
int __real_uv_try_write(uv_stream_t *handle, const uv_buf_t bufs[], unsigned n);
int __wrap_uv_try_write(uv_stream_t *handle, const uv_buf_t bufs[], unsigned n);
int __real_uv_write(uv_write_t *req, uv_stream_t *handle, const uv_buf_t bufs[], unsigned n, uv_write_cb cb);
int __wrap_uv_write(uv_write_t *req, uv_stream_t *handle, const uv_buf_t bufs[], unsigned n, uv_write_cb cb);
int __real_uv_fs_read(uv_loop_t *loop, uv_fs_t *req, uv_file file, const uv_buf_t bufs[], unsigned n, int64_t offset,
                      uv_fs_cb cb);
int __wrap_uv_fs_read(uv_loop_t *loop, uv_fs_t *req, uv_file file, const uv_buf_t bufs[], unsigned n, int64_t offset,
                      uv_fs_cb cb);

static bool fails(const char *name, int *calls)
{
    const char *fault = getenv("STDIO_FAULT");
    size_t size = strlen(name);
    int wanted;

    ++*calls;
    for (; fault; fault = strchr(fault, ' '), fault = fault ? fault + 1 : NULL)
        if (strncmp(fault, name, size) == 0 && fault[size] == ':') {
            wanted = atoi(fault + size + 1);
            return wanted == 0 || wanted == *calls;
        }
    return false;
}

int __wrap_fcntl64(int fd, int command, ...)
{
    static int calls;
    va_list args;
    long value;

    va_start(args, command);
    value = va_arg(args, long); /* all commands that are used here take one, or do not look at it */
    va_end(args);
    if (fails("fcntl", &calls)) {
        errno = EMFILE;
        return -1;
    }
    return __real_fcntl64(fd, command, value);
}

int __wrap_open64(const char *path, int flags, ...)
{
    static int calls;

    if (fails("open", &calls)) {
        errno = ENFILE;
        return -1;
    }
    return __real_open64(path, flags, 0);
}

int __wrap_dup2(int from, int to)
{
    static int calls;

    if (fails("dup2", &calls)) {
        errno = EBUSY;
        return -1;
    }
    return __real_dup2(from, to);
}

int __wrap_uv_pipe_open(uv_pipe_t *handle, uv_file file)
{
    static int calls;

    return fails("uv_pipe_open", &calls) ? UV_ENOTSUP : __real_uv_pipe_open(handle, file);
}

int __wrap_uv_try_write(uv_stream_t *handle, const uv_buf_t bufs[], unsigned n)
{
    static int calls, again;

    if (fails("full", &again)) /* the pipe is */
        return UV_EAGAIN;
    if (fails("short", &calls)) /* all but the line end is written */
        return __real_uv_try_write(handle, bufs, n - 1);
    return __real_uv_try_write(handle, bufs, n);
}

int __wrap_uv_write(uv_write_t *req, uv_stream_t *handle, const uv_buf_t bufs[], unsigned n, uv_write_cb cb)
{
    static int calls;

    return fails("uv_write", &calls) ? UV_ENOMEM : __real_uv_write(req, handle, bufs, n, cb);
}

int __wrap_uv_fs_read(uv_loop_t *loop, uv_fs_t *req, uv_file file, const uv_buf_t bufs[], unsigned n, int64_t offset,
                      uv_fs_cb cb)
{
    static int calls;

    return fails("uv_fs_read", &calls) ? UV_ENOMEM : __real_uv_fs_read(loop, req, file, bufs, n, offset, cb);
}
