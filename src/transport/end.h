/*
 * One end of the connection to a client: a descriptor that some host gives, which may be anything. A stream that
 * libuv polls, or a file (and what is like one: /dev/null), for which no polling exists but which never blocks for
 * long. Status flags of the file are put back when it is closed: others may have it open too, and what reads a
 * terminal or a pipe after us does not expect it to be non-blocking.
 */
#ifndef CELLBLOCK_TRANSPORT_END_H
#define CELLBLOCK_TRANSPORT_END_H

#include <stdbool.h>
#include <uv.h>

struct end {
    int fd; /* ours; -1 once a stream owns it, and before end_take */
    bool is_file;
    bool is_open; /* the stream is initialised and has to be closed */
    int flags;    /* as they were, or -1 */
    union {
        uv_stream_t stream;
        uv_pipe_t pipe;
        uv_tcp_t tcp;
        uv_tty_t tty;
    } as;
};

void end_init(struct end *end);

/* Take a copy of fd, and note its flags. Of two ends on one file, take both before one is opened. 0 or -errno. */
int end_take(struct end *end, int fd);

/* 0 or -errno. The end does not move afterwards; as.stream.data is data. */
int end_open(struct end *end, uv_loop_t *loop, bool readable, void *data);

/* Put the flags back and close. true: a stream, so that closed is called with its handle; false: it is closed now. */
bool end_close(struct end *end, uv_close_cb closed);

#endif
