#include "kernel/ext/ext.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdio_ext.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/limits.h"

#define RECV_STEP (64 * KIB)

/* -1 where there is no server: in the zygote, and in processes that user code forks. */
static int channel_fd = -1, pipe_fd = -1;
static char mark_text[WIRE_MARK_SIZE + 1];
static pthread_mutex_t send_lock = PTHREAD_MUTEX_INITIALIZER;
static int stdin_is_null = 1;
static struct stat pipe_id;

static struct {
    char *data;
    size_t start, len, cap;
} in;

/* A process that user code forks is no kernel: its frames would mix with ours. */
static void forked(void)
{
    if (channel_fd >= 0)
        (void)close(channel_fd);
    if (pipe_fd >= 0)
        (void)close(pipe_fd);
    channel_fd = pipe_fd = -1;
    (void)pthread_mutex_init(&send_lock, NULL);
}

void channel_open(int channel, int pipe, const char *nonce)
{
    channel_fd = channel;
    (void)fstat(pipe, &pipe_id);
    pipe_fd = pipe; /* of our own: user code may have pointed 1 elsewhere when a mark is due */
    memcpy(mark_text, WIRE_MARK_PREFIX, WIRE_MARK_PREFIX_SIZE);
    memcpy(mark_text + WIRE_MARK_PREFIX_SIZE, nonce, WIRE_NONCE_SIZE);
    (void)pthread_atfork(NULL, NULL, forked);
}

void channel_fds(int *ret_lower, int *ret_higher)
{
    *ret_lower = channel_fd < pipe_fd ? channel_fd : pipe_fd;
    *ret_higher = channel_fd < pipe_fd ? pipe_fd : channel_fd;
}

/* Write everything, whatever signals come: handlers run after the frame. 0 or -errno. Without the GIL. */
static int write_all(int fd, const char *data, size_t size)
{
    while (size > 0) {
        ssize_t n = write(fd, data, size);

        if (n >= 0) {
            data += n;
            size -= (size_t)n;
        } else if (errno == EAGAIN) { /* user code made the pipe non-blocking */
            struct pollfd wait = {fd, POLLOUT, 0};

            (void)poll(&wait, 1, -1);
        } else if (errno != EINTR) {
            return -errno;
        }
    }
    return 0;
}

/* ---- receiving ---- */

/* Make room for what the frame at the start needs: its size is known from the header. */
static int in_reserve(void)
{
    struct wire_header header;
    size_t need = RECV_STEP;

    if (in.len == 0)
        in.start = 0;
    if (in.len >= sizeof header) {
        memcpy(&header, in.data + in.start, sizeof header);
        need = sizeof header + header.size - in.len; /* wire_parse has checked the size */
    }
    if (in.cap - in.start - in.len >= need)
        return 0;
    if (in.start > 0)
        memmove(in.data, in.data + in.start, in.len);
    in.start = 0;
    if (in.cap - in.len < need) {
        char *data = realloc(in.data, in.len + need);

        if (!data)
            return -1;
        in.data = data;
        in.cap = in.len + need;
    }
    return 0;
}

static void in_consume(size_t size)
{
    in.start += size;
    in.len -= size;
    if (in.len == 0 && in.cap > 16 * RECV_STEP) { /* a large frame is not kept for ever */
        free(in.data);
        in.data = NULL;
        in.cap = 0;
    }
    if (in.len == 0)
        in.start = 0;
}

static PyObject *frame_object(const struct wire_frame *frame)
{
    PyObject *fields = PyList_New(0), *item;
    const char *data;
    size_t pos = 0, size;
    uint32_t tag;

    while (fields && wire_next(frame, &pos, &tag, &data, &size)) {
        item = Py_BuildValue("Iy#", tag, data, (Py_ssize_t)size);
        if (!item || PyList_Append(fields, item) < 0)
            Py_CLEAR(fields);
        Py_XDECREF(item);
    }
    if (!fields)
        return NULL;
    return Py_BuildValue("iIN", (int)frame->header.type, frame->header.seq, fields);
}

/* pending() -> bool: has the server sent something that recv would return at once? */
PyObject *channel_pending(PyObject *self, PyObject *none)
{
    struct pollfd wait = {channel_fd, POLLIN, 0};

    (void)self;
    (void)none;
    return PyBool_FromLong(in.len > 0 || (channel_fd >= 0 && poll(&wait, 1, 0) > 0));
}

