/* The builder's own side: its loop. build.h has the server's. */
#ifndef CELLBLOCK_SANDBOX_BUILDER_H
#define CELLBLOCK_SANDBOX_BUILDER_H

#include <stdbool.h>

/* Serves requests on the socket until it closes. privileged: in the server's own user namespace. The exit status. */
int builder_serve(int sock, bool privileged);

#endif
