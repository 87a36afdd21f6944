"""HTTP/1.1 as strangers speak it: whole requests within bounds, answers in order, nobody holds up the others."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Callable, Coroutine, Iterator
from contextlib import ExitStack, closing
from typing import Any

import pytest
import uvloop
from starlette.requests import Request as StarletteRequest
from starlette.responses import StreamingResponse

from aggregator.serve.crossing import carry
from aggregator.serve.exchange import Exchange, Request
from aggregator.serve.wire import MOST_AHEAD, Server
from tests.builders import NOON
from tests.farm import eventually

GET = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"


class Seen:
    """A server in a thread, and what it was asked."""

    def __init__(self, patience: float = 5.0) -> None:
        self.asked: list[Request] = []
        self.release = threading.Event()
        self.hung_up = threading.Event()
        self._ready = threading.Event()
        self._patience = patience
        with closing(socket.socket()) as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self.thread = threading.Thread(target=lambda: uvloop.run(self._serve()), daemon=True)
        self.thread.start()
        self._ready.wait(5)
        eventually(self._listens)

    async def _serve(self) -> None:
        self.loop = asyncio.get_running_loop()
        self.server = Server(self.app, lambda: NOON, 1_000, 8, self._patience)
        self._ready.set()
        await self.server.serve("127.0.0.1", self.port)

    def _listens(self) -> bool:
        with closing(socket.socket()) as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0

    def stop(self) -> None:
        if not self.loop.is_closed():
            self.loop.call_soon_threadsafe(self.server.stop)

    def app(self, request: Request, exchange: Exchange) -> Coroutine[Any, Any, None] | None:
        self.asked.append(request)
        if request.path == "/fails":
            raise RuntimeError
        if request.path == "/forges":
            exchange.answer(302, [("location", "/\r\nset-cookie: x")])
        elif request.path in ("/slow", "/later"):
            return self._later(exchange)
        elif request.path == "/silent":
            return asyncio.sleep(0)
        elif request.path == "/stream":
            return carry(self._stream, request, request.path, exchange)
        elif request.path == "/big":
            exchange.answer(200, [], b"x" * 20_000_000)
        else:
            exchange.answer(200, [("content-type", "text/plain")], request.body or b"page")
        return None

    async def _later(self, exchange: Exchange) -> None:
        await asyncio.to_thread(self.release.wait, 10)
        exchange.answer(200, [], b"late")

    async def _stream(self, scope: Any, receive: Any, send: Any) -> None:
        async def pieces() -> Any:
            try:
                for number in range(3):
                    yield f"piece {number};"
                if StarletteRequest(scope).query_params.get("endless"):
                    while True:
                        yield "x" * 1_000
                        await asyncio.sleep(0)
            finally:
                self.hung_up.set()

        await StreamingResponse(pieces())(scope, receive, send)

    def say(self, *data: bytes) -> bytes:
        """Send, and read to the end."""
        with socket.create_connection(("127.0.0.1", self.port), 10) as client:
            for each in data:
                client.sendall(each)
            return read(client)


def read(client: socket.socket) -> bytes:
    got = b""
    while piece := client.recv(65_536):
        got += piece
    return got


@pytest.fixture
def make() -> Iterator[Callable[..., Seen]]:
    made: list[Seen] = []

    def start(patience: float = 5.0) -> Seen:
        made.append(Seen(patience))
        return made[-1]

    yield start
    for each in made:
        each.release.set()
        each.stop()
        each.thread.join(10)


@pytest.fixture
def here(make: Callable[..., Seen]) -> Seen:
    return make()


LAST = b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"


def test_requests_sent_ahead_are_answered_in_their_order(here: Seen) -> None:
    here.release.set()

    answered = here.say(b"GET /later HTTP/1.1\r\nHost: x\r\n\r\n" + GET + LAST)

    assert [part.partition(b"\r\n")[0] for part in answered.split(b"HTTP/1.1 ")[1:]] == [b"200 OK"] * 3
    assert answered.index(b"late") < answered.index(b"page")
    assert [request.path for request in here.asked] == ["/later", "/", "/"]


def test_whoever_sends_too_much_ahead_is_let_go(here: Seen) -> None:
    assert here.say(b"GET /slow HTTP/1.1\r\nHost: x\r\n\r\n" + GET * (MOST_AHEAD + 2)) == b""


def test_a_body_in_chunks_is_read_whole_and_what_follows_it_is_no_header(here: Seen) -> None:
    head = b"POST /a%20b?x=%20 HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n"

    answered = here.say(head, b"3\r\nabc\r\n", b"2\r\nde\r\n0\r\nX-Forwarded-For: 6.6.6.6\r\n\r\n")

    [request] = here.asked
    assert answered.endswith(b"\r\n\r\nabcde")
    assert (request.path, request.query, request.body) == ("/a b", b"x=%20", b"abcde")
    assert request.all_of(b"x-forwarded-for") == []


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", b"400"),
        (b"NONSENSE\r\n\r\n", b"400"),
        (b"GET / HTTP/1.1\r\n\r\n", b"400"),
        (b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabcd", b"400"),
        (b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", b"400"),
        (b"GET / HTTP/1.1\r\nHost: x\r\nX: " + b"x" * 40_000, b"431"),
        (b"GET /" + b"x" * 40_000, b"431"),
        (b"GET / HTTP/1.1\r\nHost: x\r\n" + b"X: y\r\n" * 200 + b"\r\n", b"431"),
    ],
)
def test_what_is_no_request_is_refused(here: Seen, sent: bytes, status: bytes) -> None:
    answered = here.say(sent)

    assert answered.startswith(b"HTTP/1.1 " + status)
    assert b"connection: close" in answered
    assert here.asked == []


def test_of_a_body_that_is_too_long_the_beginning_is_answered_and_no_more_is_read(here: Seen) -> None:
    answered = here.say(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 90000\r\n\r\n" + b"x" * 90_000)

    assert answered.startswith(b"HTTP/1.1 200")
    assert len(here.asked[0].body) == 1_001


def test_a10_slow_heads_and_bodies_are_given_up(make: Callable[..., Seen]) -> None:
    here = make(patience=0.2)

    body = here.say(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\nabc")
    with socket.create_connection(("127.0.0.1", here.port), 10) as client:
        client.sendall(b"GET / HTT")
        assert read(client) == b""

    assert body.startswith(b"HTTP/1.1 408")
    assert here.asked == []


def test_a_client_that_expects_to_be_asked_for_a_body_is_asked(here: Seen) -> None:
    with socket.create_connection(("127.0.0.1", here.port), 10) as client:
        client.sendall(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nExpect: 100-continue\r\n")
        client.sendall(b"Connection: close\r\n\r\n")
        asked = client.recv(100)
        client.sendall(b"abc")

        assert asked == b"HTTP/1.1 100 Continue\r\n\r\n"
        assert read(client).endswith(b"abc")


@pytest.mark.parametrize(
    ("head", "is_kept"),
    [
        (b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", True),
        (b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", False),
        (b"GET / HTTP/1.0\r\n\r\n", False),
        (b"GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", True),
        (b"GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\n\r\n", False),
    ],
)
def test_a_connection_is_kept_as_the_client_wants_it(here: Seen, head: bytes, is_kept: bool) -> None:
    with socket.create_connection(("127.0.0.1", here.port), 1) as client:
        client.sendall(head)
        eventually(lambda: here.asked)
        client.settimeout(0.3)
        if is_kept:
            with pytest.raises(TimeoutError):
                read(client)
        else:
            assert read(client).startswith(b"HTTP/1.1 200")


def test_an_answer_has_a_date_a_length_and_a_body_unless_it_is_to_head(here: Seen) -> None:
    answered = here.say(b"HEAD / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")

    assert answered.endswith(b"\r\n\r\n")
    assert b"content-length: 4\r\n" in answered
    assert b"date: Sun, 22 Nov 2026 12:00:00 GMT\r\n" in answered


@pytest.mark.parametrize("path", [b"/fails", b"/forges", b"/silent"])
def test_a_fault_of_ours_is_an_answer_too(here: Seen, path: bytes) -> None:
    answered = here.say(b"GET " + path + b" HTTP/1.1\r\nHost: x\r\n\r\n")

    assert answered.startswith(b"HTTP/1.1 500")
    assert b"set-cookie" not in answered


def test_a_stream_goes_out_piece_by_piece_and_ends_with_its_client(here: Seen) -> None:
    whole = here.say(b"GET /stream HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
    here.hung_up.clear()
    with socket.create_connection(("127.0.0.1", here.port), 10) as client:
        client.sendall(b"GET /stream?endless=1 HTTP/1.1\r\nHost: x\r\n\r\n")
        client.recv(10_000)

    assert b"8\r\npiece 0;\r\n8\r\npiece 1;\r\n8\r\npiece 2;\r\n0\r\n\r\n" in whole
    assert here.hung_up.wait(5)


def test_a_slow_reader_holds_up_nobody(here: Seen) -> None:
    with socket.create_connection(("127.0.0.1", here.port), 10) as slow:
        slow.sendall(b"GET /big HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        slow.recv(100)

        assert here.say(LAST).startswith(b"HTTP/1.1 200")
        assert len(read(slow)) > 19_000_000


def test_more_connections_than_the_system_allows_are_let_go_and_the_others_served(here: Seen) -> None:
    with ExitStack() as stack:
        clients = [stack.enter_context(socket.create_connection(("127.0.0.1", here.port), 10)) for _ in range(8)]
        eventually(lambda: len(here.server.connections) == 8)

        assert here.say() == b""
        clients[0].sendall(LAST)
        assert read(clients[0]).startswith(b"HTTP/1.1 200")


def test_a_server_that_stops_answers_what_is_under_way(here: Seen) -> None:
    with (
        socket.create_connection(("127.0.0.1", here.port), 10) as idle,
        socket.create_connection(("127.0.0.1", here.port), 10) as client,
    ):
        client.sendall(b"GET /slow HTTP/1.1\r\nHost: x\r\n\r\n")
        eventually(lambda: here.asked)
        here.stop()
        assert idle.recv(1) == b""
        here.release.set()

        assert read(client).endswith(b"late")
    here.thread.join(10)
    assert not here.thread.is_alive()
