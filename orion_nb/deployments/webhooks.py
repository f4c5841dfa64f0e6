"""Webhooks: one POST to an address that is allowed, signed as Standard Webhooks 1.0 says.

The name is looked up once, every address it has is checked, and the connection goes to one of
those: a name that means another address a moment later leads nowhere else.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import http.client
import ipaddress
import socket
import ssl
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any
from urllib.parse import urlsplit

from orion_nb.errors import OrionError

#: So much of an answer is read, for its text may say what was wrong (bytes).
READ = 2000
#: Where clouds tell their machines' secrets, besides the link-local address.
METADATA = ipaddress.ip_network("fd00:ec2::254/128")
#: IPv6 addresses that stand for an IPv4 address in their last 32 bits (RFC 6052).
NAT64 = ipaddress.ip_network("64:ff9b::/96")

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Resolve = Callable[[str, int], Sequence[str]]


class Undelivered(OrionError):
    """What was to be told was not taken; a `final` refusal is not tried again."""

    status = 502

    def __init__(self, message: str, *, final: bool = False) -> None:
        super().__init__(message)
        self.final = final


def sign(secret: str, delivery: str, at: int, body: bytes) -> str:
    """The signature `v1,...` of a delivery; `at` is its timestamp in seconds since 1970."""
    key = base64.b64decode(secret.removeprefix("whsec_"))
    made = hmac.new(key, f"{delivery}.{at}.".encode() + body, hashlib.sha256).digest()
    return f"v1,{base64.b64encode(made).decode()}"


def lookup(host: str, port: int) -> list[str]:
    """The addresses that a name has."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(each[4][0]) for each in found))


def reachable(host: str, port: int, allowed: Sequence[str], resolve: Resolve = lookup) -> list[str]:
    """The addresses of a host, if a webhook may go to every one of them.

    Raises:
        Undelivered: one is of this machine or link-local, and not allowed by a setting; or there
            is none.
    """
    try:
        found = resolve(host, port)
    except (OSError, UnicodeError) as error:
        raise Undelivered(f"{host}: its address can't be found: {error}") from error
    networks = [ipaddress.ip_network(each) for each in allowed]
    for each in found:
        address = _plain(ipaddress.ip_address(each.partition("%")[0]))
        if _is_closed(address) and not any(address in network for network in networks):
            what = f"{host}: {address}" if host != str(address) else host
            says = (
                f"{what} is an address of this machine or its link; a server whose "
                f"ORION_NB_WEBHOOK_ALLOW has it would tell it"
            )
            raise Undelivered(says, final=True)
    if not found:
        raise Undelivered(f"{host}: it has no address")
    return list(found)


def post(
    url: str,
    body: bytes,
    headers: dict[str, str],
    timeout: float,
    allowed: Sequence[str] = (),
    resolve: Resolve = lookup,
) -> None:
    """The body is taken by whoever listens at the URL, within `timeout` seconds in all.

    Redirects are not followed, and no proxy is asked.

    Raises:
        Undelivered: it was not; the message says why.
    """
    parts = urlsplit(url)
    host, secure = parts.hostname or "", parts.scheme == "https"
    port = parts.port or (443 if secure else 80)
    addresses = reachable(host, port, allowed, resolve)
    connection = _Connection(host, port, addresses, secure, timeout)
    late = threading.Timer(timeout, connection.cut)
    late.daemon = True
    late.start()
    try:
        path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        connection.request("POST", path, body, headers)
        answer = connection.getresponse()
        said = answer.read(READ)
    except (OSError, http.client.HTTPException, ValueError, AttributeError) as error:
        why = f"no answer within {timeout:g} s" if connection.was_cut else _told(error)
        raise Undelivered(f"{host}: {why}") from error
    finally:
        late.cancel()
        connection.close()
    _judge(host, answer, said)


def _judge(host: str, answer: http.client.HTTPResponse, said: bytes) -> None:
    status = answer.status
    if 200 <= status < 300:
        return
    if 300 <= status < 400:
        to = (answer.getheader("Location") or "elsewhere")[:200]
        says = f"{host} answered {status} to {to!r}: redirects are not followed; give that address"
        raise Undelivered(says)
    text = said.decode("utf-8", "replace").strip()[:500]
    # RFC 9110: 410 is a wish to hear no more.
    raise Undelivered(f"{host} answered {status} {answer.reason}: {text}", final=status == 410)


class _Connection(http.client.HTTPConnection):
    """A connection to one of the addresses that were checked, and to no other."""

    def __init__(
        self, host: str, port: int, addresses: Sequence[str], secure: bool, timeout: float
    ) -> None:
        super().__init__(host, port, timeout=timeout)
        if secure:
            self.default_port = 443  # or else the port would be part of the header Host
        self._addresses = addresses
        self._secure = secure
        self.was_cut = False

    def connect(self) -> None:
        error: OSError | None = None
        for each in self._addresses:
            try:
                self.sock: Any = socket.create_connection((each, self.port), self.timeout)
                break
            except OSError as found:
                error = found
        else:
            raise error or OSError("no address")
        if self.was_cut:  # there was nothing to be cut yet
            self.close()
            raise TimeoutError
        if self._secure:
            context = ssl.create_default_context()
            self.sock = context.wrap_socket(self.sock, server_hostname=self.host)

    def cut(self) -> None:
        """Whoever sends a byte now and then does not hold us for ever."""
        self.was_cut = True
        with suppress(OSError, AttributeError):
            self.sock.shutdown(socket.SHUT_RDWR)


def _plain(address: Address) -> Address:
    """An IPv4 address that is written as an IPv6 one, as itself."""
    if isinstance(address, ipaddress.IPv6Address):
        if address.ipv4_mapped or address.sixtofour:
            return address.ipv4_mapped or address.sixtofour or address
        if address in NAT64:
            return ipaddress.IPv4Address(int(address) & 0xFFFF_FFFF)
    return address


def _is_closed(address: Address) -> bool:
    """It is of this machine, of its link, of many machines or of none."""
    return (
        address.is_loopback
        or address.is_link_local
        or address.is_unspecified
        or address.is_multicast
        or int(address) == 0xFFFF_FFFF
        or address in METADATA
    )


def _told(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"[:500]
