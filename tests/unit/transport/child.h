/*
 * The toy server (stdio_tool.c) as a child process, for the tests of the stdio transport. What goes wrong fails the
 * test that called; a wait has a bound, and nothing is measured.
 */
#ifndef CELLBLOCK_TESTS_TRANSPORT_CHILD_H
#define CELLBLOCK_TESTS_TRANSPORT_CHILD_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include <cmocka.h>

#define PING "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"}\n"
#define PONG "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{}}\n"
#define CALL(id, tool)                                                                                                 \
    "{\"jsonrpc\":\"2.0\",\"id\":" #id ",\"method\":\"tools/call\",\"params\":{\"name\":\"" tool "\"}}\n"
#define ANSWER(id, text)                                                                                               \
    "{\"jsonrpc\":\"2.0\",\"id\":" #id ",\"result\":{\"content\":[{\"type\":\"text\",\"text\":\"" text "\"}]}}\n"

struct child {
    pid_t pid;
    int to, from, err; /* our ends; to and from are -1 when the test has its own */
};

/* Run this program in the tests that follow. */
void child_program(const char *path);

/* in and out become its 0 and 1; they stay open here too. */
struct child child_start(int in, int out);
struct child child_start_on_pipes(void);

/* Its exit code, or 1000 and the signal; it has to end by itself. Closes our ends. */
int child_end(struct child *c);

void send_text(int fd, const char *text);

/* Up to and with the next line end, or what comes before the end; NULL at the end. Valid until the next call. */
const char *read_line(int fd);

void expect(int fd, const char *line);
void expect_end(int fd);

#endif
