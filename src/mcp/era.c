/*
 * Which era a request belongs to: the modern one when its _meta names a protocol version (2026-07-28, "Versioning"),
 * else the one that initialize opened.
 */
#include "base/utf8.h"
#include "mcp/impl.h"
#include "mcp/json_write.h"

#define UNSUPPORTED_VERSION (-32022)
#define REQUESTED_MAX 100 /* bytes of the version that was asked for which are sent back */

static bool well_formed_client_info(yyjson_val *info)
{
    return yyjson_is_obj(info) && yyjson_is_str(yyjson_obj_get(info, "name")) &&
           yyjson_is_str(yyjson_obj_get(info, "version"));
}

bool era_knows_log_level(yyjson_val *level)
{
    static const char *const levels[] = {"debug", "info",     "notice", "warning",
                                         "error", "critical", "alert",  "emergency"};

    for (size_t i = 0; i < sizeof levels / sizeof *levels; i++)
        if (yyjson_equals_str(level, levels[i]))
            return true;
    return false;
}

static void refuse_version(struct mcp_request *req, yyjson_val *requested)
{
    autobuf struct buf data = BUF_INIT;
    const char *text = yyjson_get_str(requested);
    size_t size = yyjson_get_len(requested);

    (void)buf_printf(&data, "{\"supported\":[\"%s\"],\"requested\":", version_name(MODERN));
    json_write_string(&data, text, utf8_cut(text, size < REQUESTED_MAX ? size : REQUESTED_MAX));
    (void)buf_puts(&data, "}");
    request_fail(req, UNSUPPORTED_VERSION, "unsupported protocol version", buf_str(&data));
}

bool era_of(struct mcp_request *req)
{
    yyjson_val *meta = yyjson_obj_get(req->params, "_meta");
    yyjson_val *version = yyjson_obj_get(meta, META_PREFIX "protocolVersion");
    yyjson_val *info = yyjson_obj_get(meta, META_PREFIX "clientInfo");
    yyjson_val *level = yyjson_obj_get(meta, META_PREFIX "logLevel");
    enum version found;

    req->version = req->conn->initialized ? req->conn->version : NEWEST_LEGACY;
    if (!version)
        return true;
    req->version = MODERN; /* for the form of the errors below */
    if (!yyjson_is_str(version))
        request_fail(req, MCP_INVALID_PARAMS, "_meta protocolVersion has to be a string", NULL);
    else if (!yyjson_is_obj(yyjson_obj_get(meta, META_PREFIX "clientCapabilities")))
        request_fail(req, MCP_INVALID_PARAMS, "_meta clientCapabilities has to be an object", NULL);
    else if (info && !well_formed_client_info(info))
        request_fail(req, MCP_INVALID_PARAMS, "_meta clientInfo needs a name and a version", NULL);
    else if (level && !era_knows_log_level(level))
        request_fail(req, MCP_INVALID_PARAMS, "_meta logLevel is not a level", NULL);
    else if (!version_find(json_text(version), &found) || found != MODERN)
        refuse_version(req, version);
    else
        return true;
    return false;
}
