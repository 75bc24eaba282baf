"""The official Python SDK 1.x against `cellblock stdio`: python_v1.py legacy COMMAND..., a report in JSON on stdout."""

import asyncio
import datetime
import json
import sys

from mcp import ClientSession, StdioServerParameters
from mcp.client.stdio import stdio_client
from scenario import ERROR, IMAGE, LINK, LOOP, SLOW


async def main(command):
    report = {}
    progress = []

    async def on_progress(value, total, message):
        progress.append(value)

    async with stdio_client(StdioServerParameters(command=command[0], args=command[1:])) as (read, write):
        async with ClientSession(read, write) as client:
            hello = await client.initialize()
            report["protocol"] = hello.protocolVersion
            report["tools"] = sorted(t.name for t in (await client.list_tools()).tools)
            result = await client.call_tool("execute_python", {"code": "print('é😀')\n6 * 7"})
            report["value"] = result.content[0].text
            report["meta"] = (result.meta or {}).get("cellblock/execution")
            result = await client.call_tool("execute_python", {"code": ERROR})
            report["error"] = [result.isError, result.content[0].text]
            result = await client.call_tool("execute_python", {"code": IMAGE})
            report["images"] = [[c.mimeType, c.data] for c in result.content if c.type == "image"]
            result = await client.call_tool("execute_python", {"code": LINK})
            link = next(c for c in result.content if c.type == "resource_link")
            contents = (await client.read_resource(link.uri)).contents
            report["link"] = [str(link.uri), link.name, contents[0].text]
            result = await client.call_tool("execute_python", {"code": SLOW}, progress_callback=on_progress)
            report["slow"] = result.content[0].text
            report["progress"] = progress
            try:
                # This client sends nothing when it gives up: the run's own timeout ends it.
                await client.call_tool(
                    "execute_python", {"code": LOOP, "timeout": 3}, read_timeout_seconds=datetime.timedelta(seconds=1.5)
                )
                report["cancelled"] = False
            except Exception as e:
                report["cancelled"] = type(e).__name__
            result = await client.call_tool("execute_python", {"code": "counter"})
            report["after"] = result.content[0].text
            results = await asyncio.gather(
                *(client.call_tool("execute_python", {"code": f"{i} + 100"}) for i in range(8))
            )
            report["parallel"] = [r.content[0].text.split()[0] for r in results]
            result = await client.call_tool(
                "execute_python", {"code": "1", "session": None, "timeout": None, "stdin": None}
            )
            report["nulls"] = not result.isError
    print(json.dumps(report))


asyncio.run(main(sys.argv[2:]))
