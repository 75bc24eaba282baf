/*
 * Ending a cell from outside, and nothing but a cell.
 *
 * SIGINT raises KeyboardInterrupt by Python's own handler, as everywhere. Between cells it must do nothing: a late one
 * would hit the kernel itself, or the next cell. So the C handler of CPython is wrapped, which Python does not see.
 *
 * The abort signal raises Abort, and again at every chance until the cell has unwound: code that catches everything
 * catches it a few times only. It is an ordinary signal handler of Python's (a C function), not a pending call, because
 * a blocking call that a signal breaks off (sleep, lock, read) runs signal handlers before it goes on, and nothing
 * else. While a frame of the kernel's own Python is the innermost one, Abort waits: kernel code is never cut in the
 * middle. Python looks for signals at few places only, and in 3.12 it counts the one after a jump backwards to what
 * stands before the target: `while True: try: f() except: pass` then catches Abort every time. So after a few times a
 * trace function raises it at the next line, whichever that is, and so within the handler. (Python 3.10 does not look
 * at all in `while True: try: x += 1 except: pass`: nothing but SIGKILL ends that.)
 */
#include "kernel/ext/ext.h"

#include <signal.h>
#include <string.h>

#define SIGNAL_ABORT (SIGRTMAX - 1)
#define KERNEL_FILES "<cellblock>/" /* co_filename of the kernel's own code: see boot.py */
#define DRAIN_MAX 64
#define RAISED_BEFORE_TRACE 3

static volatile sig_atomic_t in_cell;
static int in_wait;                 /* kernel code waits for the server: there Abort may be raised */
static void (*python_handler)(int); /* CPython's, for all signals */
static PyObject *abort_type, *abort_callback, *trace_callback;
static unsigned raised;
static int tracing;

int interrupt_in_cell(void)
{
    return in_cell;
}

int interrupt_check(void)
{
    int status;

    in_wait = 1;
    status = PyErr_CheckSignals();
    in_wait = 0;
    return status;
}

/* ---- the handlers ---- */

static void on_sigint(int number)
{
    if (in_cell)
        python_handler(number);
}

static int in_kernel_code(PyObject *frame)
{
    PyObject *code = NULL, *name = NULL, *bytes = NULL;
    const char *text;
    int found = 0;

    if (frame == Py_None)
        return 0;
    code = PyObject_GetAttrString(frame, "f_code");
    if (code)
        name = PyObject_GetAttrString(code, "co_filename");
    if (name)
        bytes = PyUnicode_AsEncodedString(name, "utf-8", "replace");
    text = bytes ? PyBytes_AsString(bytes) : NULL;
    if (text)
        found = strncmp(text, KERNEL_FILES, sizeof KERNEL_FILES - 1) == 0;
    PyErr_Clear();
    Py_XDECREF(bytes);
    Py_XDECREF(name);
    Py_XDECREF(code);
    return found;
}

static PyObject *raise_abort(void)
{
    PyErr_SetString(abort_type, "the execution was aborted");
    return NULL;
}

/* As a trace function: (frame, event, argument). When it raises, Python switches tracing off. */
static PyObject *on_trace(PyObject *self, PyObject *args)
{
    PyObject *frame, *event, *argument;

    (void)self;
    if (!PyArg_ParseTuple(args, "OOO", &frame, &event, &argument))
        return NULL;
    if (!in_cell)
        Py_RETURN_NONE;
    if (PyUnicode_CompareWithASCIIString(event, "line") != 0 || in_kernel_code(frame)) {
        Py_INCREF(trace_callback);
        return trace_callback;
    }
    return raise_abort();
}

static void set_trace(PyObject *function)
{
    PyObject *type, *value, *trace, *result, *settrace = PySys_GetObject("settrace"); /* borrowed */

    PyErr_Fetch(&type, &value, &trace);
    result = settrace ? PyObject_CallFunctionObjArgs(settrace, function, NULL) : NULL;
    if (!result)
        PyErr_Clear();
    Py_XDECREF(result);
    PyErr_Restore(type, value, trace);
}

static void trace_from(PyObject *frame)
{
    tracing = 1;
    set_trace(trace_callback);
    if (frame != Py_None && PyObject_SetAttrString(frame, "f_trace", trace_callback) < 0)
        PyErr_Clear();
}

/* The Python-level handler of the abort signal: (number, frame). */
static PyObject *on_abort(PyObject *self, PyObject *args)
{
    PyObject *number, *frame;

    (void)self;
    if (!PyArg_ParseTuple(args, "OO", &number, &frame))
        return NULL;
    if (!in_cell) /* late: the cell is over */
        Py_RETURN_NONE;
    (void)raise(SIGNAL_ABORT); /* Python notes it and comes back here at its next check */
    if (!in_wait && in_kernel_code(frame))
        Py_RETURN_NONE;
    if (++raised > RAISED_BEFORE_TRACE)
        trace_from(frame);
    return raise_abort();
}

