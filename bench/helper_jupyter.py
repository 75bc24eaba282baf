"""Kernels of ipykernel through jupyter_client: the round trip of execute until idle, and what a kernel takes."""

import json
import sys
import time

from jupyter_client.manager import start_new_kernel


def run(client, code):
    """Execute and read until the kernel says that it is idle again; the text that was printed."""
    id = client.execute(code)
    printed = ""
    while True:
        message = client.get_iopub_msg(timeout=60)
        if message["parent_header"].get("msg_id") != id:
            continue
        if message["msg_type"] == "stream":
            printed += message["content"]["text"]
        if message["msg_type"] == "status" and message["content"]["execution_state"] == "idle":
            client.get_shell_msg(timeout=60)
            return printed


def main():
    kernels = [start_new_kernel(kernel_name="python3")]
    for line in sys.stdin:
        what = json.loads(line)
        if what["do"] == "calls":
            times = []
            for _ in range(what["n"]):
                begin = time.perf_counter_ns()
                printed = run(kernels[0][1], "print(1+1)")
                times.append(time.perf_counter_ns() - begin)
                assert printed == "2\n", printed
            print(json.dumps(times), flush=True)
        elif what["do"] == "more":
            kernels.append(start_new_kernel(kernel_name="python3"))
            run(kernels[-1][1], what["code"])
            print(json.dumps(kernels[-1][0].provisioner.pid), flush=True)
        else:
            run(kernels[0][1], "1")
            print(json.dumps("ready"), flush=True)
    for manager, client in kernels:
        client.stop_channels()
        manager.shutdown_kernel(now=True)


main()
