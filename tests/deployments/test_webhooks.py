from __future__ import annotations

import socket
import threading
from contextlib import ExitStack, contextmanager, suppress

import pytest

from orion_nb.deployments.webhooks import Undelivered, post, reachable
from tests.deployments.receiving import Receiver

LOOPBACK = ["127.0.0.0/8"]


@pytest.fixture
def receiver():
    opened = Receiver()
    yield opened
    opened.close()


@pytest.mark.parametrize(
    "address",
    ["127.0.0.1", "127.9.9.9", "0.0.0.0", "169.254.169.254", "224.0.0.1", "255.255.255.255",
     "::1", "::", "fe80::1", "fe80::1%eth0", "ff02::1", "::ffff:127.0.0.1", "::ffff:169.254.1.1",
     "64:ff9b::7f00:1", "2002:7f00:1::", "fd00:ec2::254"],
)  # fmt: skip
def test_addresses_of_this_machine_and_its_link_are_refused(address):
    with pytest.raises(Undelivered, match="ORION_NB_WEBHOOK_ALLOW") as refused:
        reachable("innocent.example", 80, (), lambda host, port: ["93.184.216.34", address])
    assert refused.value.final


@pytest.mark.parametrize("address", ["93.184.216.34", "10.1.2.3", "192.168.1.1", "2606:4700::1"])
def test_other_addresses_are_not(address):
    assert reachable("example.com", 443, (), lambda host, port: [address]) == [address]


def test_a_network_that_is_allowed_is_reached():
    assert reachable("x", 80, LOOPBACK, lambda host, port: ["127.0.0.1"]) == ["127.0.0.1"]
    with pytest.raises(Undelivered):
        reachable("x", 80, LOOPBACK, lambda host, port: ["127.0.0.1", "::1"])


def test_the_connection_goes_to_the_address_that_was_checked(receiver):
    asked = []

    def resolve(host, port):
        asked.append(host)
        return ["127.0.0.1"]

    url = receiver.url.replace("127.0.0.1", "name.invalid")
    post(url, b"{}", {}, 5, LOOPBACK, resolve)
    ((headers, body),) = receiver.got
    assert (asked, body) == (["name.invalid"], b"{}")
    assert headers["host"].startswith("name.invalid:")


def test_a_redirect_is_not_followed(receiver):
    receiver.answers, receiver.location = [307], "file:///etc/passwd"
    with pytest.raises(Undelivered, match="answered 307 to 'file:///etc/passwd': redirects"):
        post(receiver.url, b"{}", {}, 5, LOOPBACK)
    assert len(receiver.got) == 1


def test_a_name_that_is_none_and_a_port_where_nobody_is():
    with pytest.raises(Undelivered, match="can't be found"):
        post("http://nowhere.invalid/", b"", {}, 5)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        with pytest.raises(Undelivered, match="refused"):
            post(f"http://127.0.0.1:{free.getsockname()[1]}/", b"", {}, 5, LOOPBACK)


@contextmanager
def drips():
    """Listens, and answers a byte now and then, for a minute; nobody is to hear all of it."""
    done, said_all = threading.Event(), threading.Event()

    def drip():
        with suppress(OSError):
            connection, _ = listening.accept()
            with connection:
                for letter in b"HTTP/1.1 200 OK" + b" and so on" * 60:
                    connection.send(bytes([letter]))
                    if done.wait(0.1):
                        return
                said_all.set()

    with socket.create_server(("127.0.0.1", 0)) as listening:
        dripping = threading.Thread(target=drip)
        dripping.start()
        try:
            yield listening
        finally:
            done.set()
            listening.shutdown(socket.SHUT_RDWR)  # in case that nobody came
            dripping.join(60)
    assert not said_all.is_set()


def test_who_sends_a_byte_now_and_then_holds_nobody():
    with drips() as listening:
        url = f"http://127.0.0.1:{listening.getsockname()[1]}/"
        with pytest.raises(Undelivered, match=r"no answer within 0\.5 s"):
            post(url, b"{}", {}, 0.5, LOOPBACK)


def test_nor_who_does_so_behind_an_address_that_could_not_be_reached():
    """The time was over before there was a connection that could be cut."""
    with ExitStack() as opened:
        port = opened.enter_context(drips()).getsockname()[1]
        full = opened.enter_context(socket.socket())
        full.bind(("127.0.0.2", port))
        full.listen(0)
        for _ in range(3):  # now it takes nobody any more
            waits = opened.enter_context(socket.socket())
            waits.setblocking(False)
            waits.connect_ex(("127.0.0.2", port))
        url, found = f"http://x.invalid:{port}/", ["127.0.0.2", "127.0.0.2", "127.0.0.1"]
        with pytest.raises(Undelivered, match=r"no answer within 0\.3 s"):
            post(url, b"{}", {}, 0.3, LOOPBACK, lambda host, port: found)


def test_tls_is_checked(receiver):
    with pytest.raises(Undelivered, match="SSL"):
        post(receiver.url.replace("http:", "https:"), b"{}", {}, 5, LOOPBACK)
    assert receiver.got == []
