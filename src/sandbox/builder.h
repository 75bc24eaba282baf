/* The builder's own side: its loop. build.h has the server's. */
#ifndef CELLBLOCK_SANDBOX_BUILDER_H
#define CELLBLOCK_SANDBOX_BUILDER_H

enum builder_kind {
    BUILDER_OUTER, /* in a user namespace of its own */
    BUILDER_OWN,   /* privileged in the server's */
    BUILDER_PLAIN, /* without any (guard.h) */
    BUILDER_KIND_MAX
};

/* Serves requests on the socket until it closes. The exit status. */
int builder_serve(int sock, enum builder_kind kind);

#endif
