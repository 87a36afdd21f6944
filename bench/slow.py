"""Servers far away: each answer takes a while. `serving_slowly` runs them in a process of their own."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from bench.farm import address
from bench.machine import free_port, running

_FEED = (
    b"<rss version='2.0'><channel><title>Far</title><item><title>One</title><guid>1</guid>"
    b"<description>Words</description></item></channel></rss>"
)


@contextmanager
def serving_slowly(hosts: int, seconds: float) -> Iterator[list[str]]:
    """Serve a feed from each of so many addresses, after so many seconds; 304 to conditional requests."""
    port = free_port()
    command = [sys.executable, "-m", "bench.slow", str(hosts), str(port), str(seconds)]
    with running(command, port, address(hosts - 1)):
        yield [f"http://{address(number)}:{port}/" for number in range(hosts)]


class _Far(asyncio.Protocol):
    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._read = b""

    def connection_made(self, transport: Any) -> None:  # uvloop's transports are no asyncio.Transport
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._read += data
        if self._read.endswith(b"\r\n\r\n"):
            is_known = b"if-none-match" in self._read.lower()
            self._read = b""
            asyncio.get_running_loop().call_later(self._seconds, self._answer, is_known)

    def _answer(self, is_known: bool) -> None:
        if is_known:
            self._transport.write(b'HTTP/1.1 304 Not Modified\r\nETag: "1"\r\n\r\n')
        else:
            head = b'HTTP/1.1 200 OK\r\nETag: "1"\r\nContent-Length: %d\r\n\r\n' % len(_FEED)
            self._transport.write(head + _FEED)


async def _serve(hosts: int, port: int, seconds: float) -> None:
    loop = asyncio.get_running_loop()
    for number in range(hosts):
        await loop.create_server(lambda: _Far(seconds), address(number), port)
    await asyncio.Event().wait()


if __name__ == "__main__":
    import uvloop

    uvloop.run(_serve(int(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3])))