static PyMethodDef abort_method = {"_abort", on_abort, METH_VARARGS, NULL};
static PyMethodDef trace_method = {"_trace", on_trace, METH_VARARGS, NULL};

/* ---- installing ---- */

/* signal.signal(number, handler) */
static int python_signal(int number, PyObject *handler)
{
    PyObject *module = PyImport_ImportModule("_signal"), *result;

    if (!module)
        return -1;
    result = PyObject_CallMethod(module, "signal", "iO", number, handler);
    Py_DECREF(module);
    if (!result)
        return -1;
    Py_DECREF(result);
    return 0;
}

static void wrap_sigint(void)
{
    struct sigaction action;

    if (sigaction(SIGINT, NULL, &action) < 0 || action.sa_handler != python_handler)
        return; /* wrapped already, or the user's own choice */
    action.sa_handler = on_sigint;
    (void)sigaction(SIGINT, &action, NULL);
}

/* Once, in the zygote. Signals that the zygote was started with ignored (as by nohup) get their default back. */
PyObject *interrupt_install(PyObject *self, PyObject *none)
{
    PyObject *module, *handler, *standard;
    struct sigaction action;
    int status = 0;

    (void)self;
    (void)none;
    module = PyImport_ImportModule("_signal");
    if (!module)
        return NULL;
    handler = PyObject_GetAttrString(module, "default_int_handler");
    standard = PyObject_GetAttrString(module, "SIG_DFL");
    Py_DECREF(module);
    if (!handler || !standard)
        status = -1;
    for (int i = 1; status == 0 && i < SIGRTMAX; i++) {
        if (i == SIGPIPE || i == SIGXFSZ || sigaction(i, NULL, &action) < 0 || action.sa_handler != SIG_IGN)
            continue; /* Python itself ignores these two */
        status = python_signal(i, standard);
    }
    if (status == 0)
        status = python_signal(SIGINT, handler);
    if (status == 0)
        status = python_signal(SIGNAL_ABORT, abort_callback);
    Py_XDECREF(handler);
    Py_XDECREF(standard);
    if (status < 0)
        return NULL;
    (void)sigaction(SIGINT, NULL, &action);
    python_handler = action.sa_handler;
    wrap_sigint();
    Py_RETURN_NONE;
}

int interrupt_init(PyObject *module)
{
    abort_type = PyErr_NewExceptionWithDoc(
        "_cellblock.Abort", "Raised in code that did not end when it was interrupted.", PyExc_BaseException, NULL);
    abort_callback = PyCFunction_New(&abort_method, NULL);
    trace_callback = PyCFunction_New(&trace_method, NULL);
    if (!abort_type || !abort_callback || !trace_callback)
        return -1;
    Py_INCREF(abort_type); /* the module takes one, on_abort keeps one */
    return PyModule_AddObject(module, "Abort", abort_type);
}

/* ---- around a cell ---- */

/* Handle what Python has noted: outside of a cell, so that SIGINT and abort do nothing, and what others raise is lost.
 */
static void drain(void)
{
    PyObject *type, *value, *trace;

    PyErr_Fetch(&type, &value, &trace);
    for (int i = 0; i < DRAIN_MAX && PyErr_CheckSignals() < 0; i++)
        PyErr_Clear();
    PyErr_Restore(type, value, trace);
}

static void begin(void)
{
    struct sigaction action;

    wrap_sigint(); /* asyncio, for one, puts Python's own back */
    if (python_handler && sigaction(SIGNAL_ABORT, NULL, &action) == 0 && action.sa_handler != python_handler &&
        python_signal(SIGNAL_ABORT, abort_callback) < 0)
        PyErr_Clear();
    if (!in_cell)
        drain(); /* an abort that came too late for the cell before */
    raised = 0;
    in_cell = 1;
}

static void end(void)
{
    in_cell = 0;
    wrap_sigint();
    drain();
    if (tracing)
        set_trace(Py_None);
    tracing = 0;
}

PyObject *interrupt_begin(PyObject *self, PyObject *none)
{
    (void)self;
    (void)none;
    begin();
    Py_RETURN_NONE;
}

PyObject *interrupt_end(PyObject *self, PyObject *none)
{
    (void)self;
    (void)none;
    end();
    Py_RETURN_NONE;
}

/* run(function, *args): between the end of the function and the next line of the caller nothing can be raised. */
PyObject *interrupt_run(PyObject *self, PyObject *args)
{
    Py_ssize_t n = PyTuple_Size(args);
    PyObject *rest, *result;
    int outer = in_cell;

    (void)self;
    if (n < 1) {
        PyErr_SetString(PyExc_TypeError, "run() needs a function");
        return NULL;
    }
    rest = PyTuple_GetSlice(args, 1, n);
    if (!rest)
        return NULL;
    begin();
    result = PyObject_CallObject(PyTuple_GetItem(args, 0), rest);
    if (!outer)
        end();
    Py_DECREF(rest);
    return result;
}
