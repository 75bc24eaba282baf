/*
 * What a server and `cellblock sessions` and `cellblock cp` say to each other, by a UNIX socket of type SOCK_SEQPACKET
 * that is named control, in the server's private directory. One connection is one question and one answer, each one
 * message.
 *
 *   question: "cellblock/1" NUL verb NUL session NUL path NUL
 *   answer:   "ok" NUL text NUL            with one descriptor where the verb gives one
 *             "error" NUL reason NUL       and no descriptor
 *             "unknown" NUL / "ended" NUL  no such session here / one that has ended
 *
 * Verbs: "list" (text: one line a session, see below; session and path are empty), "open" (a file or directory to
 * read), "create" (a file to write, made or emptied; its directory exists). Descriptors rather than bytes are sent, so
 * that copying is the work of the one who wants the copy. None is ever accepted from the asker.
 */
#ifndef CELLBLOCK_SERVER_CONTROL_WIRE_H
#define CELLBLOCK_SERVER_CONTROL_WIRE_H

#define CONTROL_NAME "control"
#define CONTROL_VERSION "cellblock/1"
#define CONTROL_QUESTION_MAX 4500       /* a path of PATH_MAX, and the rest */
#define CONTROL_ANSWER_MAX (128 * 1024) /* below the default size of a socket's buffer: one always fits */

/*
 * A line of "list", its fields divided by tabs: session, mode, state, idle milliseconds, files that changed lately, the
 * code's working directory. A last line "+N" tells of N more sessions, for which there was no room.
 */
#define CONTROL_LIST_FIELDS 6

#endif
