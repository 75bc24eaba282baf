/*
 * The extension module _cellblock: what zygote and kernel do in C. It is loaded by any CPython from 3.9 on, so it keeps
 * to the limited API of 3.9; the little that is outside of it is looked up with dlsym and may be missing. It links
 * nothing but libc; what enters sandboxes is compiled into it from src/sandbox.
 *
 *   module.c     the table of functions
 *   zygote.c     the fork loop           packet.c   packets of the control channel
 *   kernel.c     from fork to kernel     channel.c  frames to and from the server
 *   isolate.c    into a sandbox          heap.c     a heap that is cheap to fork
 *   interrupt.c  SIGINT and the abort    print.c    print in one write
 */
#ifndef CELLBLOCK_KERNEL_EXT_H
#define CELLBLOCK_KERNEL_EXT_H

#define PY_SSIZE_T_CLEAN
#define Py_LIMITED_API 0x03090000
#include <Python.h>

#include <stdint.h>

#include "base/err.h"
#include "kernel/wire.h"
#include "sandbox/enter.h"

/* ---- packet.c ---- */

#define PACKET_FDS ZY_FORK_FDS_MAX

struct packet {
    struct zy_msg msg;
    int n_fds;
    int fds[PACKET_FDS];
    char text[ZY_TEXT_MAX + 1];
};

/* 1: a packet; 0: the server is gone; -EMFILE: a packet whose descriptors did not fit; -EBADMSG: no valid packet. */
int packet_recv(int sock, struct packet *ret);
void packet_close_fds(struct packet *p);

/* text may be NULL; it is cut to ZY_TEXT_MAX. fd -1: none. 0 or -errno. */
int packet_send(int sock, const struct zy_msg *msg, const char *text, size_t text_size, int fd);

/* ---- kernel.c ---- */

struct kernel_start {
    int channel, pipe;      /* as received; taken */
    pid_t zygote;           /* whose death is ours */
    uint64_t mark;          /* 0: none */
    uint32_t *random_state; /* numpy's global Mersenne Twister, or NULL */
    struct enter_config *isolation;       /* how to enter the sandbox; NULL: a local kernel */
    const struct packet *packet;       /* what asked for it */
};

/* In the child: everything between fork and Python. Reports to the output pipe and exits when a step fails. */
void kernel_enter(const struct kernel_start *start, const char *nonce);

/* ---- isolate.c ---- */

/* Take what ZY_ISOLATE tells, to be carried out in each kernel; enter the builder's user namespace. 0, or -1: see e. */
int isolate_prepare(const struct packet *p, struct enter_config **ret, struct err *e);

/*
 * In the child: into the sandbox that the packet names, whose memory must stay; then, as the last step, sealed. 0, or
 * -1: see e.
 */
int isolate_enter(struct enter_config *isolation, const struct packet *p, struct err *e);
int isolate_seal(const struct enter_config *isolation, struct err *e);

/* ---- channel.c ---- */

void channel_open(int channel, int pipe, const char *nonce);
void channel_fds(int *ret_lower, int *ret_higher); /* the two that it has */
PyObject *channel_recv(PyObject *self, PyObject *none);
PyObject *channel_pending(PyObject *self, PyObject *none);
PyObject *channel_send(PyObject *self, PyObject *args);
PyObject *channel_mark(PyObject *self, PyObject *args);
PyObject *channel_set_stdin(PyObject *self, PyObject *args);
PyObject *channel_fflush(PyObject *self, PyObject *none);
PyObject *channel_streams_intact(PyObject *self, PyObject *none);

/* ---- interrupt.c ---- */

/* Make the exception and the handlers; add Abort to the module. 0, or -1 with an exception. */
int interrupt_init(PyObject *module);
int interrupt_in_cell(void);
int interrupt_check(void); /* PyErr_CheckSignals, in a call that the kernel's own code waits in */
PyObject *interrupt_install(PyObject *self, PyObject *none);
PyObject *interrupt_begin(PyObject *self, PyObject *none);
PyObject *interrupt_end(PyObject *self, PyObject *none);
PyObject *interrupt_run(PyObject *self, PyObject *args);

/* ---- print.c ---- */

PyObject *print_make(PyObject *self, PyObject *args);
PyObject *print_to(PyObject *self, PyObject *args);

/* ---- heap.c ---- */

PyObject *heap_prepare(PyObject *self, PyObject *none);
PyObject *heap_fill(PyObject *self, PyObject *none);
PyObject *heap_seal(PyObject *self, PyObject *none);

/* Of the mappings of each library, as few as can be: for isolated kernels only. */
void heap_merge(void);

/* ---- zygote.c ---- */

PyObject *zygote_tell(PyObject *self, PyObject *args);
PyObject *zygote_rehearse_fork(PyObject *self, PyObject *none);
PyObject *zygote_settle(PyObject *self, PyObject *none);
PyObject *zygote_run(PyObject *self, PyObject *args);

#endif
