"""Both eras of the protocol on one process, and what each answer looks like."""

import json

import pytest

from rawclient import K, LEGACY, MODERN, MODERN_META, Result

TOOLS = ["execute_python", "install_dependencies", "list_installed_packages"]


@pytest.mark.parametrize("version", LEGACY)
def test_initialize_echoes_each_legacy_version(bare, version):
    result = bare.initialize(version)
    assert result["protocolVersion"] == version
    assert result["serverInfo"]["name"] == "cellblock"
    assert result["serverInfo"]["version"]
    assert "tools" in result["capabilities"]
    for key in ("resultType", "ttlMs", "cacheScope"):
        assert key not in result


@pytest.mark.parametrize("asked", ["2026-07-28", "1999-01-01", "2099-01-01", ""])
def test_initialize_with_any_other_version_gets_the_newest_legacy_one(bare, asked):
    assert bare.initialize(asked)["protocolVersion"] == "2025-11-25"


def test_initialize_ignores_what_it_does_not_know(bare):
    answer = bare.ask(
        "initialize",
        {
            "protocolVersion": "2025-11-25",
            "capabilities": {"x": {"y": [1]}},
            "clientInfo": {"name": "x", "version": "1", "z": 1},
            "more": None,
        },
    )
    assert answer["result"]["protocolVersion"] == "2025-11-25"


def test_discover(bare):
    result = bare.wait(bare.modern("server/discover"))["result"]
    assert result["resultType"] == "complete"
    assert result["supportedVersions"] == [MODERN]
    assert "tools" in result["capabilities"]
    assert isinstance(result["ttlMs"], int) and result["ttlMs"] >= 0
    assert result["cacheScope"] in ("public", "private")
    assert result["_meta"][K + "serverInfo"]["name"] == "cellblock"
    assert "serverInfo" not in result


def test_discover_then_initialize_on_one_process(bare):
    """Copilot CLI sends initialize after its discover was answered."""
    assert "result" in bare.wait(bare.modern("server/discover", id="server-discover-probe-1"))
    assert bare.initialize("2025-06-18")["protocolVersion"] == "2025-06-18"
    assert "2" in bare.run("1+1").body


def test_eras_mixed_on_one_process(bare):
    bare.initialize()
    modern = bare.wait(bare.modern("tools/list"))["result"]
    legacy = bare.ask("tools/list")["result"]
    assert modern["resultType"] == "complete" and "resultType" not in legacy
    assert modern["tools"] == legacy["tools"]
    call = bare.modern("tools/call", {"name": "execute_python", "arguments": {"code": "6*7"}})
    result = bare.wait(call)["result"]
    assert result["resultType"] == "complete" and "42" in Result({"result": result}).body
    assert result["_meta"][K + "serverInfo"]["name"] == "cellblock"
    assert "42" in bare.run("6*7").body


def test_modern_without_any_handshake(bare):
    """Python SDK 2.3 pinned to a version opens with tools/call."""
    call = bare.modern("tools/call", {"name": "execute_python", "arguments": {"code": "x = 5; x"}}, id=0)
    first = Result(bare.wait(call))
    assert "5" in first.body
    # Each modern call without a session is a session of its own; the handle continues it.
    again = Result(
        bare.wait(
            bare.modern("tools/call", {"name": "execute_python", "arguments": {"code": "x", "session": first.session}})
        )
    )
    other = Result(bare.wait(bare.modern("tools/call", {"name": "execute_python", "arguments": {"code": "x"}})))
    assert "5" in again.body and not again.is_error
    assert other.is_error and "NameError" in other.body and other.session != first.session


def test_discover_without_meta_is_invalid(bare):
    assert bare.ask("server/discover", {})["error"]["code"] == -32602
    assert bare.ask("server/discover")["error"]["code"] == -32602


@pytest.mark.parametrize("version", ["2025-11-25", "2024-11-05", "2030-01-01", "x"])
def test_unsupported_version_in_meta(bare, version):
    error = bare.wait(bare.modern("tools/list", meta={K + "protocolVersion": version}))["error"]
    assert error["code"] == -32022
    assert error["data"]["supported"] == [MODERN] and error["data"]["requested"] == version


def test_meta_without_capabilities_is_invalid(bare):
    for meta in (
        {K + "protocolVersion": MODERN},
        {**MODERN_META, K + "clientCapabilities": "x"},
        {**MODERN_META, K + "clientInfo": "x"},
        {**MODERN_META, K + "logLevel": "loudly"},
    ):
        assert bare.ask("tools/list", {"_meta": meta})["error"]["code"] == -32602, meta


def test_client_info_is_optional(bare):
    meta = {K + "protocolVersion": MODERN, K + "clientCapabilities": {}}
    assert "result" in bare.ask("tools/list", {"_meta": meta})


def test_log_level_is_accepted(bare):
    """Inspector sends it with every request."""
    assert "result" in bare.wait(bare.modern("tools/list", meta={K + "logLevel": "debug"}))


@pytest.mark.parametrize("method", ["initialize", "ping", "logging/setLevel", "resources/subscribe", "no/such"])
def test_removed_methods_are_not_found_in_the_modern_era(bare, method):
    assert bare.wait(bare.modern(method))["error"]["code"] == -32601


def test_ping(server):
    assert server.ask("ping")["result"] == {}


def test_ping_before_initialize(bare):
    assert bare.ask("ping")["result"] == {}


def test_unknown_method(server):
    assert server.ask("no/such")["error"]["code"] == -32601


