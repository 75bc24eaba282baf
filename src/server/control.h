/*
 * The server's side of `cellblock sessions` and `cellblock cp` (control_wire.h): for processes of the same user, or
 * root. It does nothing that the user could not do as the owner of the sessions' files. Nothing blocks.
 */
#ifndef CELLBLOCK_SERVER_CONTROL_H
#define CELLBLOCK_SERVER_CONTROL_H

#include <uv.h>

struct control;
struct err;
struct sessions;

/*
 * Listen in the sessions' runtime directory, which must be there (sessions_runtime_dir) and is removed by others. The
 * loop is not kept alive by it. sessions outlive it.
 */
int control_start(uv_loop_t *loop, struct sessions *sessions, struct control **ret, struct err *e);

/* From within the loop, which then frees it. NULL is fine. */
void control_stop(struct control *control);

#endif
