/*
 * A tool's result, built once and written for the era of the request: text, images and links in the order added.
 * Text is cleaned to valid UTF-8, NUL included as U+2400; nothing here fails: of what would pass LIMIT_MESSAGE_OUT the
 * images are left out first, then the middle of texts, and a line says so.
 */
#ifndef CELLBLOCK_MCP_RESULT_H
#define CELLBLOCK_MCP_RESULT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct mcp_result;

struct mcp_result *mcp_result_new(void);
void mcp_result_free(struct mcp_result *result);

void mcp_result_text(struct mcp_result *result, const char *text, size_t size);
void mcp_result_image(struct mcp_result *result, const char *mime, const void *data, size_t size); /* raw bytes */
/* size < 0: unknown. In eras without resource_link (before 2025-06-18) it becomes a line of text. mime may be NULL. */
void mcp_result_link(struct mcp_result *result, const char *uri, const char *name, const char *mime, int64_t size);

void mcp_result_set_error(struct mcp_result *result);

/* One entry of _meta: json is text of an object. Left out when all entries would be more than 32 KiB. */
void mcp_result_meta(struct mcp_result *result, const char *key, const char *json);

#endif
