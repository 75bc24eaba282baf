"""The official Python SDK 2.x against `cellblock stdio`: python_v2.py MODE COMMAND..., a report in JSON on stdout."""

import asyncio
import json
import sys

from mcp.client import Client
from mcp.client.stdio import StdioServerParameters, stdio_client
from scenario import ERROR, IMAGE, LINK, LOOP, SLOW


async def main(mode, command):
    report = {}
    progress = []

    async def on_progress(value, total, message):
        progress.append(value)

    transport = stdio_client(StdioServerParameters(command=command[0], args=command[1:]))
    async with Client(transport, mode=mode) as client:
        report["protocol"] = client.protocol_version
        report["tools"] = sorted(t.name for t in (await client.list_tools()).tools)
        result = await client.call_tool("execute_python", {"code": "print('é😀')\n6 * 7"})
        report["value"] = result.content[0].text
        report["meta"] = (result.meta or {}).get("cellblock/execution")
        session = report["meta"]["session"]
        result = await client.call_tool("execute_python", {"code": ERROR, "session": session})
        report["error"] = [result.is_error, result.content[0].text]
        result = await client.call_tool("execute_python", {"code": IMAGE, "session": session})
        report["images"] = [[c.mime_type, c.data] for c in result.content if c.type == "image"]
        result = await client.call_tool("execute_python", {"code": LINK, "session": session})
        link = next(c for c in result.content if c.type == "resource_link")
        read = await client.read_resource(link.uri)
        report["link"] = [str(link.uri), link.name, read.contents[0].text]
        result = await client.call_tool(
            "execute_python", {"code": SLOW, "session": session}, progress_callback=on_progress
        )
        report["slow"] = result.content[0].text
        report["progress"] = progress
        try:
            await client.call_tool("execute_python", {"code": LOOP, "session": session}, read_timeout_seconds=1.5)
            report["cancelled"] = False
        except Exception as e:
            report["cancelled"] = type(e).__name__
        result = await client.call_tool(
            "execute_python", {"code": "counter", "session": session}, read_timeout_seconds=30
        )
        report["after"] = result.content[0].text
        results = await asyncio.gather(
            *(client.call_tool("execute_python", {"code": f"{i} + 100", "session": session}) for i in range(8))
        )
        report["parallel"] = [r.content[0].text.split()[0] for r in results]
        result = await client.call_tool(
            "execute_python", {"code": "1", "session": None, "timeout": None, "stdin": None}
        )
        report["nulls"] = not result.is_error
    print(json.dumps(report))


asyncio.run(main(sys.argv[1], sys.argv[2:]))
