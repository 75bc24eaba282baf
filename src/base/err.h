/*
 * Errors with a reason. A struct err is plain memory: no allocation, so it works after fork and when memory is short.
 * Functions that can fail return 0 or a negative errno; where a person or a client needs to know why, their last
 * parameter is a struct err, filled only on failure. Library code never logs an error that it also returns.
 */
#ifndef CELLBLOCK_BASE_ERR_H
#define CELLBLOCK_BASE_ERR_H

#define ERR_TEXT_MAX 512

struct err {
    int code;                /* a positive errno, or 0 while nothing has failed */
    char text[ERR_TEXT_MAX]; /* what happened, why, and what to do next; valid UTF-8, NUL-terminated */
};

#define ERR_INIT {0, ""}

/* Fill e (may be NULL) with code and a printf text; a longer text is cut at a character. Returns -code. */
int err_set(struct err *e, int code, const char *format, ...) __attribute__((format(printf, 3, 4)));

/* The same from errno, whose meaning is appended: "open x: No such file or directory". Returns -errno. */
int err_errno(struct err *e, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif
