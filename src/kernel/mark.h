/*
 * The mark by which every process of a session is found again, whatever it did to its parent, group or session: an
 * inherited resource limit that nothing else uses. The hard limit of RLIMIT_RTTIME (getrlimit(2): microseconds of CPU
 * that a real-time process may take without blocking) is set to MARK_BASE plus the mark: some 146,000 years, so no
 * limit in practice, but fork(2) and execve(2) keep it and prlimit(2) shows it to the same user.
 * mark = server (30 random bits) << 24 | kernel serial (24 bits, counting from 1). The server itself, and so whatever
 * it starts that is no kernel, has the highest serial: a hard limit can only be lowered without privilege.
 */
#ifndef CELLBLOCK_KERNEL_MARK_H
#define CELLBLOCK_KERNEL_MARK_H

#include <stdint.h>

#define MARK_BASE (UINT64_C(1) << 62)
#define MARK_KERNEL_BITS 24
#define MARK_SERIAL_MAX ((UINT64_C(1) << MARK_KERNEL_BITS) - 1)
#define MARK_SERVER(mark) ((mark) >> MARK_KERNEL_BITS)

#endif
