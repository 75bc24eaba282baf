/*
 * The loop of the zygote: waits for the server, forks kernels, tells how they ended. No Python runs in it: that would
 * touch memory which all kernels share. It holds the GIL all the time, so other threads of Python do not run either.
 */
#include "kernel/ext/ext.h"

#include <dirent.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define ZYGOTE_EXIT_PROTOCOL 4

struct child {
    pid_t pid;
    uint32_t kernel;
};

static struct {
    int control;
    uint32_t *random_state;
    struct enter_config *isolation; /* NULL: kernels are local */
    struct child *children;
    size_t n, cap;
    struct packet packet; /* the one being handled: 16 KB */
} zygote = {.control = -1};

/* ---- the end ---- */

/*
 * The server has no more use for this process. Kernels are taken along and reaped: as zombies they would keep their
 * sandboxes from ending (pid_namespaces(7)) on a machine whose first process reaps nothing, as in many containers.
 */
static _Noreturn void end(void)
{
    for (size_t i = 0; i < zygote.n; i++)
        (void)kill(zygote.children[i].pid, SIGKILL);
    for (size_t i = 0; i < zygote.n; i++)
        while (waitpid(zygote.children[i].pid, NULL, 0) < 0 && errno == EINTR)
            ;
    _exit(0);
}

/* ---- telling the server ---- */

static void tell(uint32_t op, uint32_t kernel, int status, const char *text)
{
    struct zy_msg msg = {.op = op, .kernel = kernel, .status = status};

    if (packet_send(zygote.control, &msg, text, strlen(text), -1) < 0)
        end();
}

/* tell(control, op, status, text): from Python, before the loop. */
PyObject *zygote_tell(PyObject *self, PyObject *args)
{
    struct zy_msg msg = {0};
    const char *text;
    Py_ssize_t size;
    int control;

    (void)self;
    if (!PyArg_ParseTuple(args, "iIis#", &control, &msg.op, &msg.status, &text, &size))
        return NULL;
    if (packet_send(control, &msg, text, (size_t)size, -1) < 0)
        _exit(0);
    Py_RETURN_NONE;
}

/* ---- children ---- */

static int add_child(pid_t pid, uint32_t kernel)
{
    if (zygote.n == zygote.cap) {
        size_t cap = zygote.cap ? 2 * zygote.cap : 64;
        struct child *grown = realloc(zygote.children, cap * sizeof *grown);

        if (!grown)
            return -ENOMEM;
        zygote.children = grown;
        zygote.cap = cap;
    }
    zygote.children[zygote.n++] = (struct child){pid, kernel};
    return 0;
}

static void reap(void)
{
    struct rusage usage;
    int status;
    pid_t pid;

    while ((pid = wait4(-1, &status, WNOHANG, &usage)) > 0) {
        for (size_t i = 0; i < zygote.n; i++) {
            struct zy_msg msg = {.op = ZY_EXITED, .pid = pid, .status = status, .value = (uint64_t)usage.ru_maxrss};

            if (zygote.children[i].pid != pid)
                continue;
            msg.kernel = zygote.children[i].kernel;
            zygote.children[i] = zygote.children[--zygote.n];
            if (packet_send(zygote.control, &msg, NULL, 0, -1) < 0)
                end();
            break;
        }
    }
}

/* The parent's side of a fork: the pidfd is opened while the child cannot have been reaped. */
static void forked(uint32_t kernel, pid_t pid)
{
    struct zy_msg msg = {.op = ZY_FORKED, .kernel = kernel, .pid = pid};
    int pidfd = (int)syscall(SYS_pidfd_open, pid, 0), status = add_child(pid, kernel);

    if (status == 0)
        status = packet_send(zygote.control, &msg, NULL, 0, pidfd);
    if (status < 0 && status != -ENOMEM && status != -EPIPE) /* ETOOMANYREFS (unix(7)): the number has to do */
        status = packet_send(zygote.control, &msg, NULL, 0, -1);
    if (pidfd >= 0)
        (void)close(pidfd);
    if (status == -ENOMEM) {
        (void)kill(pid, SIGKILL);
        tell(ZY_FAILED, kernel, ENOMEM, "no memory for another kernel");
    } else if (status < 0) {
        end();
    }
}

/* ---- forking ---- */

static int valid_fork(const struct packet *p)
{
    int least = p->msg.status & ZY_FORK_GATE ? 4 : 3, fds_right = zygote.isolation ? p->n_fds >= least : p->n_fds == 2;

    return p->msg.op == ZY_FORK && p->msg.kernel != 0 && fds_right && p->msg.text_size >= WIRE_NONCE_SIZE &&
           (p->msg.text_size == WIRE_NONCE_SIZE || p->text[WIRE_NONCE_SIZE] == '/') &&
           strspn(p->text, "0123456789abcdef") == WIRE_NONCE_SIZE;
}

/*
 * What os.fork does around fork(2), all of it in the child: the parent would run Python code. It comes to the same,
 * with one thread that holds no lock: the child takes the import lock and runs the hooks as the parent would have.
 */
static void become_kernel(const struct packet *p, pid_t parent)
{
    struct kernel_start start = {p->fds[0], p->fds[1], parent, p->msg.mark, zygote.random_state, zygote.isolation, p};

    (void)close(zygote.control);
    zygote.control = -1;
    free(zygote.children);
    zygote.children = NULL;
    kernel_enter(&start, p->text);
    PyOS_BeforeFork();
    PyOS_AfterFork_Child();
}

