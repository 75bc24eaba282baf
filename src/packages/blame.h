/* Which of the requirements of one call a failure is about. Knows texts only. */
#ifndef CELLBLOCK_PACKAGES_BLAME_H
#define CELLBLOCK_PACKAGES_BLAME_H

#include <stdbool.h>
#include <stddef.h>

struct explain;
struct request;

/* This one has failed, with that reason. */
void blame_request(struct request *q, const struct explain *why);

/* Those of the attempted ones that the failure is about have failed. False: it does not say which. */
bool blame_requests(struct request *requests, const bool *attempted, size_t n, const struct explain *why);

/* Does the error speak of this package (a normalised name)? */
bool blame_mentions(const struct explain *x, const char *key);

#endif
