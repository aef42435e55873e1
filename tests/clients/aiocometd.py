"""Talks to the running server with PyPI's aiocometd-ng as it is, over both transports, by name and by address.

By address its cookie jar keeps no cookies: the client's id alone must do. Reconnecting is left out: since Python 3.10 the
package fails there on its own account.

    python tests/clients/aiocometd.py BINARY
"""

import asyncio
import json
import logging
import os
import pathlib
import re
import subprocess
import sys
import tempfile
import unittest
import urllib.request

from aiocometd_ng import Client, ConnectionType, Extension
from aiocometd_ng.exceptions import ServerError

HERE = pathlib.Path(__file__).parent.resolve()
GROUP = "12345"
API_KEY = "an-api-key-of-these-tests"
SOON = 15


class Server:
    """The server, on a free port. Settings of the environment would change what is tested."""

    def __init__(self, binary):
        self.folder = tempfile.TemporaryDirectory(prefix="vestibule-clients-")
        folder = pathlib.Path(self.folder.name)
        settings = folder / "vestibule.toml"
        settings.write_text((HERE / "vestibule.toml").read_text())
        environment = {key: text for key, text in os.environ.items() if not key.startswith("VESTIBULE_")}
        self.log = open(folder / "log", "w+")
        self.process = subprocess.Popen(
            [binary, "--config", settings], stdout=subprocess.PIPE, stderr=self.log, text=True, env=environment
        )
        for line in self.process.stdout:
            if found := re.search(r"http://[\d.]+:(\d+)", line):
                self.port = int(found[1])
                return
        self.log.seek(0)
        sys.exit(self.log.read())

    def stop(self):
        self.process.terminate()
        ended = self.process.wait(30)
        self.process.stdout.close()
        self.log.close()
        self.folder.cleanup()
        return ended

    def call(self, path, body, authorization=None):
        headers = {"Content-Type": "application/json"}
        if authorization:
            headers["Authorization"] = f"Bearer {authorization}"
        url = f"http://127.0.0.1:{self.port}{path}"
        request = urllib.request.Request(url, json.dumps(body).encode(), headers)
        with urllib.request.urlopen(request, timeout=SOON) as answer:
            return json.load(answer)

    def token(self):
        everything = {"publish": ["#"], "subscribe": ["#"]}
        wish = {"group": GROUP, "subject": "ada", "scope": "session topics", "topics": everything}
        return self.call("/v1/tokens", wish, API_KEY)["token"]


class Token(Extension):
    """Shows a token of ours in the handshake."""

    def __init__(self, token):
        self.token = token

    async def outgoing(self, payload, headers):
        for message in payload:
            if message["channel"] == "/meta/handshake":
                message.setdefault("ext", {})["token"] = self.token

    async def incoming(self, payload, headers=None):
        pass


class Clients(unittest.IsolatedAsyncioTestCase):
    """Each test runs with every transport and every way to write the server's address."""

    server = None

    def each(self):
        for transport in (ConnectionType.WEBSOCKET, ConnectionType.LONG_POLLING):
            for host in ("127.0.0.1", "localhost"):
                with self.subTest(transport=transport.value, host=host):
                    yield lambda *extensions, transport=transport, host=host: Client(
                        f"http://{host}:{self.server.port}/cobrowse/cometd", transport, extensions=list(extensions)
                    )

    async def test_broadcast(self):
        for client in self.each():
            async with asyncio.timeout(SOON):
                async with client(Token(self.server.token())) as ada, client(Token(self.server.token())) as bob:
                    self.assertEqual(ada.connection_type, bob.connection_type)
                    await ada.subscribe("/desk/*")
                    await bob.subscribe("/desk/news")
                    self.assertEqual(ada.subscriptions, {"/desk/*"})
                    for number in range(5):
                        answer = await bob.publish("/desk/news", {"n": number})
                        self.assertTrue(answer["successful"])
                    for hearer in (ada, bob):
                        heard = [await hearer.receive() for _ in range(5)]
                        self.assertEqual([message["data"]["n"] for message in heard], list(range(5)))
                        self.assertEqual({message["channel"] for message in heard}, {"/desk/news"})
                    await ada.unsubscribe("/desk/*")
                    # Longer than a connect is held: what was held and answered goes on.
                    await asyncio.sleep(2.5)
                    await bob.publish("/desk/news", {"n": 5})
                    self.assertEqual((await bob.receive())["data"], {"n": 5})
                    self.assertFalse(ada.has_pending_messages)
                self.assertTrue(ada.closed and bob.closed)

    async def test_errors(self):
        for client in self.each():
            async with asyncio.timeout(SOON), client() as stranger:
                with self.assertRaises(ServerError) as refused:
                    await stranger.subscribe("/desk/news")
                self.assertEqual(refused.exception.error_code, 403)
                with self.assertRaises(ServerError) as refused:
                    await stranger.publish("/desk/news", {"n": 1})
                self.assertEqual(refused.exception.error, "403:denied_by_security_policy:publish denied")

    async def test_service_channels(self):
        """A controller's work: join, hear who comes, see it become active, stop."""
        for client in self.each():
            token = self.server.call("/cobrowse/rest/live/sessions", {})["sessionToken"]
            async with asyncio.timeout(SOON), client() as customer, client() as controller, client() as agent:

                async def ask(who, what, data):
                    answer = await who.publish(f"/service/session/{what}", data)
                    self.assertTrue(answer["successful"], answer)
                    return await hear(who, what)

                async def hear(who, what):
                    while True:
                        message = await who.receive()
                        if message["channel"] == f"/service/session/{what}":
                            return message["data"]

                await ask(customer, "join", {"sessionToken": token, "role": 1})
                seat = await ask(controller, "join", {"sessionToken": token, "role": 3})
                self.assertEqual([user["role"] for user in seat["users"]], [1])
                await agent.publish("/service/session/join", {"sessionToken": token, "role": 2, "name": "Ann"})
                joined = await hear(controller, "joined")
                self.assertEqual((joined["role"], joined["name"]), (2, "Ann"))
                activated = await hear(controller, "activated")
                await ask(controller, "stop", {"userToken": seat["userToken"]})
                for who in (customer, agent):
                    over = await hear(who, "deactivated")
                    self.assertEqual(over["activationTime"], activated["activationTime"])
                with self.assertRaises(ServerError) as refused:
                    await controller.publish("/service/session/exit", {"userToken": seat["userToken"]})
                self.assertEqual(refused.exception.error, "404::user_unknown")


if __name__ == "__main__":
    # What a client cancels when it closes is no news.
    for noisy in ("asyncio", "aiocometd_ng"):
        logging.getLogger(noisy).setLevel(logging.CRITICAL)
    Clients.server = Server(pathlib.Path(sys.argv[1]).resolve())
    try:
        outcome = unittest.main(argv=sys.argv[:1], exit=False, warnings="ignore").result
    finally:
        ended = Clients.server.stop()
    sys.exit(ended or not outcome.wasSuccessful())
