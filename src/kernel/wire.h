/*
 * What server, zygote and kernel say to each other. Compiled into the server and into the extension module, so it
 * needs nothing but libc. All integers are in host order: both ends are on one machine.
 *
 * Two channels:
 *   control  server <-> zygote   SOCK_SEQPACKET, one struct zy_msg (+ text) a packet, descriptors attached
 *   kernel   server <-> kernel   SOCK_STREAM, frames: struct wire_header, then `count` fields, each
 *                                struct wire_field followed by its bytes (no padding)
 *
 * What comes from a kernel is hostile input: a frame that breaks a rule below ends that kernel, never the server.
 */
#ifndef CELLBLOCK_KERNEL_WIRE_H
#define CELLBLOCK_KERNEL_WIRE_H

#include <stddef.h>
#include <stdint.h>

struct wire_header {
    uint32_t size;  /* bytes after this header; at most LIMIT_FRAME */
    uint16_t type;  /* enum wire_type */
    uint16_t count; /* fields; at most LIMIT_FRAME_FIELDS */
    uint32_t seq;   /* the execution it belongs to: the number of the EXEC frame; 0 for none */
};

struct wire_field {
    uint32_t tag;  /* enum wire_tag */
    uint32_t size; /* bytes that follow */
};

enum wire_type {
    /* server to kernel */
    WIRE_EXEC = 1,     /* CODE, SCRATCH, [STDIN] */
    WIRE_REFRESH = 2,  /* packages changed: [SITE]..., [EXECUTABLE], [PREFIX], [NAME]... of changed distributions */
    WIRE_PACKAGES = 3, /* list what is installed */
    WIRE_INSTALL_REPLY = 4, /* answer to WIRE_INSTALL, same seq: STATUS ("ok" or "error"), TEXT, and what REFRESH has:
                               a NAME for each distribution that was not there before */

    /* kernel to server */
    WIRE_READY = 101,     /* TEXT: version of Python; seq 0; once, when it can take an EXEC */
    WIRE_DISPLAY = 102,   /* INDEX, MIME, DATA: one item to show; its place in the output is the mark INDEX */
    WIRE_CLEAR = 103,     /* INDEX: drop what was shown before that mark in this execution (clear_output) */
    WIRE_RESULT = 104,    /* STATUS, [ERROR], [NAME], [TEXT]: a module not found, [EXITCODE]; ends the execution */
    WIRE_INSTALL = 105,   /* ARG...: requirement specifiers that code asked for (%pip, PEP 723); main thread waits */
    WIRE_REFRESHED = 106, /* TEXT: what the user should know ("numpy is loaded: restart to use 2.1"), may be empty */
    WIRE_PACKAGES_REPLY = 107, /* TEXT: name==version lines, sorted; comments part them where the session has its own */
};

enum wire_tag {
    WIRE_CODE = 1,
    WIRE_STDIN = 2,      /* text for standard input, all of it */
    WIRE_SCRATCH = 3,    /* a directory of the session for files that are not the user's own (large outputs, HTML) */
    WIRE_SITE = 4,       /* a site-packages directory to add */
    WIRE_EXECUTABLE = 5, /* new sys.executable */
    WIRE_PREFIX = 6,     /* new sys.prefix */
    WIRE_NAME = 7,   /* RESULT: name of the exception, or of the module that was not found; REFRESH: a distribution */
    WIRE_STATUS = 8, /* RESULT: "ok", "error", "interrupted", "aborted", "exit" */
    WIRE_ERROR = 9,  /* RESULT: the traceback to show */
    WIRE_EXITCODE = 10, /* RESULT with status "exit": decimal */
    WIRE_INDEX = 11,    /* decimal, counts from 1 within an execution */
    WIRE_MIME = 12,     /* text/plain, image/png, image/jpeg, or WIRE_MIME_FILE: DATA is a path to link */
    WIRE_DATA = 13,
    WIRE_TEXT = 14,
    WIRE_ARG = 15,
};

#define WIRE_MIME_FILE "application/x-cellblock-file"

/*
 * The place of a display item in the byte stream of stdout and stderr. Both share one pipe, so that all output stays
 * in the order written; the kernel writes this mark into it (one write(2) of WIRE_MARK_SIZE bytes, atomic by pipe(7))
 * and sends the item on its channel, in either order. The nonce is the kernel's own, from ZY_FORK.
 *   0x00 'C' 'B' <16 hex: nonce> <8 hex: index> 0x00
 */
