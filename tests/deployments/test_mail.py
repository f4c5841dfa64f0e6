"""A failure is mailed over SMTP, with the cell that failed in it."""

from __future__ import annotations

import email
import email.policy
import logging
import socketserver
import threading

import pytest

from orion_nb import run_notebook
from orion_nb.api.orion import Orion
from orion_nb.deployments.duties import Duties
from orion_nb.settings import Settings

pytest.importorskip("apprise", reason="needs apprise: pip install 'orion-nb[notify]'")


class Conversation(socketserver.StreamRequestHandler):
    """As much of RFC 5321 as a mail takes."""

    def handle(self):
        self.say("220 here")
        while line := self.rfile.readline():
            word = line[:4].upper()
            if word == b"DATA":
                self.say("354 go on")
                lines = iter(self.rfile.readline, b".\r\n")
                self.server.got.append(b"".join(lines))
            if word == b"QUIT":
                return self.say("221 bye")
            self.say("250 ok")
        return None

    def say(self, text):
        self.wfile.write(text.encode() + b"\r\n")


@pytest.fixture
def mailbox():
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Conversation) as server:
        server.daemon_threads = True
        server.got = []
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        yield server
        server.shutdown()
        thread.join(60)


def test_a_failure_is_mailed_with_its_cell(home, mailbox, write_notebook, eventually):
    orion = Orion(Settings.load(home=home))
    port = mailbox.server_address[1]
    query = "from=orion@example.com&to=team@example.com&mode=insecure"
    orion.add_notification("team", apprise=[f"mailto://127.0.0.1:{port}?{query}"], timeout=60)
    run_notebook(write_notebook("x = 1", "print('so far')\n1 / 0", name="daily"))
    duties = Duties(orion, logging.getLogger("test"), link=lambda: "http://here/orion")
    duties.start()
    try:
        eventually(lambda: orion.list_deliveries(status="delivered")["deliveries"])
    finally:
        duties.stop()
        orion.close()
    (got,) = mailbox.got
    mail = email.message_from_bytes(got, policy=email.policy.default)
    assert (mail["to"], mail["subject"]) == ("team@example.com", "✖ daily: Failed (attempt 1)")
    text = mail.get_body(("plain", "html")).get_content()
    for told in ("division by zero", "http://here/orion/#/runs/", "Cell 2:", "1 / 0", "so far"):
        assert told in text
