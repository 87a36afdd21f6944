"""A web on loopback for tests: paths answer with what a test puts there, and every request is remembered."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import count, islice
from socket import socket


@dataclass(frozen=True)
class Reply:
    body: bytes = b""
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Seen:
    method: str
    path: str
    headers: dict[str, str]
    body: bytes


Route = Reply | Callable[[Seen], Reply]
Raw = Callable[[socket, threading.Event], None]


class Farm:
    """One address, many paths; `raw` routes get the socket itself and an event that is set at the end."""

    def __init__(self, host: str = "127.0.0.1") -> None:
        self.routes: dict[str, Route] = {}
        self.raw: dict[str, Raw] = {}
        self.seen: list[Seen] = []
        self.over = threading.Event()
        farm = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            wbufsize = 65536

            def answer(self) -> None:
                length = int(self.headers.get("Content-Length") or 0)
                headers = {name.lower(): value for name, value in self.headers.items()}
                seen = Seen(self.command, self.path, headers, self.rfile.read(length))
                farm.seen.append(seen)
                if seen.path in farm.raw:
                    self.close_connection = True
                    farm.raw[seen.path](self.connection, farm.over)
                    return
                route = farm.routes.get(seen.path, Reply(b"nothing here", 404))
                reply = route(seen) if callable(route) else route
                self.send_response(reply.status)
                for name, value in reply.headers.items():
                    self.send_header(name, value)
                if reply.status != 304:
                    self.send_header("Content-Length", str(len(reply.body)))
                self.end_headers()
                if self.command != "HEAD" and reply.status != 304:
                    self.wfile.write(reply.body)

            do_GET = do_HEAD = do_POST = answer

            def log_message(self, format: str, *args: object) -> None:
                pass

        class Server(ThreadingHTTPServer):
            daemon_threads = True
            request_queue_size = 256

            def handle_error(self, request: object, client_address: object) -> None:
                pass  # clients under test hang up on purpose

        self._server = Server((host, 0), Handler)
        self.url = f"http://{host}:{self._server.server_address[1]}"
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        self._thread.start()

    def html(self, path: str, body: str, **headers: str) -> str:
        """Put a page at a path; return its address."""
        self.routes[path] = Reply(body.encode(), headers={"Content-Type": "text/html; charset=utf-8", **headers})
        return f"{self.url}{path}"

    def close(self) -> None:
        self.over.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


_STEPS = count(os.getpid() * 53)


def quiet_port() -> int:
    """A free port that nobody is given by chance, another one each time: it may be used a little later."""
    for step in islice(_STEPS, 15_000):
        port = 15_000 + step * 7 % 15_000  # below what the system hands out
        with closing(socket()) as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port
    raise AssertionError("no port is free")


@contextmanager
def farm(host: str = "127.0.0.1") -> Iterator[Farm]:
    made = Farm(host)
    try:
        yield made
    finally:
        made.close()


def eventually(condition: Callable[[], object], seconds: float = 15.0) -> object:
    """Wait for something that another process does; fail when it takes too long."""
    tick = threading.Event()
    for _ in range(int(seconds / 0.02)):
        if found := condition():
            return found
        tick.wait(0.02)
    raise AssertionError(f"not within {seconds} seconds")