/* A signal came while waiting. Between cells there is nothing that it could interrupt. 0, or -1: tell the caller. */
static int signals_while_waiting(void)
{
    if (interrupt_check() == 0)
        return 0;
    if (interrupt_in_cell())
        return -1;
    PyErr_Clear();
    return 0;
}

/*
 * recv(2), but waiting in poll(2): who waits in recv is also woken, for nothing, when the server takes what was sent to
 * it, since that makes room for sending (unix_write_space in Linux). That would be with every answer.
 */
static ssize_t wait_and_recv(char *room, size_t size)
{
    struct pollfd wait = {channel_fd, POLLIN, 0};

    return poll(&wait, 1, -1) < 0 ? -1 : recv(channel_fd, room, size, 0);
}

PyObject *channel_recv(PyObject *self, PyObject *none)
{
    (void)self;
    (void)none;
    for (;;) {
        struct wire_frame frame;
        long size = in.len ? wire_parse(in.data + in.start, in.len, &frame) : 0;
        PyThreadState *thread;
        ssize_t n;
        int code;

        if (size > 0) {
            PyObject *result = frame_object(&frame);

            in_consume((size_t)size);
            return result;
        }
        if (size < 0 || channel_fd < 0) {
            PyErr_SetString(PyExc_EOFError, size < 0 ? "a frame that breaks the format" : "no channel");
            return NULL;
        }
        if (in_reserve() < 0)
            return PyErr_NoMemory();
        thread = PyEval_SaveThread();
        n = wait_and_recv(in.data + in.start + in.len, in.cap - in.start - in.len);
        code = errno;
        PyEval_RestoreThread(thread);
        if (n > 0) {
            in.len += (size_t)n;
        } else if (n == 0 || code != EINTR) {
            PyErr_SetString(PyExc_EOFError, "the server is gone");
            return NULL;
        } else if (signals_while_waiting() < 0) {
            return NULL;
        }
    }
}

/* ---- sending ---- */

/* New reference to bytes: text as UTF-8, what UTF-8 cannot say as backslash escapes. */
static PyObject *field_bytes(PyObject *value)
{
    if (PyUnicode_Check(value))
        return PyUnicode_AsEncodedString(value, "utf-8", "backslashreplace");
    return PyBytes_FromObject(value); /* bytes come back as they are */
}

/* Fill parts from fields, a sequence of (tag, str or bytes); keep owns the bytes. The number of parts, or -1. */
static Py_ssize_t collect(PyObject *fields, PyObject *keep, struct wire_part *parts)
{
    Py_ssize_t n = PySequence_Size(fields);

    if (n > LIMIT_FRAME_FIELDS) {
        PyErr_Format(PyExc_ValueError, "a frame has at most %d fields", LIMIT_FRAME_FIELDS);
        return -1;
    }
    for (Py_ssize_t i = 0; i < n; i++) {
        PyObject *item = PySequence_GetItem(fields, i), *value, *bytes = NULL;
        unsigned tag;
        char *data;
        Py_ssize_t size;

        if (item && !PyTuple_Check(item))
            PyErr_SetString(PyExc_TypeError, "a field is a tuple of tag and value");
        else if (item && PyArg_ParseTuple(item, "IO", &tag, &value))
            bytes = field_bytes(value);
        Py_XDECREF(item);
        if (!bytes || PyList_Append(keep, bytes) < 0) {
            Py_XDECREF(bytes);
            return -1;
        }
        Py_DECREF(bytes); /* keep has it */
        if (PyBytes_AsStringAndSize(bytes, &data, &size) < 0)
            return -1;
        parts[i] = (struct wire_part){tag, data, (size_t)size};
    }
    return n;
}

static PyObject *send_parts(unsigned type, unsigned seq, const struct wire_part *parts, size_t n)
{
    size_t size = wire_size(parts, n);
    PyThreadState *thread;
    char *data;
    int status;

    if (size == 0) {
        PyErr_SetString(PyExc_ValueError, "the frame is too large");
        return NULL;
    }
    if (channel_fd < 0)
        Py_RETURN_FALSE;
    data = malloc(size);
    if (!data)
        return PyErr_NoMemory();
    wire_build(data, (uint16_t)type, seq, parts, n);
    thread = PyEval_SaveThread();
    (void)pthread_mutex_lock(&send_lock);
    status = write_all(channel_fd, data, size);
    (void)pthread_mutex_unlock(&send_lock);
    PyEval_RestoreThread(thread);
    free(data);
    if (status < 0) {
        errno = -status;
        return PyErr_SetFromErrno(PyExc_OSError);
    }
    Py_RETURN_TRUE;
}

PyObject *channel_send(PyObject *self, PyObject *args)
{
    struct wire_part parts[LIMIT_FRAME_FIELDS];
    PyObject *fields, *keep, *result = NULL;
    unsigned type, seq;
    Py_ssize_t n;

    (void)self;
    if (!PyArg_ParseTuple(args, "IIO", &type, &seq, &fields))
        return NULL;
    keep = PyList_New(0);
    if (!keep)
        return NULL;
    n = collect(fields, keep, parts);
    if (n >= 0)
        result = send_parts(type, seq, parts, (size_t)n);
    Py_DECREF(keep);
    return result;
}

PyObject *channel_mark(PyObject *self, PyObject *args)
{
    unsigned index;
    char text[sizeof mark_text];
    PyThreadState *thread;
    int status;

    (void)self;
    if (!PyArg_ParseTuple(args, "I", &index))
        return NULL;
    if (pipe_fd < 0)
        Py_RETURN_FALSE;
    memcpy(text, mark_text, sizeof text);
    (void)snprintf(text + WIRE_MARK_PREFIX_SIZE + WIRE_NONCE_SIZE, 9, "%08x", index); /* and the final NUL */
    thread = PyEval_SaveThread();
    status = write_all(pipe_fd, text, WIRE_MARK_SIZE); /* below PIPE_BUF: never in two pieces, pipe(7) */
    PyEval_RestoreThread(thread);
    if (status < 0) {
        errno = -status;
        return PyErr_SetFromErrno(PyExc_OSError);
    }
    Py_RETURN_TRUE;
}

/* ---- standard streams ---- */

static int stdin_file(const char *data, size_t size)
{
    int fd = memfd_create("stdin", MFD_CLOEXEC);

    if (fd < 0)
        fd = open("/tmp", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    if (fd < 0)
        return -1;
    if (write_all(fd, data, size) < 0 || lseek(fd, 0, SEEK_SET) < 0) {
        (void)close(fd);
        return -1;
    }
    return fd;
}

PyObject *channel_set_stdin(PyObject *self, PyObject *args)
{
    PyObject *value;
    char *data;
    Py_ssize_t size;
    int fd;

    (void)self;
    if (!PyArg_ParseTuple(args, "O", &value))
        return NULL;
    if (value == Py_None) {
        if (stdin_is_null)
            Py_RETURN_NONE;
        fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
    } else {
        if (PyBytes_AsStringAndSize(value, &data, &size) < 0)
            return NULL;
        fd = stdin_file(data, (size_t)size);
    }
    if (fd < 0 || dup2(fd, 0) < 0)
        return PyErr_SetFromErrno(PyExc_OSError);
    (void)close(fd);
    stdin_is_null = value == Py_None;
    __fpurge(stdin); /* what C code had read ahead from the one before */
    clearerr(stdin);
    Py_RETURN_NONE;
}

PyObject *channel_fflush(PyObject *self, PyObject *none)
{
    PyThreadState *thread;

    (void)self;
    (void)none;
    thread = PyEval_SaveThread(); /* not fflush(NULL): that waits for a thread that reads a stream */
    (void)fflush(stdout);
    PyEval_RestoreThread(thread);
    Py_RETURN_NONE;
}

PyObject *channel_streams_intact(PyObject *self, PyObject *none)
{
    struct stat st;

    (void)self;
    (void)none;
    for (int fd = 1; fd <= 2; fd++)
        if (fstat(fd, &st) < 0 || st.st_ino != pipe_id.st_ino || st.st_dev != pipe_id.st_dev)
            Py_RETURN_FALSE;
    Py_RETURN_TRUE;
}
