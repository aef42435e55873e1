"""Tests the running server against its own OpenAPI document.

Starts the server on a free port of this machine, holds a visitor and a dead letter's webhook there, and lets schemathesis
send what the document allows and what it forbids to every call: no answer may be a fault, undocumented, or of another form
than is documented; what the document allows must be taken, what it forbids refused.

    python tests/schema/run.py BINARY [options of `schemathesis run`]
"""

import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile
import threading

import websocket

HERE = pathlib.Path(__file__).parent.resolve()
GROUP = "12345"
API_KEY = "an-api-key-of-these-tests"


def start(binary, folder):
    """The server and its address. Settings of the environment would change what is tested."""
    settings = folder / "vestibule.toml"
    settings.write_text((HERE / "vestibule.toml").read_text())
    environment = {key: text for key, text in os.environ.items() if not key.startswith("VESTIBULE_")}
    log = open(folder / "log", "w")
    server = subprocess.Popen(
        [binary, "--config", settings], stdout=subprocess.PIPE, stderr=log, text=True, env=environment
    )
    for line in server.stdout:
        if found := re.search(r"http://[\d.]+:\d+", line):
            return server, found.group()
    sys.exit((folder / "log").read_text())


def hold_a_visitor(address):
    """Somebody who is there, so that calls find him."""
    hello = {"type": "hello", "visitorid": "ada", "tab": "t1", "page": "p1", "visible": True, "data": {"cart": 2}}
    welcomed = threading.Event()
    socket = websocket.WebSocketApp(
        f"{address.replace('http', 'ws', 1)}/v1/visitor?group={GROUP}",
        on_open=lambda socket: socket.send(json.dumps(hello)),
        on_message=lambda _, __: welcomed.set(),
    )
    threading.Thread(target=lambda: socket.run_forever(suppress_origin=True), daemon=True).start()
    if not welcomed.wait(10):
        sys.exit("the visitor was not welcomed")
    return socket


def main(binary, options):
    with tempfile.TemporaryDirectory(prefix="vestibule-schema-") as folder:
        folder = pathlib.Path(folder)
        server, address = start(pathlib.Path(binary).resolve(), folder)
        try:
            socket = hold_a_visitor(address)
            program = pathlib.Path(sys.executable).with_name("schemathesis")
            tests = [program, "--config-file", HERE / "schemathesis.toml", "run", f"{address}/openapi.json", *options]
            told = {"ADDRESS": address, "API_KEY": API_KEY, "GROUP": GROUP, "PYTHONPATH": str(HERE)}
            verdict = subprocess.run(tests, cwd=folder, env={**os.environ, **told}).returncode
            socket.close()
        finally:
            server.terminate()
            ended = server.wait(30)
        if verdict or ended:
            print((folder / "log").read_text()[-4000:], file=sys.stderr)
        return verdict or ended


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2:]))
