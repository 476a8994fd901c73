"""The third-party pii-leak-benchmark as a black box. Arguments: the binary.

Its gateway is the proxy with the built-in packs; as a control it must find everything behind a proxy without rules.
Its other measure, fidelity, asks for placeholders to be turned back into what the caller sent: holdback does not.
"""
import json
import os
import subprocess
import sys
import tempfile

import checks
import proxies

binary = sys.argv[1]
BENCHMARK = os.path.join(os.path.dirname(sys.executable), "pii-leak-benchmark-v2")


def measured(*flags):
    """The leak rates of whole and of split values, of values split anywhere over those, and of partial values."""
    port = proxies.free_port()
    with proxies.proxy(binary, f"http://127.0.0.1:{port}", None, *flags) as base, tempfile.TemporaryDirectory() as out:
        summary = os.path.join(out, "summary.json")
        command = [BENCHMARK, "--validate", "--partial-emission", "--exhaustive-splits", "--only", "passthrough"]
        command += ["--out", out, "--json-out", summary, "--gateway-url", f"{base}/v1/chat/completions"]
        command += ["--upstream-port", str(port)]
        # Its exit code speaks of fidelity too.
        subprocess.run(command, stdout=subprocess.DEVNULL)
        with open(summary) as file:
            row = json.load(file)["rows"][0]
        with open(os.path.join(out, "passthrough.partial-emission.json")) as file:
            partial = json.load(file)
    assert row["schema_valid"] and row["inconclusive"] == 0 and row["cases_attempted"] == 32, row
    return row["leak_single_chunk"], row["leak_adversarial"], row["delta_frag"], partial["metrics"]["partial_emission_rate"]["overall"]


def nothing_leaks():
    rates = measured()
    print("     LeakRate whole and split, DeltaFrag, partial emission:", *rates)
    assert rates == (0, 0, 0, 0), rates


def without_rules_everything_does():
    rates = measured("--passthrough")
    assert rates[:2] == (1, 1), rates


if __name__ == "__main__":
    sys.exit(checks.main("leaks", [nothing_leaks, without_rules_everything_does]))
