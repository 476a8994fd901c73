"""Starts and ends `holdback proxy` and other servers on loopback."""
import contextlib
import os
import socket
import subprocess
import tempfile
import time


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


@contextlib.contextmanager
def server(command, port, **options):
    """Runs a command until the block is left; it must listen on the port within 30 seconds."""
    process = subprocess.Popen(command, **options)
    try:
        deadline = time.monotonic() + 30
        while True:
            try:
                socket.create_connection(("127.0.0.1", port), timeout=1).close()
                break
            except OSError:
                if process.poll() is not None or time.monotonic() > deadline:
                    raise RuntimeError(f"{command[0]} does not listen on {port}")
                time.sleep(0.05)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(timeout=30)


@contextlib.contextmanager
def proxy(binary, upstream, policy=None, *flags):
    """A proxy before `upstream`; `policy` is the text of a policy file."""
    port = free_port()
    command = [binary, "proxy", "--upstream", upstream, "--listen", f"127.0.0.1:{port}"]
    command += ["--admin", f"127.0.0.1:{free_port()}", *flags]
    with tempfile.TemporaryDirectory() as folder:
        if policy is not None:
            path = os.path.join(folder, "policy.toml")
            with open(path, "w") as file:
                file.write(policy if "format" in policy else "format = 1\n" + policy)
            command += ["--policy", path]
        with server(command, port, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as base:
            yield base
