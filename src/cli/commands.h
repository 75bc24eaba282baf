/* One function a command; each returns the exit status of the program. */
#ifndef CELLBLOCK_CLI_COMMANDS_H
#define CELLBLOCK_CLI_COMMANDS_H

#include <uv.h>

struct err;
struct options;
struct sessions;

#define EXIT_CODE_FAILED 1
#define EXIT_USAGE 2
#define EXIT_NOT_STARTED 3

int command_stdio(const struct options *options);
int command_run(const struct options *options);
int command_doctor(void);
int command_list_sessions(void);
int command_cp(const struct options *options);
int command_store(const struct options *options);

/* For both: sessions as the options want them. */
int command_sessions(const struct options *options, uv_loop_t *loop, int no_warm, struct sessions **ret, struct err *e);

#endif
