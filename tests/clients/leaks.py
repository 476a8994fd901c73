"""The third-party pii-leak-benchmark, black box, before a proxy with the built-in packs. Arguments: the binary."""
import json
import os
import subprocess
import sys
import tempfile

import proxies

with tempfile.TemporaryDirectory() as folder:
    port = proxies.free_port()
    with proxies.proxy(sys.argv[1], f"http://127.0.0.1:{port}") as base:
        command = [os.path.join(os.path.dirname(sys.executable), "pii-leak-benchmark-v2"), "--validate"]
        command += ["--partial-emission", "--exhaustive-splits", "--out", folder]
        command += ["--json-out", os.path.join(folder, "summary.json")]
        command += ["--gateway-url", f"{base}/v1/chat/completions", "--upstream-port", str(port)]
        subprocess.run(command, check=True)
    for name in sorted(os.listdir(folder)):
        print(name)
        print(json.dumps(json.load(open(os.path.join(folder, name))), indent=1)[:4000])