@pytest.mark.parametrize("id", [0, 1, -5, 2**53 - 1, "", "abc", "é😀", 'a"b\\c', "x" * 500], ids=lambda i: repr(i)[:12])
def test_ids_come_back_as_they_were(server, id):
    assert server.ask("ping", id=id)["id"] == id


@pytest.mark.parametrize("id", [1.5, True, [1], {"a": 1}])
def test_ids_of_other_types_are_refused(server, id):
    server.send({"jsonrpc": "2.0", "id": id, "method": "ping"})
    assert server.wait_without_id()["error"]["code"] == -32600


def test_null_id_is_refused(server):
    server.send_bytes(b'{"jsonrpc":"2.0","id":null,"method":"ping"}\n')
    assert server.wait_without_id()["error"]["code"] == -32600


def test_tools_list(server):
    result = server.ask("tools/list")["result"]
    tools = {t["name"]: t for t in result["tools"]}
    assert sorted(tools) == TOOLS
    assert "nextCursor" not in result
    for tool in tools.values():
        assert tool["description"] and tool["inputSchema"]["type"] == "object"
        assert "outputSchema" not in tool
    execute = tools["execute_python"]["inputSchema"]
    assert sorted(execute["properties"]) == ["code", "session", "stdin", "timeout"]
    assert execute["required"] == ["code"]
    install = tools["install_dependencies"]["inputSchema"]
    assert sorted(install["properties"]) == ["packages", "session", "timeout"]
    assert install["required"] == ["packages"]
    assert sorted(tools["list_installed_packages"]["inputSchema"]["properties"]) == ["session"]
    assert tools["execute_python"]["annotations"]["destructiveHint"] is True
    assert tools["install_dependencies"]["annotations"]["idempotentHint"] is True
    assert tools["list_installed_packages"]["annotations"]["readOnlyHint"] is True


def test_tools_list_is_short(server):
    """Descriptions are paid for in every conversation."""
    size = len(json.dumps(server.ask("tools/list")["result"]["tools"]))
    assert size < 6000, f"{size} characters"


def test_tools_list_is_deterministic(server, spawn):
    other = spawn()
    other.initialize()
    assert server.ask("tools/list")["result"] == other.ask("tools/list")["result"]


def test_tools_list_fits_the_revision(bare):
    """Annotations came with 2025-03-26, title with 2025-06-18."""
    bare.initialize("2024-11-05")
    for tool in bare.ask("tools/list")["result"]["tools"]:
        assert set(tool) <= {"name", "description", "inputSchema"}


def test_links_are_text_before_2025_06_18(bare, work):
    bare.initialize("2025-03-26")
    result = bare.run("open('report.csv', 'w').write('a,b')")
    assert not result.links and "report.csv" in result.text
    assert (work / "report.csv").read_text() == "a,b"


def test_modern_list_carries_cache_hints(bare):
    result = bare.wait(bare.modern("tools/list"))["result"]
    assert isinstance(result["ttlMs"], int) and result["cacheScope"] == "public"


def test_bad_cursor(server):
    for cursor in ("bogus", 5):
        assert server.ask("tools/list", {"cursor": cursor})["error"]["code"] == -32602


def test_unknown_tool(server):
    for params in ({"name": "no_such"}, {"name": 5}, {}, None):
        error = server.ask("tools/call", params)["error"]
        assert error["code"] == -32602, params
    assert "no_such" in server.ask("tools/call", {"name": "no_such"})["error"]["message"]


@pytest.mark.parametrize("arguments", [[], "code", 5, True])
def test_arguments_that_are_no_object(server, arguments):
    assert server.ask("tools/call", {"name": "execute_python", "arguments": arguments})["error"]["code"] == -32602


def test_responses_from_the_client_are_ignored(server):
    server.send({"jsonrpc": "2.0", "id": 99, "result": {}})
    server.send({"jsonrpc": "2.0", "id": 98, "error": {"code": 1, "message": "x"}})
    assert server.ask("ping")["result"] == {}
    assert len(server.lines) == 2


def test_unknown_notifications_are_ignored(server):
    server.notify("notifications/roots/list_changed")
    server.notify("no/such", {"a": 1})
    server.notify("tools/call", {"name": "execute_python", "arguments": {"code": "open('ran', 'w')"}})
    assert server.ask("ping")["result"] == {}
    assert len(server.lines) == 2
    assert not (server.cwd / "ran").exists()


def test_answers_come_before_any_python_starts(spawn):
    """initialize, discover and tools/list do not depend on an interpreter, not even on a working one."""
    s = spawn(python="/nonexistent/python")
    assert "result" in s.wait(s.modern("server/discover"))
    s.initialize()
    assert len(s.ask("tools/list")["result"]["tools"]) == 3


def test_starting_has_no_side_effect(spawn, work):
    """TS 2.4 starts the server twice and throws the first one away."""
    s = spawn()
    s.wait(s.modern("server/discover", id="server-discover-probe-1"))
    s.close()
    assert list(work.iterdir()) == []


def test_no_notification_unasked(server):
    """ai-sdk calls every notification an error."""
    server.run("import time; print('x', flush=True); time.sleep(1.2)")
    server.run("open('new.txt', 'w').write('x')")
    assert server.notifications == []


def test_sdk_meta_on_calls_is_ignored(server):
    """openai-agents copies the tool's _meta into each call; fastmcp always sends a progress token."""
    result = server.call("execute_python", {"code": "1+1"}, meta={"progressToken": 3, "x/y": {"z": []}})
    assert "2" in result.body
