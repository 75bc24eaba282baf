/* What the interpreter says when it crashes (faulthandler), for the person whose code it was. */
#ifndef CELLBLOCK_SESSION_CRASH_TEXT_H
#define CELLBLOCK_SESSION_CRASH_TEXT_H

#include <stddef.h>

/* Drop the frames of the kernel's own Python, and the list of extension modules, in place. Returns the new size. */
size_t crash_text_trim(char *text, size_t size);

#endif
