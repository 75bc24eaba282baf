// The official TypeScript clients against `cellblock stdio`: node typescript.mjs PACKAGE MODE COMMAND..., where
// PACKAGE is "client" (2.x) or "sdk" (1.x). Prints a report in JSON.
import { readFileSync } from "node:fs";

const [which, mode, command, ...args] = process.argv.slice(2);
const code = JSON.parse(readFileSync(new URL("scenario.json", import.meta.url)));
const base = which === "client" ? "@modelcontextprotocol/client" : "@modelcontextprotocol/sdk/client/index.js";
const stdio = which === "client" ? "@modelcontextprotocol/client/stdio" : "@modelcontextprotocol/sdk/client/stdio.js";
const { Client } = await import(base);
const { StdioClientTransport } = await import(stdio);

const options = {};
if (which === "client" && mode !== "legacy") {
    options.versionNegotiation = { mode: mode === "auto" ? "auto" : { pin: mode } };
}
const client = new Client({ name: "test", version: "1" }, options);
const errors = [];
client.onerror = (error) => errors.push(String(error));
await client.connect(new StdioClientTransport({ command, args, stderr: "ignore" }));

const report = { errors };
// The 1.x client takes a schema as its second argument, the 2.x client does not.
const call = (params, opts = {}) =>
    which === "client"
        ? client.callTool({ name: "execute_python", arguments: params }, opts)
        : client.callTool({ name: "execute_python", arguments: params }, undefined, opts);

report.era = client.getProtocolEra?.();
report.tools = (await client.listTools()).tools.map((t) => t.name).sort();
let result = await call({ code: "print('é😀')\n6 * 7" });
report.value = result.content[0].text;
report.meta = result._meta["cellblock/execution"];
const session = report.meta.session;
result = await call({ code: code.ERROR, session });
report.error = [result.isError, result.content[0].text];
result = await call({ code: code.IMAGE, session });
report.images = result.content.filter((c) => c.type === "image").map((c) => [c.mimeType, c.data]);
result = await call({ code: code.LINK, session });
const link = result.content.find((c) => c.type === "resource_link");
const read = await client.readResource({ uri: link.uri });
report.link = [link.uri, link.name, read.contents[0].text];
report.progress = [];
result = await call({ code: code.SLOW, session }, { onprogress: (p) => report.progress.push(p.progress) });
report.slow = result.content[0].text;
try {
    await call({ code: code.LOOP, session }, { timeout: 1500 });
    report.cancelled = false;
} catch (error) {
    report.cancelled = error.constructor.name;
}
const abort = new AbortController();
setTimeout(() => abort.abort(), 300);
try {
    await call({ code: "counter += 1\nwhile True: pass", session }, { signal: abort.signal });
    report.aborted = false;
} catch (error) {
    report.aborted = error.constructor.name;
}
report.after = (await call({ code: "counter", session })).content[0].text;
const many = await Promise.all([...Array(8).keys()].map((i) => call({ code: `${i} + 100`, session })));
report.parallel = many.map((r) => r.content[0].text.split(/\s/)[0]);
report.nulls = !(await call({ code: "1", session: null, timeout: null, stdin: null })).isError;
// A lone surrogate: JavaScript sends it as an escape.
report.surrogate = (await call({ code: "ascii('\ud800')", session }, { timeout: 10000 })).content[0].text;
await client.close();
console.log(JSON.stringify(report));
