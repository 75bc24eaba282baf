/* Processes by user id, from /proc. */
#ifndef CELLBLOCK_SANDBOX_PEOPLE_H
#define CELLBLOCK_SANDBOX_PEOPLE_H

/*
 * How many processes but the caller have one of these ids, real, effective or saved: zombies, which do nothing any
 * more, left out. Or -errno: /proc does not tell, so nobody can say that there is none.
 */
int people_count(unsigned first, unsigned last);

/* The lowest of these ids that some process has: *ret, and 1; or 0, or -errno. */
int people_find(unsigned first, unsigned last, unsigned *ret);

#endif
