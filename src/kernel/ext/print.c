/*
 * print() in one write(2). CPython's writes each argument, each separator and the end by themselves; on streams that
 * hold nothing back, as the kernel's, these are as many system calls, and lines of two processes can meet in the
 * middle. This one joins them where nobody can tell the difference: on the kernel's own stdout, when no code of the
 * user's would run between two of the pieces. In any other case it calls the print that it stands for.
 */
#include "kernel/ext/ext.h"

#define JOINED_MAX 65536 /* characters of one piece; a longer one is not copied to save a system call */

static PyObject *original, *stream; /* stream: what sys.stdout is while nobody has replaced it */
static PyObject *newline, *space;

/* Its str() runs no code of the user's. */
static int is_plain(PyObject *o)
{
    return PyUnicode_CheckExact(o) || PyLong_CheckExact(o) || PyFloat_CheckExact(o) || PyBool_Check(o) || o == Py_None;
}

/* A keyword argument that is a str, or the default for None and for none. NULL without an exception: it is neither. */
static PyObject *text_option(PyObject *options, const char *name, PyObject *standard, Py_ssize_t *known)
{
    PyObject *value = options ? PyDict_GetItemString(options, name) : NULL; /* borrowed */

    *known += value != NULL;
    if (!value || value == Py_None)
        return standard;
    return PyUnicode_CheckExact(value) && PyUnicode_GetLength(value) <= JOINED_MAX ? value : NULL;
}

/* The other two options where they change nothing: file=None, and flush on a stream that holds nothing back. */
static Py_ssize_t without_effect(PyObject *options)
{
    PyObject *file = options ? PyDict_GetItemString(options, "file") : NULL; /* borrowed */
    PyObject *flush = options ? PyDict_GetItemString(options, "flush") : NULL;

    return (file == Py_None) + (flush && PyBool_Check(flush));
}

/* New reference to the text of the arguments, without the end; NULL without an exception: to be left to print. */
static PyObject *joined(PyObject *args, PyObject *separator)
{
    Py_ssize_t n = PyTuple_Size(args);
    PyObject *texts, *all = NULL;

    if (n == 1) { /* print, too, would call its __str__ before it writes anything */
        PyObject *only = PyTuple_GetItem(args, 0);

        return PyObject_Str(only);
    }
    for (Py_ssize_t i = 0; i < n; i++)
        if (!is_plain(PyTuple_GetItem(args, i)))
            return NULL;
    texts = PyList_New(0);
    for (Py_ssize_t i = 0; texts && i < n; i++) {
        PyObject *text = PyObject_Str(PyTuple_GetItem(args, i));

        if (!text || PyUnicode_GetLength(text) > JOINED_MAX || PyList_Append(texts, text) < 0)
            Py_CLEAR(texts);
        Py_XDECREF(text);
    }
    if (texts)
        all = PyUnicode_Join(separator, texts);
    Py_XDECREF(texts);
    if (!all)
        PyErr_Clear(); /* an int of too many digits: print tells it after what comes before */
    return all;
}

/* New reference to all that is to be written; NULL with or without an exception as above. */
static PyObject *whole_text(PyObject *args, PyObject *options)
{
    Py_ssize_t known = without_effect(options);
    PyObject *separator = text_option(options, "sep", space, &known);
    PyObject *end = text_option(options, "end", newline, &known), *text, *whole;

    if (!separator || !end || (options && PyDict_Size(options) != known))
        return NULL;
    text = joined(args, separator);
    if (!text || PyUnicode_GetLength(text) > JOINED_MAX) {
        Py_XDECREF(text);
        return NULL;
    }
    whole = PyUnicode_Concat(text, end);
    Py_DECREF(text);
    return whole;
}

static PyObject *print(PyObject *self, PyObject *args, PyObject *options)
{
    PyObject *out = PySys_GetObject("stdout"), *text, *result; /* borrowed */

    (void)self;
    if (!stream || out != stream)
        return PyObject_Call(original, args, options);
    text = whole_text(args, options);
    if (!text)
        return PyErr_Occurred() ? NULL : PyObject_Call(original, args, options);
    Py_INCREF(out);
    result = PyObject_CallMethod(out, "write", "O", text);
    Py_DECREF(out);
    Py_DECREF(text);
    if (!result)
        return NULL;
    Py_DECREF(result);
    Py_RETURN_NONE;
}

static PyMethodDef print_method = {
    "print", (PyCFunction)(void (*)(void))print, METH_VARARGS | METH_KEYWORDS,
    "print(*args, sep=' ', end='\\n', file=None, flush=False)\n--\n\nWrite the values to a stream, by default to "
    "sys.stdout.\n\n  sep\n    between the values\n  end\n    after the last one\n  file\n    an object with "
    "write(text), instead of sys.stdout\n  flush\n    whether to flush the stream."};

/* print_for(print) -> print: to be called once, in the zygote. */
PyObject *print_make(PyObject *self, PyObject *args)
{
    PyObject *builtins, *name, *made = NULL;

    (void)self;
    if (!PyArg_ParseTuple(args, "O", &original))
        return NULL;
    Py_INCREF(original);
    builtins = PyImport_ImportModule("builtins");
    name = PyUnicode_FromString("builtins");
    newline = PyUnicode_FromString("\n");
    space = PyUnicode_FromString(" ");
    if (builtins && name && newline && space)
        made = PyCFunction_NewEx(&print_method, builtins, name);
    Py_XDECREF(builtins);
    Py_XDECREF(name);
    return made;
}

/* print_to(stream): what sys.stdout is from now on, unless it is replaced. */
PyObject *print_to(PyObject *self, PyObject *args)
{
    PyObject *value, *old = stream;

    (void)self;
    if (!PyArg_ParseTuple(args, "O", &value))
        return NULL;
    Py_INCREF(value);
    stream = value;
    Py_XDECREF(old);
    Py_RETURN_NONE;
}
