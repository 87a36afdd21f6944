"""HTTP/1.1 as strangers speak it: whole requests within bounds, answers in order, nobody holds up the others."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Callable, Coroutine, Iterator
from contextlib import ExitStack, closing
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
import uvloop
from starlette.requests import Request as StarletteRequest
from starlette.responses import StreamingResponse

from aggregator.serve.again import LONGEST_REQUEST, MOST_KEPT, Again, Told
from aggregator.serve.connection import MOST_AT_ONCE, Connection
from aggregator.serve.crossing import carry
from aggregator.serve.events import MOST_OF_A_CLIENT, Events
from aggregator.serve.exchange import Exchange, Request, head_of
from aggregator.serve.pages import MOST_BYTES, Pages
from aggregator.serve.reader import LONGEST_HEAD, PIECE, Reader, Verdict, Whole
from aggregator.serve.wire import STALL_SECONDS, Server, is_of_this_house
from tests.builders import NOON
from tests.farm import eventually

GET = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"
LAST = b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
LATER = b"GET /later HTTP/1.1\r\nHost: x\r\n\r\n"
CHUNKED = b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
EXPECTING = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nExpect: 100-continue\r\nConnection: close\r\n\r\n"


class Seen:
    """A server in a thread, and what it was asked."""

    def __init__(self, patience: float = 5.0, **bounds: Any) -> None:
        self.asked: list[Request] = []
        self.asked_at_turns: list[int] = []
        self.ticks = 0
        self.release = threading.Event()
        self.hung_up = threading.Event()
        self._ready = threading.Event()
        self._patience = patience
        self._bounds = bounds
        with closing(socket.socket()) as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self.thread = threading.Thread(target=lambda: uvloop.run(self._serve()), daemon=True)
        self.thread.start()
        self._ready.wait(5)
        eventually(self._listens)

    async def _serve(self) -> None:
        self.loop = asyncio.get_running_loop()
        self.server = Server(self.app, self._noon, 1_000, 8, self._patience, **self._bounds, again=Again())
        self._ready.set()
        await self.server.serve("127.0.0.1", self.port)

    def _noon(self) -> datetime:
        self.ticks += 1
        return NOON

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
        elif request.path == "/page":
            exchange.answer(200, [], b"x" * 20_000)
        elif request.path == "/same":
            exchange.answer_again(head_of(200, [("content-length", "4")]), b"same")
        elif request.path == "/turn":
            self.loop.call_soon(lambda: self.asked_at_turns.append(len(self.asked)))
            exchange.answer(200, [])
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
                if StarletteRequest(scope).query_params.get("held"):
                    await asyncio.to_thread(self.release.wait, 10)
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

    def start(patience: float = 5.0, **bounds: Any) -> Seen:
        made.append(Seen(patience, **bounds))
        return made[-1]

    yield start
    for each in made:
        each.release.set()
        each.stop()
        each.thread.join(10)


@pytest.fixture
def here(make: Callable[..., Seen]) -> Seen:
    return make()


def test_requests_sent_ahead_are_answered_in_their_order(here: Seen) -> None:
    here.release.set()

    answered = here.say(b"GET /later HTTP/1.1\r\nHost: x\r\n\r\n" + GET + LAST)

    assert [part.partition(b"\r\n")[0] for part in answered.split(b"HTTP/1.1 ")[1:]] == [b"200 OK"] * 3
    assert answered.index(b"late") < answered.index(b"page")
    assert [request.path for request in here.asked] == ["/later", "/", "/"]


def test_many_requests_behind_a_slow_answer_are_answered_all(here: Seen) -> None:
    with socket.create_connection(("127.0.0.1", here.port), 10) as client:
        client.sendall(LATER + GET * 500 + LAST)
        eventually(lambda: here.asked)
        here.release.set()

        assert read(client).count(b"HTTP/1.1 200 OK") == 502


def test_requests_sent_ahead_leave_room_for_others_at_every_turn(here: Seen) -> None:
    here.say(GET.replace(b"/", b"/turn", 1) + GET * 500 + LAST)

    assert len(here.asked) == 502
    assert here.asked_at_turns[0] <= MOST_AT_ONCE


def test_a_client_that_does_not_read_is_not_answered_until_it_does(here: Seen) -> None:
    page = GET.replace(b"/", b"/page", 1)
    with socket.create_connection(("127.0.0.1", here.port), 20) as client:
        sending = threading.Thread(target=client.sendall, args=(page * 1_000 + LAST,))
        sending.start()
        eventually(lambda: any(each.has_to_read() for each in list(here.server.connections)))
        seen = here.ticks
        eventually(lambda: here.ticks > seen + 1)

        assert len(here.asked) < 700
        assert read(client).count(b"HTTP/1.1 200 OK") == 1_001
        sending.join()


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
        (b"\r\n" * 30_000, b"431"),
        (CHUNKED + b"0\r\nA: " + b"x" * 60_000, b"431"),
        (CHUNKED + b"0\r\n" + b"A: x\r\n" * 10_000, b"431"),
        (CHUNKED + b"1;" + b"x" * 60_000, b"431"),
        (CHUNKED.replace(b"chunked", b"gzip, chunked") + b"0\r\n\r\n", b"501"),
        (CHUNKED.replace(b"chunked", b"xchunked") + b"0\r\n\r\n", b"501"),
        (CHUNKED.replace(b"chunked", b"chunked\r\nTransfer-Encoding: chunked") + b"0\r\n\r\n", b"400"),
        (CHUNKED.replace(b"HTTP/1.1", b"HTTP/1.0") + b"0\r\n\r\n", b"400"),
        (CHUNKED.replace(b"chunked", b"chunked\r\nConnection: Upgrade\r\nUpgrade: h2c") + b"0\r\n\r\n", b"501"),
        (b"GET / HTTP/1.1\r\nHost: x\r\nHost: x\r\n\r\n", b"400"),
        (b"GET / HTTP/1.1\r\nHost: a b/../<>\r\n\r\n", b"400"),
        (b"GET / HTTP/1.1\r\nHost: e/x?y#z\r\n\r\n", b"400"),
        (b"GET / HTTP/1.0\r\nHost: e@f\r\n\r\n", b"400"),
        (b"GET / HTTP/2.0\r\nHost: x\r\n\r\n", b"505"),
        (b"GET http:// HTTP/1.1\r\nHost: x\r\n\r\n", b"400"),
        (EXPECTING.replace(b"100-continue", b"a-miracle"), b"417"),
        (EXPECTING.replace(b"Length: 3", b"Length: 1001"), b"413"),
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
    "head", [EXPECTING.replace(b"HTTP/1.1", b"HTTP/1.0"), EXPECTING.replace(b"Expect: 100-continue\r\n", b"")]
)
def test_a_client_that_does_not_expect_it_is_not_asked_for_a_body(here: Seen, head: bytes) -> None:
    answered = here.say(head, b"abc")

    assert answered.startswith(b"HTTP/1.1 200")
    assert answered.endswith(b"abc")


def test_a_body_is_asked_for_only_when_no_answer_is_owed(here: Seen) -> None:
    with socket.create_connection(("127.0.0.1", here.port), 10) as client:
        client.sendall(LATER + EXPECTING)
        eventually(lambda: here.asked)
        here.release.set()
        client.sendall(b"abc")

        answered = read(client)
        assert answered.index(b"late") < answered.index(b"100 Continue") < answered.index(b"abc")


def test_a_refusal_comes_behind_the_answers_that_are_owed(here: Seen, caplog: pytest.LogCaptureFixture) -> None:
    with socket.create_connection(("127.0.0.1", here.port), 10) as client:
        client.sendall(LATER + b"GARBAGE\x01\r\n\r\n")
        eventually(lambda: here.asked)
        here.release.set()

        late, refused = read(client).split(b"late")
    assert late.startswith(b"HTTP/1.1 200")
    assert refused.startswith(b"HTTP/1.1 400")
    assert caplog.records == []


def test_nothing_is_written_into_a_stream(here: Seen) -> None:
    with socket.create_connection(("127.0.0.1", here.port), 10) as client:
        client.sendall(b"GET /stream?held=1 HTTP/1.1\r\nHost: x\r\n\r\n" + EXPECTING)
        eventually(lambda: here.asked)
        client.sendall(b"abcGARBAGE\x01\r\n\r\n")
        here.release.set()

        stream, _, rest = read(client).partition(b"\r\n0\r\n\r\n")
    assert stream.endswith(b"8\r\npiece 0;\r\n8\r\npiece 1;\r\n8\r\npiece 2;")
    assert rest.startswith(b"HTTP/1.1 100")


def test_a_client_that_sends_no_more_is_answered_what_it_has_asked(here: Seen) -> None:
    with socket.create_connection(("127.0.0.1", here.port), 10) as client:
        client.sendall(LATER + LATER)
        client.shutdown(socket.SHUT_WR)
        eventually(lambda: here.asked)
        here.release.set()

        answered = read(client)
    assert answered.count(b"late") == 2
    assert answered.count(b"connection: close") == 1


def test_a_client_that_sends_no_more_gets_the_whole_of_a_long_answer(here: Seen) -> None:
    with socket.create_connection(("127.0.0.1", here.port), 20) as client:
        client.sendall(b"GET /big HTTP/1.1\r\nHost: x\r\n\r\n")
        client.shutdown(socket.SHUT_WR)

        assert len(read(client)) > 19_999_999


def test_the_beginning_of_a_next_request_does_not_end_the_answer_under_way(make: Callable[..., Seen]) -> None:
    here = make(patience=0.2)
    with socket.create_connection(("127.0.0.1", here.port), 10) as client:
        client.sendall(LATER + b"GET / HT")
        eventually(lambda: here.asked)
        seen = here.ticks
        eventually(lambda: here.ticks > seen + 1)
        here.release.set()

        assert read(client).endswith(b"late")


def test_a_request_that_asks_for_another_protocol_is_answered_with_its_body(here: Seen) -> None:
    head = b"POST / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: h2c\r\nContent-Length: 3\r\n\r\n"

    for sent in ([head + b"abc" + GET], [head, b"a", b"bc"]):
        answered = here.say(*sent)

        assert answered.startswith(b"HTTP/1.1 200")
        assert b"connection: close\r\n" in answered
        assert answered.endswith(b"abc")


@pytest.mark.parametrize("size", [1, 7, 1_000, PIECE])
@pytest.mark.parametrize(
    ("head", "is_within"),
    [
        (b"GET / HTTP/1.1\r\nHost: x\r\nA: " + b"x" * (LONGEST_HEAD - 7) + b"\r\n\r\n", True),
        (b"GET / HTTP/1.1\r\nHost: x\r\nA: " + b"x" * (LONGEST_HEAD - 6) + b"\r\n\r\n", False),
        (b"GET /" + b"x" * 40_000 + b" HTTP/1.1\r\nHost: x\r\n\r\n", False),
    ],
)
def test_how_long_a_head_may_be_does_not_depend_on_packets(head: bytes, size: int, is_within: bool) -> None:
    reader = Reader(1_000, "")
    for at in range(0, len(head), size):
        if not reader.is_over:
            reader.feed(head[at : at + size])

    [read_] = reader.ready
    assert isinstance(read_, Whole) if is_within else read_ == Verdict(431)


class Reading(asyncio.Transport):
    """A client that has taken so much of what it was sent as a test says."""

    def __init__(self) -> None:
        super().__init__()
        self.left = 0
        self.is_aborted = False

    def write(self, data: Any) -> None:
        self.left += len(data)

    def get_write_buffer_size(self) -> int:
        return self.left

    def is_closing(self) -> bool:
        return self.is_aborted

    def abort(self) -> None:
        self.is_aborted = True


def reading_of(request: bytes) -> tuple[Connection, Reading, float]:
    """A connection on which a request was answered, its client, and the time."""

    async def connect() -> tuple[Connection, Reading, float]:
        def page(_request: Request, exchange: Exchange) -> None:
            exchange.answer(200, [], b"x" * 1_000_000)

        loop = asyncio.get_running_loop()
        connection, client = Connection(Server(page, lambda: NOON, 1_000, again=Again()), loop), Reading()
        connection.connection_made(client)
        connection.data_received(request)
        return connection, client, loop.time()

    return asyncio.run(connect())


def test_a_client_that_reads_steadily_may_take_its_time() -> None:
    connection, client, now = reading_of(GET)

    for second in range(500):
        client.left -= 100
        connection.look(now + second * STALL_SECONDS / 2)

    assert not client.is_aborted


@pytest.mark.parametrize("request_", [GET, GET + b"GET / HT", GET * 3])
def test_a_client_that_takes_nothing_of_its_answer_is_let_go(request_: bytes) -> None:
    connection, client, now = reading_of(request_)

    connection.look(now)
    connection.look(now + STALL_SECONDS - 1)
    assert not client.is_aborted
    connection.look(now + STALL_SECONDS + 1)

    assert client.is_aborted


def test_one_client_has_its_bound_of_listeners_and_others_have_theirs() -> None:
    async def listen() -> list[int]:
        events, answers = Events(lambda scope: scope["client"][0]), []

        async def send(message: Any) -> None:
            if message["type"] == "http.response.start":
                answers.append(message["status"])

        async def receive() -> Any:
            return await asyncio.Event().wait()

        clients = ["6.6.6.6"] * (MOST_OF_A_CLIENT + 1) + ["9.9.9.9"] + [""] * (MOST_OF_A_CLIENT + 1)
        scopes = [{"method": "GET", "client": (client, 0)} for client in clients]
        listening = [asyncio.ensure_future(events.answer(scope, receive, send)) for scope in scopes]
        await asyncio.sleep(0)
        events.close()
        await asyncio.gather(*listening)
        return answers

    answers = asyncio.run(listen())

    assert answers.count(503) == 1
    assert answers.count(200) == 2 * MOST_OF_A_CLIENT + 2


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


def test_when_there_is_no_room_the_client_that_has_been_idle_longest_makes_some(here: Seen) -> None:
    with ExitStack() as stack:
        clients = [stack.enter_context(socket.create_connection(("127.0.0.1", here.port), 10)) for _ in range(8)]
        clients[0].sendall(LATER)
        clients[1].sendall(GET)
        eventually(lambda: len(here.asked) == 2 and len(here.server.connections) == 8)

        assert here.say(LAST).startswith(b"HTTP/1.1 200")
        assert clients[2].recv(1) == b""  # the first is owed an answer, the second has just had one
        here.release.set()
        assert clients[0].recv(1_000).endswith(b"late")


def test_a_newcomer_is_let_go_when_all_the_others_are_being_answered(here: Seen) -> None:
    with ExitStack() as stack:
        clients = [stack.enter_context(socket.create_connection(("127.0.0.1", here.port), 10)) for _ in range(8)]
        for client in clients:
            client.sendall(LATER)
        eventually(lambda: len(here.asked) == 8)

        assert here.say() == b""


@pytest.mark.parametrize(("is_exempt", "admitted"), [(False, 2), (True, 5)])
def test_one_client_has_its_bound_of_connections_unless_it_may_be_a_proxy(
    make: Callable[..., Seen], is_exempt: bool, admitted: int
) -> None:
    here = make(is_exempt=lambda _client: is_exempt, most_of_a_client=2)
    eventually(lambda: not here.server.connections)  # the one that tried whether the server listens

    with ExitStack() as stack:
        clients = [stack.enter_context(socket.create_connection(("127.0.0.1", here.port), 10)) for _ in range(5)]
        for client in clients[:admitted]:
            client.sendall(GET)
            assert client.recv(12) == b"HTTP/1.1 200"
        for client in clients[admitted:]:
            assert client.recv(1) == b""
    eventually(lambda: not here.server.connections)
    assert here.say(LAST).startswith(b"HTTP/1.1 200")


@pytest.mark.parametrize(
    ("client", "is_ours"),
    [
        *[("127.0.0.1", True), ("172.18.0.2", True), ("::ffff:10.0.0.1", True), ("fd00::1", True), ("", True)],
        *[("8.8.8.8", False), ("2a00:1450::1", False), ("::ffff:8.8.8.8", False)],
    ],
)
def test_addresses_that_are_none_of_the_internets_may_be_a_proxys(client: str, is_ours: bool) -> None:
    assert is_of_this_house(client) is is_ours


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


# -- the same again ----------------------------------------------------------------------------------

SAME = b"GET /same HTTP/1.1\r\nHost: x\r\n\r\n"


def told(client: socket.socket, *pieces: bytes) -> bytes:
    """Send, and read as far as an answer of "same" goes."""
    for piece in pieces:
        client.sendall(piece)
    got = b""
    while not got.endswith(b"\r\n\r\nsame"):
        got += client.recv(65_536)
    return got


def test_a_request_that_comes_again_is_answered_from_memory_on_every_connection(here: Seen) -> None:
    with socket.create_connection(("127.0.0.1", here.port), 10) as client:
        first = [told(client, SAME) for _ in range(3)]
    with socket.create_connection(("127.0.0.1", here.port), 10) as client:
        assert [told(client, SAME), *first] == [first[0]] * 4

    assert len(here.asked) == 1
    assert b"date: " in first[0]


def test_what_is_remembered_is_asked_for_anew_once_it_is_forgotten(here: Seen) -> None:
    with socket.create_connection(("127.0.0.1", here.port), 10) as client:
        told(client, SAME)
        here.server.again.clear()
        told(client, SAME)

    assert len(here.asked) == 2


@pytest.mark.parametrize(
    ("packets", "remembered"),
    [
        ((SAME,), 1),
        ((SAME, SAME), 1),
        ((SAME + SAME,), 0),
        ((SAME[:9], SAME[9:]), 0),
        ((SAME.replace(b"1.1", b"1.0"),), 0),
        ((LAST,), 0),
        ((SAME.replace(b"GET", b"HEAD"),), 1),
    ],
)
def test_only_what_came_alone_and_whole_and_keeps_its_connection_is_remembered(
    packets: tuple[bytes, ...], remembered: int
) -> None:
    async def connect() -> Again:
        def page(_request: Request, exchange: Exchange) -> None:
            exchange.answer_again(head_of(200, [("content-length", "4")]), b"same")

        server = Server(page, lambda: NOON, 1_000, again=Again())
        connection = Connection(server, asyncio.get_running_loop())
        connection.connection_made(Reading())
        for packet in packets:
            connection.data_received(packet)
        return server.again

    assert len(asyncio.run(connect())) == remembered


def test_a_remembered_answer_waits_for_those_that_are_owed(here: Seen) -> None:
    with socket.create_connection(("127.0.0.1", here.port), 10) as client:
        told(client, SAME)
        client.sendall(LATER)
        eventually(lambda: here.asked[-1].path == "/later")
        client.sendall(SAME)
        here.release.set()
        got = told(client)

    assert got.index(b"late") < got.index(b"same")


def test_a_remembered_request_in_the_midst_of_another_is_that_ones_body(here: Seen) -> None:
    with socket.create_connection(("127.0.0.1", here.port), 10) as client:
        told(client, SAME)
        head = b"POST / HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: %d\r\n\r\n" % len(SAME)
        client.sendall(head)
        client.sendall(SAME)

        assert read(client).endswith(SAME[: here.server.longest_body + 1])
    assert here.asked[-1].method == "POST"


def test_a_client_that_does_not_read_gets_nothing_from_memory_either() -> None:
    async def connect() -> tuple[int, int]:
        def page(_request: Request, exchange: Exchange) -> None:
            exchange.answer_again(head_of(200, [("content-length", "4")]), b"same")

        connection, client = Connection(Server(page, lambda: NOON, 1_000, again=Again()), loop()), Waiting()
        connection.connection_made(client)
        connection.data_received(SAME)
        before = client.left
        connection.pause_writing()
        for _ in range(50):
            connection.data_received(SAME)
        return before, client.left

    loop = asyncio.get_running_loop
    before, after = asyncio.run(connect())

    assert before == after


class Waiting(Reading):
    """One that can be told to send no more for now."""

    def pause_reading(self) -> None:
        pass


def test_so_many_requests_are_remembered_and_none_that_is_long() -> None:
    again = Again()
    for number in range(MOST_KEPT + 5):
        again.keep(b"%d" % number, Told(b"", b""))
    again.keep(b"x" * (LONGEST_REQUEST + 1), Told(b"", b""))

    assert len(again) == MOST_KEPT
    assert b"4" not in again
    assert b"5" in again


def test_pages_that_change_are_forgotten_with_their_answers(tmp_path: Path) -> None:
    again = Again()
    pages = Pages(tmp_path, [], again)

    for change in (lambda: pages.drop(["index.html"]), pages.drop_all, lambda: Pages(tmp_path, [], again)):
        again.keep(SAME, Told(b"", b""))
        change()
        assert not again


def test_a_page_that_has_no_room_is_forgotten_with_the_answers_that_hold_it(tmp_path: Path) -> None:
    again = Again()
    pages = Pages(tmp_path, [], again)
    for name in ("first", "second"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "index.html").write_bytes(bytes(MOST_BYTES // 2 + 1))

    first = pages.find("first/")
    again.keep(SAME, Told(b"", b""))
    assert pages.find("first/") is first
    assert again

    pages.find("second/")
    assert not again
    assert pages.find("first/") is not first
