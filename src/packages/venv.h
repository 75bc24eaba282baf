/*
 * The directory of a virtual environment: is it there, whole, and does it fit the session's Python? Looks only;
 * run.c makes it.
 */
#ifndef CELLBLOCK_PACKAGES_VENV_H
#define CELLBLOCK_PACKAGES_VENV_H

struct err;
struct python_info;

enum venv_state {
    VENV_MISSING,
    VENV_HALF,  /* whoever made it did not come to the end: making it again completes it */
    VENV_THERE, /* it seems whole; its Python has to be asked */
};

/* Returns an enum venv_state, or -errno with what to do when there is something else. */
int venv_look(const char *dir, struct err *e);

/* Has its Python said what a session of base can use? 0 or -EINVAL with what to do. */
int venv_fits(const char *dir, const struct python_info *venv, const struct python_info *base, struct err *e);

/*
 * Lock a directory against another installation (flock(2) on the directory itself: no file is left behind). The
 * descriptor, which holds the lock until it is closed; -EAGAIN while another one has it; -EOPNOTSUPP where the file
 * system has no locks.
 */
int venv_lock(const char *dir);

/* 0, or -EACCES and the like with what to do: can files be made in it? */
int venv_writable(const char *dir, struct err *e);

#endif
