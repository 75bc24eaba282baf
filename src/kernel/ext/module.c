#include "kernel/ext/ext.h"

#include <limits.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/limits.h"

#define OLD_FD_MAX 4096

/* name(text): how the process is called in lists of processes. */
static PyObject *set_name(PyObject *self, PyObject *args)
{
    const char *name;

    (void)self;
    if (!PyArg_ParseTuple(args, "s", &name))
        return NULL;
    (void)prctl(PR_SET_NAME, name);
    Py_RETURN_NONE;
}

static void close_range_of(unsigned first, unsigned last)
{
    if (first > last || syscall(SYS_close_range, first, last, 0) == 0)
        return;
    for (unsigned fd = first; fd <= last && fd < OLD_FD_MAX; fd++) /* Linux before 5.9 */
        (void)close((int)fd);
}

/* close_except(fd, fd, fd): what the zygote was not meant to inherit. The three are in rising order. */
static PyObject *close_except(PyObject *self, PyObject *args)
{
    unsigned keep[3], first = STDERR_FILENO + 1;

    (void)self;
    if (!PyArg_ParseTuple(args, "III", &keep[0], &keep[1], &keep[2]))
        return NULL;
    for (int i = 0; i < 3; i++) {
        if (keep[i] < first)
            continue;
        close_range_of(first, keep[i] - 1);
        first = keep[i] + 1;
    }
    close_range_of(first, UINT_MAX);
    Py_RETURN_NONE;
}

/*
 * same(dict, dict): the very same keys and values, in the same order? `==` takes several times as long, and counts a
 * reference to each value: after a fork that copies every page that has one of them.
 */
static PyObject *same(PyObject *self, PyObject *args)
{
    PyObject *a, *b, *key_a, *key_b, *value_a, *value_b;
    Py_ssize_t pos_a = 0, pos_b = 0;

    (void)self;
    if (!PyArg_ParseTuple(args, "O!O!", &PyDict_Type, &a, &PyDict_Type, &b))
        return NULL;
    if (PyDict_Size(a) != PyDict_Size(b))
        Py_RETURN_FALSE;
    while (PyDict_Next(a, &pos_a, &key_a, &value_a))
        if (!PyDict_Next(b, &pos_b, &key_b, &value_b) || key_a != key_b || value_a != value_b)
            Py_RETURN_FALSE;
    Py_RETURN_TRUE;
}

static PyMethodDef methods[] = {
    {"recv", channel_recv, METH_NOARGS,
     "recv() -> (type, seq, [(tag, bytes), ...])\n\nThe next frame of the server. EOFError: it is gone. Between cells, "
     "signals are swallowed; within one, what their handlers raise is raised."},
    {"pending", channel_pending, METH_NOARGS, "pending() -> bool\n\nWould recv return at once?"},
    {"send", channel_send, METH_VARARGS,
     "send(type, seq, [(tag, str or bytes), ...]) -> bool\n\nOne whole frame, from any thread. False in a process that "
     "user code forked: it has no server. ValueError: over the limits of a frame."},
    {"mark", channel_mark, METH_VARARGS,
     "mark(index) -> bool\n\nThe place of display item index in the output. False in a process that user code forked."},
    {"set_stdin", channel_set_stdin, METH_VARARGS, "set_stdin(bytes or None)\n\nWhat descriptor 0 gives to read."},
    {"fflush", channel_fflush, METH_NOARGS, "fflush()\n\nWrite out what C code has printed."},
    {"streams_intact", channel_streams_intact, METH_NOARGS,
     "streams_intact() -> bool\n\nAre descriptors 1 and 2 still the output pipe?"},
    {"print_for", print_make, METH_VARARGS,
     "print_for(print) -> print\n\nOne that writes all at once where it can. Once, in the zygote."},
    {"print_to", print_to, METH_VARARGS, "print_to(stream)\n\nThe kernel's own sys.stdout."},
    {"same", same, METH_VARARGS, "same(dict, dict) -> bool\n\nThe very same keys and values, in the same order?"},
    {"run", interrupt_run, METH_VARARGS,
     "run(function, *args)\n\nCall it as a cell: SIGINT raises KeyboardInterrupt and the abort signal Abort in it, and "
     "as soon as it has ended, neither. Better than abort_begin and abort_end: nothing can be raised in between."},
    {"abort_begin", interrupt_begin, METH_NOARGS, "abort_begin()\n\nFrom here on signals interrupt."},
    {"abort_end", interrupt_end, METH_NOARGS, "abort_end()\n\nFrom here on they do not, and none is left over."},
    {"install_handlers", interrupt_install, METH_NOARGS, "Once, in the zygote."},
    {"prep_heap", heap_prepare, METH_NOARGS, "prep_heap() -> bool\n\nBefore anything large is imported."},
    {"fill_heap", heap_fill, METH_NOARGS, "fill_heap() -> int\n\nBefore seal_heap(): no holes for kernels to fill."},
    {"seal_heap", heap_seal, METH_NOARGS, "seal_heap() -> int\n\nAfter gc.freeze(), before the loop."},
    {"settle", zygote_settle, METH_NOARGS,
     "settle() -> int\n\nEnd the threads of libraries. How many threads are left."},
    {"rehearse_fork", zygote_rehearse_fork, METH_NOARGS,
     "rehearse_fork()\n\nAs if this process had just been forked; False: it has threads, so nothing was done."},
    {"tell", zygote_tell, METH_VARARGS, "tell(control, op, status, text)"},
    {"zygote", zygote_run, METH_VARARGS, "zygote(control, hello, random_state) -> dict\n\nReturns in each kernel."},
    {"set_name", set_name, METH_VARARGS, "set_name(text)"},
    {"close_except", close_except, METH_VARARGS, "close_except(fd, fd, fd)"},
    {NULL, NULL, 0, NULL},
};

static struct PyModuleDef definition = {PyModuleDef_HEAD_INIT, "_cellblock", NULL, -1, methods, NULL, NULL, NULL, NULL};

PyMODINIT_FUNC PyInit__cellblock(void); /* for -Wmissing-prototypes: only the interpreter calls it */

PyMODINIT_FUNC PyInit__cellblock(void)
{
    PyObject *module = PyModule_Create(&definition);

    if (module && (interrupt_init(module) < 0 || PyModule_AddIntConstant(module, "PACKAGES_MAX", LIMIT_PACKAGES) < 0))
        Py_CLEAR(module);
    return module;
}
