"""Starts the servers and runs every check. Arguments: the binary, the folder with the clients."""
import json
import os
import subprocess
import sys

import proxies

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "stops"))
import streams  # noqa: E402

TOOLS = os.path.join(HERE, "..", "..", "..", "shared", "tools")
binary, work = sys.argv[1:3]
failed = []


def run(name, command):
    print(f"== {name}", flush=True)
    if subprocess.run(command).returncode != 0:
        failed.append(name)


with open(os.path.join(HERE, "policy.toml")) as file:
    policy = file.read()
port = proxies.free_port()
with proxies.server([sys.executable, os.path.join(HERE, "upstream.py"), str(port)], port) as upstream:
    with proxies.proxy(binary, upstream, policy) as base:
        run("openai for Python", [sys.executable, os.path.join(HERE, "openai_python.py"), base])
        run("openai for Node", ["node", os.path.join(work, "openai_node.mjs"), base])

port = proxies.free_port()
with proxies.server([sys.executable, os.path.join(HERE, "stops", "upstream.py"), str(port)], port) as upstream:
    with proxies.proxy(binary, upstream, policy) as base:
        counts = json.dumps({api: streams.count(api) for api in streams.APIS})
        run("stops, Python", [sys.executable, os.path.join(HERE, "stops", "python_sdks.py"), base])
        run("stops, Node", ["node", os.path.join(work, "node_sdks.mjs"), base, counts])

run("pii-leak-benchmark", [sys.executable, os.path.join(HERE, "leaks.py"), binary])

if os.path.isdir(TOOLS):
    port = proxies.free_port()
    with proxies.server([sys.executable, os.path.join(TOOLS, "replay_server.py"), str(port)], port) as upstream:
        run("recorded streams", [sys.executable, os.path.join(HERE, "recorded.py"), upstream, binary])
    model = os.path.join(work, "tiny.gguf")
    subprocess.run([sys.executable, os.path.join(TOOLS, "tiny_gguf.py"), model], check=True)
    port = proxies.free_port()
    command = [sys.executable, os.path.join(HERE, "llama_server.py"), model, str(port), "600"]
    with proxies.server(command, port, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as upstream:
        run("llama.cpp", [sys.executable, os.path.join(HERE, "llama.py"), upstream, binary])
else:
    print("== skipped: no folder `shared` beside the checkout, so no recorded streams and no llama.cpp server")

if failed:
    sys.exit(f"failed: {', '.join(failed)}")
