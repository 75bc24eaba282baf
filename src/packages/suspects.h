/* Which packages a resolver may have missed for want of a wheel, by what it says when it finds no answer. */
#ifndef CELLBLOCK_PACKAGES_SUSPECTS_H
#define CELLBLOCK_PACKAGES_SUSPECTS_H

struct explain;
struct words;

#define SUSPECTS_MAX 12

/*
 * Adds names (normalised, PEP 503), each once, at most SUSPECTS_MAX: first the one that the error is about, then those
 * that the text calls missing. Not all of them are: uv names also packages of which only old versions have no wheel;
 * pip backtracks, and then calls a conflict what was a dependency that it found no file of.
 */
void suspects_of(const struct explain *x, struct words *ret);

#endif
