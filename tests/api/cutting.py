"""A TCP proxy that cuts connections where it is told to: requests or their answers are lost."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable
from contextlib import suppress

#: Called with the number of a request, from 1: "request", "answer" or None is lost of it.
Choose = Callable[[int], str | None]


class Cutting:
    """Stands before a server on the loopback interface; counts requests, and loses some."""

    def __init__(self, port: int, choose: Choose) -> None:
        self.choose = choose
        self.cut: list[tuple[int, str]] = []
        self._port = port
        self._count = 0
        self._lock = threading.Lock()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listener.getsockname()[1])
        self._threads = [threading.Thread(target=self._accept, daemon=True)]
        self._threads[0].start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def close(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for thread in self._threads:
            thread.join(60)

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            thread = threading.Thread(target=self._serve, args=(client,), daemon=True)
            self._threads.append(thread)
            thread.start()

    def _serve(self, client: socket.socket) -> None:
        where = ("127.0.0.1", self._port)
        with client, suppress(OSError), socket.create_connection(where) as server:
            while request := _message(client):
                with self._lock:
                    self._count += 1
                    number = self._count
                lost = self.choose(number) if request.startswith(b"POST") else None
                if lost is not None:
                    self.cut.append((number, lost))
                if lost == "request":
                    return
                server.sendall(request)
                answer = _message(server)
                if lost == "answer":
                    return
                client.sendall(answer)


def _message(connection: socket.socket) -> bytes:
    """One request or answer of HTTP/1.1 with a Content-Length; nothing when there are no more."""
    read = b""
    while b"\r\n\r\n" not in read:
        got = connection.recv(65536)
        if not got:
            return b""
        read += got
    head, _, body = read.partition(b"\r\n\r\n")
    length = 0
    for line in head.split(b"\r\n"):
        name, _, value = line.partition(b":")
        if name.strip().lower() == b"content-length":
            length = int(value)
    while len(body) < length:
        got = connection.recv(65536)
        if not got:
            return b""
        body += got
    return head + b"\r\n\r\n" + body
