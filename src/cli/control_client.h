/*
 * Asking the servers that run (server/control_wire.h): which there are, and one question at a time. Only servers of
 * this user in this mount namespace are believed: code in a sandbox that has a directory of the host could put a socket
 * there too.
 */
#ifndef CELLBLOCK_CLI_CONTROL_CLIENT_H
#define CELLBLOCK_CLI_CONTROL_CLIENT_H

#include <stddef.h>
#include <sys/types.h>

struct err;

struct control_servers {
    int *directories; /* descriptors of their runtime directories */
    size_t n;
};

#define CONTROL_SERVERS_INIT                                                                                           \
    {                                                                                                                  \
        NULL, 0                                                                                                        \
    }

/* What is there now: found below TMPDIR and /tmp, and by the kernel's list of sockets (/proc/net/unix). */
void control_servers_find(struct control_servers *ret);
void control_servers_fini(struct control_servers *servers);

enum control_word { CONTROL_OK, CONTROL_ERROR, CONTROL_UNKNOWN, CONTROL_ENDED };

struct control_answer {
    enum control_word word;
    char *text; /* of OK or ERROR; owned */
    int fd;     /* or -1; owned */
    pid_t pid;  /* of the server */
};

#define CONTROL_ANSWER_INIT                                                                                            \
    {                                                                                                                  \
        CONTROL_UNKNOWN, NULL, -1, 0                                                                                   \
    }

void control_answer_fini(struct control_answer *answer);

/* Waits 5 seconds. -EPROTO and others with a text when there was no answer; -ECONNREFUSED: that server is gone. */
int control_ask(int directory, const char *verb, const char *session, const char *path, struct control_answer *ret,
                struct err *e);

/*
 * Ask the server that has the session; ERROR is an error here, and so is a session that nobody has. -EACCES and others
 * with a text for a person.
 */
int control_ask_session(const struct control_servers *servers, const char *verb, const char *session, const char *path,
                        struct control_answer *ret, struct err *e);

#endif
