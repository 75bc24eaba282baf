/*
 * The table of syscalls.h as a program for seccomp(2). Compiled once, by the server (libseccomp, some milliseconds);
 * its bytes are handed to who enters sandboxes (enter.h).
 */
#ifndef CELLBLOCK_SANDBOX_FILTER_H
#define CELLBLOCK_SANDBOX_FILTER_H

struct buf;
struct err;

/* Appends an array of struct sock_filter. For sandboxes with namespaces, all of them. */
int filter_compile(struct buf *ret, struct err *e);

/* for_what: bits by enum syscalls_variant. */
int filter_compile_for(unsigned for_what, struct buf *ret, struct err *e);

#endif