#define WIRE_MARK_PREFIX "\0CB"
#define WIRE_MARK_PREFIX_SIZE 3
#define WIRE_NONCE_SIZE 16
#define WIRE_MARK_SIZE (WIRE_MARK_PREFIX_SIZE + WIRE_NONCE_SIZE + 8 + 1)

/* Control channel. */
enum zy_op {
    /* server to zygote */
    /*
     * kernel, mark; text: nonce (16 hex); descriptors: kernel channel, output pipe (write end).
     * Into a sandbox: value: its namespaces (CLONE_NEW...), status: ZY_FORK_...; further descriptors: its first process
     * (a pidfd), with ZY_FORK_GATE the gate (sandbox/build.h), then cgroup.procs files that the kernel writes itself
     * into. Without namespaces: pid: the sandbox's user id; the text goes on with the path of its directories
     * (sandbox/home.h).
     */
    ZY_FORK = 1,
    ZY_ISOLATE = 2, /* text: struct zy_isolation; [descriptor: the user namespace to enter]. Once, before ZY_FORK. */

    /* zygote to server */
    ZY_HELLO = 101,  /* text: "version\nexecutable\nprefix\nbase_prefix\nsite_packages\nsites"; forks from now on */
    ZY_WARM = 102,   /* text: what was preloaded, and what failed and why; a warm zygote sends it before ZY_HELLO */
    ZY_FORKED = 103, /* kernel, pid; descriptor: pidfd (none where the kernel has no pidfd_open) */
    ZY_EXITED = 104, /* kernel, status (of waitpid), value: peak resident memory in KiB */
    ZY_FAILED = 105, /* kernel (0: the zygote itself), status: errno; text: why */
};

struct zy_msg {
    uint32_t op;
    uint32_t kernel; /* the server's number of the kernel, never 0 */
    int32_t pid;
    int32_t status;
    uint64_t mark; /* ZY_FORK: see mark.h; the kernel sets it before any user code */
    uint64_t value;
    uint32_t text_size; /* bytes of text after this struct */
    uint32_t zero;
};

#define ZY_TEXT_MAX 16000

#define ZY_FORK_FDS_MAX 6
#define ZY_FORK_ALONE 1 /* status: whatever an earlier kernel left in the sandbox is ended first */
#define ZY_FORK_GATE 2  /* the sandbox has only begun: the kernel waits at the gate before it joins */

/* How kernels enter sandboxes and are sealed (sandbox/enter.h). */
struct zy_isolation {
    uint32_t landlock;      /* 0 or 1 */
    uint32_t n_limits;      /* struct zy_limit, each, after this */
    uint32_t writable_size; /* then paths, each ended by NUL: what Landlock lets them write besides the sandbox's own */
    uint32_t readable_size; /* then paths in the same way: without namespaces, all that can be read */
    uint32_t filter_size;   /* then the system call filter */
    uint32_t zero;
};

struct zy_limit {
    int32_t resource; /* RLIMIT_...; RLIMIT_DATA is of what comes on top of what the zygote has */
    uint32_t zero;
    uint64_t value;
};

/*
 * Reading a frame: wire_parse looks at size bytes and, when a whole frame is there, points into it.
 * Returns the bytes of the whole frame (header and all) when complete, 0 when more bytes are needed, -EBADMSG when
 * the bytes break the format (size, count, a field that passes the end, bytes left over): drop that peer.
 */
struct wire_frame {
    struct wire_header header;
    const char *body; /* header.size bytes, inside the caller's buffer */
};

long wire_parse(const char *data, size_t size, struct wire_frame *ret);

/* The next field from *pos (start with 0). Returns 1 and the field, or 0 at the end. Only after wire_parse accepted. */
int wire_next(const struct wire_frame *frame, size_t *pos, uint32_t *ret_tag, const char **ret_data, size_t *ret_size);

/* The first field with this tag: 1, or 0 when there is none. */
int wire_find(const struct wire_frame *frame, uint32_t tag, const char **ret_data, size_t *ret_size);

/* Building: fields are counted and sized by the caller, who writes header, then each field and its bytes. */
struct wire_part {
    uint32_t tag;
    const void *data;
    size_t size;
};

/* Bytes of a frame with these parts, or 0 when it breaks a limit. */
size_t wire_size(const struct wire_part *parts, size_t n);

/* Write the frame to out, which has wire_size bytes. */
void wire_build(char *out, uint16_t type, uint32_t seq, const struct wire_part *parts, size_t n);

#endif