/* 1 in the child. Always by fork(3): libraries like OpenBLAS hang in children that the bare system call makes. */
static int fork_kernel(struct packet *p)
{
    struct err e = ERR_INIT;
    pid_t parent = getpid(), pid;
    char text[128];

    if (zygote.isolation && enter_target(p->fds[2], (int)p->msg.value, &e) < 0) {
        tell(ZY_FAILED, p->msg.kernel, e.code, e.text);
        packet_close_fds(p);
        return 0;
    }
    pid = fork();
    if (pid == 0) {
        become_kernel(p, parent);
        return 1;
    }
    if (pid > 0) {
        forked(p->msg.kernel, pid);
    } else {
        int code = errno;

        (void)snprintf(text, sizeof text, "fork: %s", strerror(code));
        tell(ZY_FAILED, p->msg.kernel, code, text);
    }
    packet_close_fds(p);
    return 0;
}

static void become_isolating(struct packet *p)
{
    struct err e = ERR_INIT;

    if (isolate_prepare(p, &zygote.isolation, &e) < 0) {
        tell(ZY_FAILED, 0, e.code, e.text);
        _exit(ZYGOTE_EXIT_PROTOCOL);
    }
    packet_close_fds(p);
}

/* 1 in the child. */
static int handle_packet(void)
{
    struct packet *p = &zygote.packet;
    int status = packet_recv(zygote.control, p);

    if (status == 0)
        end();
    if (status == -EMFILE) {
        tell(ZY_FAILED, p->msg.kernel, EMFILE, "the zygote has too many open files");
        return 0;
    }
    if (status < 0)
        _exit(ZYGOTE_EXIT_PROTOCOL);
    if (p->msg.op == ZY_ISOLATE && !zygote.isolation) {
        become_isolating(p);
        return 0;
    }
    if (!valid_fork(p))
        _exit(ZYGOTE_EXIT_PROTOCOL);
    return fork_kernel(p);
}

/* ---- the loop ---- */

static void on_sigchld(int number)
{
    (void)number; /* it only has to end ppoll */
}

/* Returns in the child only. */
static void loop(void)
{
    struct sigaction action = {.sa_handler = on_sigchld, .sa_flags = SA_NOCLDSTOP};
    struct pollfd wait = {zygote.control, POLLIN, 0};
    sigset_t block, none;

    (void)sigemptyset(&none);
    (void)sigemptyset(&block);
    (void)sigaddset(&block, SIGCHLD);
    (void)sigaction(SIGCHLD, &action, NULL);
    (void)sigprocmask(SIG_BLOCK, &block, NULL);
    for (;;) {
        int n;

        reap();
        n = ppoll(&wait, 1, NULL, &none); /* SIGCHLD is let in here only, so none is missed */
        if (n < 0 && errno != EINTR)
            _exit(ZYGOTE_EXIT_PROTOCOL);
        if (n > 0 && handle_packet())
            return;
    }
}

static int count_threads(void)
{
    DIR *dir = opendir("/proc/self/task");
    struct dirent *entry;
    int n = 0;

    if (!dir)
        return 1;
    while ((entry = readdir(dir)))
        n += entry->d_name[0] != '.';
    (void)closedir(dir);
    return n;
}

/*
 * Fork once for nothing: fork handlers of libraries end their threads (OpenBLAS starts them again at need, in every
 * kernel). Returns the number of threads that are left: 1, or some library may hang in kernels.
 */
PyObject *zygote_settle(PyObject *self, PyObject *none)
{
    pid_t pid = fork();

    (void)self;
    (void)none;
    if (pid == 0)
        _exit(0);
    while (pid > 0 && waitpid(pid, NULL, 0) < 0 && errno == EINTR)
        ;
    return PyLong_FromLong(count_threads());
}

/*
 * What become_kernel() does, without a fork: it leaves behind what each kernel would otherwise have to make for itself.
 * Not where other threads are left, whose locks it would take away: then it returns False.
 */
PyObject *zygote_rehearse_fork(PyObject *self, PyObject *none)
{
    int alone = count_threads() == 1;

    (void)self;
    (void)none;
    if (alone) {
        PyOS_BeforeFork();
        PyOS_AfterFork_Child();
    }
    return PyErr_Occurred() ? NULL : PyBool_FromLong(alone);
}

/* zygote(control, hello, address of numpy's random state or 0): a dictionary, in each kernel. home: "", or a path. */
PyObject *zygote_run(PyObject *self, PyObject *args)
{
    unsigned long long address;
    struct rlimit core;
    const char *hello;

    (void)self;
    if (!PyArg_ParseTuple(args, "isK", &zygote.control, &hello, &address))
        return NULL;
    zygote.random_state = (uint32_t *)(uintptr_t)address; /* NOLINT(performance-no-int-to-ptr) */
    if (getrlimit(RLIMIT_CORE, &core) == 0) { /* a crash is told with its traceback, not with a large file */
        core.rlim_cur = 0;
        (void)setrlimit(RLIMIT_CORE, &core);
    }
    (void)fflush(stdout);
    (void)setvbuf(stdout, NULL, _IOLBF, BUFSIZ); /* what C code prints comes in order with what Python prints */
    tell(ZY_HELLO, 0, 0, hello);
    loop();
    return Py_BuildValue("{s:s#,s:I,s:O,s:s}", "nonce", zygote.packet.text, (Py_ssize_t)WIRE_NONCE_SIZE, "kernel",
                         zygote.packet.msg.kernel, "isolated", zygote.isolation ? Py_True : Py_False, "home",
                         zygote.packet.text + WIRE_NONCE_SIZE);
}
