/*
 * Which distribution has a module: what an ImportError leaves open. Many are called otherwise (cv2, yaml, PIL), and a
 * distribution that is only guessed may be somebody's trap, so what is not known is told as not known.
 */
#ifndef CELLBLOCK_PACKAGES_PROVIDES_H
#define CELLBLOCK_PACKAGES_PROVIDES_H

struct buf;

/* The distribution that has this module (dots allowed), as install_dependencies takes it; NULL when it is not known. */
const char *provides_distribution(const char *module);

/*
 * The module (or distribution, or one that is spelled nearly so) that was meant by a name which is none of those known:
 * the name to import; NULL when there is nothing near.
 */
const char *provides_near(const char *module);

/*
 * Append a line, with its end, that says what to do about a module that was not found: `module` is what Python calls
 * its name, from code that may make up anything; what could be no module's name adds nothing.
 */
void provides_advise(struct buf *out, const char *module);

#endif
