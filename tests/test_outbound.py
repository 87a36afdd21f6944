"""One table of hostile servers, for the sweep and for single fetches: they are one engine behind one guard."""

from __future__ import annotations

import gzip
import os
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest
import requests

from aggregator.outbound import Answer, Engine, Guard, NoAnswer, Outcome, Request
from aggregator.outbound.session import session
from tests.farm import Farm, Reply, Seen, farm

LOOPBACK = Guard.of(["127.0.0.0/8", "::1/128"], [80])


@pytest.fixture
def engine() -> Iterator[Engine]:
    made = Engine(LOOPBACK, "planet-test", at_once=20)
    yield made
    made.close()


def swept(engine: Engine, *made: Request) -> dict[object, Outcome]:
    waiting = list(made)

    def more(room: int) -> list[Request]:
        now, waiting[:] = waiting[:room], waiting[room:]
        return now

    return {request.key: outcome for landed in engine.sweep(more) for request, outcome in landed}


def reason(outcome: Outcome) -> str:
    assert isinstance(outcome, NoAnswer), outcome
    return outcome.kind


@pytest.mark.parametrize(
    "address",
    [
        "0.0.0.0",
        "10.1.2.3",
        "100.64.0.1",
        "127.0.0.1",
        "169.254.169.254",
        "172.16.0.1",
        "192.0.0.192",
        "192.0.2.1",
        "192.88.99.1",
        "192.168.1.1",
        "198.18.0.1",
        "198.51.100.1",
        "203.0.113.1",
        "224.0.0.1",
        "240.0.0.1",
        "255.255.255.255",
        "::",
        "::1",
        "::127.0.0.1",
        "::ffff:127.0.0.1",
        "::ffff:10.0.0.1",
        "::ffff:0:7f00:1",
        "64:ff9b::7f00:1",
        "64:ff9b:1::1",
        "100::1",
        "2001::1",
        "2001:db8::1",
        "2002:7f00:1::",
        "2002:a00:1::",
        "3fff::1",
        "5f00::1",
        "fc00::1",
        "fe80::1",
        "fe80::1%eth0",
        "fec0::1",
        "ff02::1",
        "nonsense",
        "127.1",
        "2130706433",
    ],
)
def test_guard_refuses_what_is_not_public(address: str) -> None:
    assert Guard().refusal(address, 80)


@pytest.mark.parametrize(
    "address", ["8.8.8.8", "93.184.216.34", "2606:4700::1111", "64:ff9b::808:808", "2002:808:808::"]
)
def test_guard_lets_public_addresses_through(address: str) -> None:
    assert Guard().refusal(address, 443) == ""


def test_guard_lets_the_usual_ports_through_only() -> None:
    assert "port 22" in Guard().refusal("8.8.8.8", 22)
    assert Guard().refusal("8.8.8.8", 8443) == ""


def test_guard_lets_allowed_addresses_through_on_any_port() -> None:
    assert LOOPBACK.refusal("127.8.8.8", 31337) == ""
    assert LOOPBACK.refusal("10.0.0.1", 80)


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "127.1", "2130706433", "0x7f000001", "0177.0.0.1", "017700000001", "0", "[::1]", "localhost",
             "[::ffff:127.0.0.1]", "[::ffff:7f00:1]"]
)  # fmt: skip
def test_loopback_is_refused_however_it_is_spelled(web: Farm, host: str) -> None:
    strict = Engine(Guard.of([], [int(web.url.rpartition(":")[2])]), "planet-test")

    outcome = strict.fetch(Request(f"http://{host}:{web.url.rpartition(':')[2]}/"))

    assert reason(outcome) in ("refused", "unreachable")
    assert web.seen == []
    strict.close()


@pytest.mark.parametrize(
    "url",
    ["file:///etc/passwd", "ftp://127.0.0.1/", "gopher://127.0.0.1/", "http://u:p@127.0.0.1/", "http:///x", "nonsense"],
)
def test_other_schemes_and_credentials_are_refused(engine: Engine, url: str) -> None:
    assert reason(engine.fetch(Request(url))) == "refused"


def test_a_body_comes_back_as_it_was_sent(engine: Engine, web: Farm) -> None:
    body = gzip.compress(b"hello")
    web.routes["/"] = Reply(body, headers={"Content-Encoding": "gzip", "ETag": 'W/"x"', "X-A": "1"})

    answer = engine.fetch(Request(f"{web.url}/", headers=(("Accept-Encoding", "gzip"),)))

    assert isinstance(answer, Answer)
    assert (answer.status, answer.body, answer.coding) == (200, body, "gzip")
    assert answer.headers["etag"] == 'W/"x"'
    assert web.seen[0].headers["user-agent"] == "planet-test"


def test_redirects_are_followed_and_permanent_ones_named(engine: Engine, web: Farm) -> None:
    web.routes["/a"] = Reply(status=301, headers={"Location": "/b"})
    web.routes["/b"] = Reply(status=302, headers={"Location": f"{web.url}/c"})
    web.routes["/c"] = Reply(b"here")

    answer = engine.fetch(Request(f"{web.url}/a"))

    assert isinstance(answer, Answer)
    assert (answer.url, answer.body, answer.permanently) == (f"{web.url}/c", b"here", f"{web.url}/b")


@pytest.mark.parametrize(
    ("location", "kind"),
    [
        ("http://169.254.169.254/latest/meta-data/", "refused"),
        ("http://10.0.0.1/", "refused"),
        ("http://[::ffff:10.0.0.1]/", "refused"),
        ("file:///etc/passwd", "refused"),
        ("http://user:pw@127.0.0.1/", "refused"),
        ("/again", "redirects"),
    ],
)
def test_every_hop_is_guarded(engine: Engine, web: Farm, location: str, kind: str) -> None:
    web.routes["/again"] = Reply(status=302, headers={"Location": location})

    assert reason(engine.fetch(Request(f"{web.url}/again"))) == kind


def test_validators_do_not_follow_to_another_host(engine: Engine, web: Farm) -> None:
    with farm("127.0.0.2") as other:
        web.routes["/a"] = Reply(status=302, headers={"Location": f"{other.url}/b"})
        other.routes["/b"] = Reply(b"x")

        engine.fetch(Request(f"{web.url}/a", headers=(("If-None-Match", '"mine"'), ("Accept", "text/html"))))

        assert "if-none-match" in web.seen[0].headers
        assert "if-none-match" not in other.seen[0].headers
        assert other.seen[0].headers["accept"] == "text/html"


def test_a_large_body_is_cut_off(engine: Engine, web: Farm) -> None:
    web.routes["/"] = Reply(b"x" * 200_000)

    assert reason(engine.fetch(Request(f"{web.url}/", max_bytes=100_000))) == "large"


def test_a_closed_port_is_unreachable(engine: Engine) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        assert reason(engine.fetch(Request(f"http://127.0.0.1:{unused.getsockname()[1]}/"))) == "unreachable"


def _endless(chunk: bytes, first: bytes) -> Callable[[socket.socket, threading.Event], None]:
    def send(connection: socket.socket, over: threading.Event) -> None:
        connection.sendall(first)
        while not over.wait(0.05):
            connection.sendall(chunk)

    return send


SLOW = {
    "silent": _endless(b"", b""),
    "dripping body": _endless(b"x", b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n"),
    "dripping chunks": _endless(b"1\r\nx\r\n", b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"),
    "dripping headers": _endless(b"X-A: b\r\n", b"HTTP/1.1 200 OK\r\n"),
    "dripping status": _endless(b"O", b"HTTP/1.1 200 "),
    "continue for ever": _endless(b"HTTP/1.1 100 Continue\r\n\r\n", b""),
    "dripping redirect": _endless(b"x", b"HTTP/1.1 302 Found\r\nLocation: /silent\r\nContent-Length: 99\r\n\r\n"),
}


@pytest.mark.parametrize("manner", SLOW)
def test_one_clock_bounds_a_whole_request(engine: Engine, web: Farm, manner: str) -> None:
    web.raw["/"] = SLOW[manner]

    outcome = engine.fetch(Request(f"{web.url}/", seconds=0.6))

    assert reason(outcome) == "slow"
    assert isinstance(outcome, NoAnswer)
    assert outcome.seconds < 10  # of what would be for ever


def _flood(first: bytes, chunk: bytes) -> Callable[[socket.socket, threading.Event], None]:
    def send(connection: socket.socket, over: threading.Event) -> None:
        connection.sendall(first)
        while not over.is_set():
            connection.sendall(chunk)

    return send


@pytest.mark.parametrize(
    ("first", "chunk"),
    [
        (b"HTTP/1.1 200 OK\r\n\r\n", b"x" * 65_536),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 100000000000\r\n\r\n", b"x" * 65_536),
        (b"HTTP/1.1 200 OK\r\n", b"X-A: " + b"b" * 8_000 + b"\r\n"),
        (b"HTTP/1.1 302 Found\r\nLocation: /x\r\n\r\n", b"x" * 65_536),
    ],
    ids=["endless body", "lying length", "endless headers", "endless redirect"],
)
def test_what_never_ends_is_cut_off(engine: Engine, web: Farm, first: bytes, chunk: bytes) -> None:
    web.raw["/"] = _flood(first, chunk)

    assert reason(engine.fetch(Request(f"{web.url}/", seconds=20, max_bytes=300_000))) in ("large", "broken")


def test_a_slow_server_does_not_hold_up_the_others(engine: Engine, web: Farm) -> None:
    with farm("127.0.0.3") as other:
        web.raw["/"] = SLOW["silent"]
        other.routes["/"] = Reply(b"x")
        order: list[object] = []
        waiting = [Request(f"{web.url}/", key="slow", seconds=0.5), Request(f"{other.url}/", key="fast")]

        for landed in engine.sweep(lambda room: [waiting.pop(0) for _ in waiting[:room]]):
            order += [request.key for request, _ in landed]

        assert order == ["fast", "slow"]


def test_a_host_sees_two_connections_at_once_and_every_request(engine: Engine, web: Farm) -> None:
    now, most, lock = [0], [0], threading.Lock()

    def reply(_seen: Seen) -> Reply:
        with lock:
            now[0] += 1
            most[0] = max(most[0], now[0])
        threading.Event().wait(0.02)
        with lock:
            now[0] -= 1
        return Reply(b"x")

    web.routes["/"] = reply

    outcomes = swept(engine, *(Request(f"{web.url}/", key=number) for number in range(12)))

    assert all(isinstance(outcome, Answer) for outcome in outcomes.values())
    assert len(outcomes) == 12
    assert most[0] <= 2


def test_waiting_for_a_busy_host_does_not_count_against_the_deadline(engine: Engine, web: Farm) -> None:
    def reply(_seen: Seen) -> Reply:
        threading.Event().wait(0.2)
        return Reply(b"x")

    web.routes["/"] = reply

    outcomes = swept(engine, *(Request(f"{web.url}/", key=number, seconds=1.2) for number in range(14)))

    assert all(isinstance(outcome, Answer) for outcome in outcomes.values())


def test_a_sweep_given_up_leaves_the_engine_usable(engine: Engine, web: Farm) -> None:
    web.raw["/slow"] = SLOW["silent"]
    web.routes["/"] = Reply(b"x")
    sweep = engine.sweep(lambda _room: [Request(f"{web.url}/slow")])
    next(sweep)
    sweep.close()

    assert isinstance(engine.fetch(Request(f"{web.url}/")), Answer)


@pytest.mark.skipif(not Path("/proc/self/fdinfo").exists(), reason="what is watched is read from Linux' /proc")
def test_a_kept_connection_is_used_again_and_forgotten_when_its_server_closes_it(engine: Engine) -> None:
    accepted: list[socket.socket] = []

    def answer(listener: socket.socket) -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            accepted.append(connection)
            threading.Thread(target=converse, args=[connection], daemon=True).start()

    def converse(connection: socket.socket) -> None:
        with connection, suppress(OSError):
            while connection.recv(10_000):
                connection.sendall(b"HTTP/1.1 204 No Content\r\n\r\n")

    def fetched(listener: socket.socket) -> int:
        outcome = engine.fetch(Request(f"http://127.0.0.1:{listener.getsockname()[1]}/"))
        assert isinstance(outcome, Answer)
        return outcome.status

    with socket.create_server(("127.0.0.1", 0)) as first, socket.create_server(("127.0.0.1", 0)) as second:
        for listener in (first, second):
            threading.Thread(target=answer, args=[listener], daemon=True).start()

        assert [fetched(first), fetched(first), fetched(second)] == [204, 204, 204]
        assert len(accepted) == 2

        accepted[0].shutdown(socket.SHUT_RDWR)
        assert fetched(second) == 204
        assert _watched(engine) <= 1
        assert (fetched(first), len(accepted)) == (204, 3)
        for listener in (first, second):
            listener.shutdown(socket.SHUT_RDWR)


def _watched(engine: Engine) -> int:
    """How many sockets the kernel watches for an engine."""
    lines = Path(f"/proc/self/fdinfo/{engine._poller.fileno()}").read_text().splitlines()
    descriptors = [line.split()[1] for line in lines if line.startswith("tfd:")]
    return sum(os.readlink(f"/proc/self/fd/{number}").startswith("socket:") for number in descriptors)


def test_requests_speaks_through_the_engine(web: Farm) -> None:
    web.routes["/a"] = Reply(status=302, headers={"Location": "/b"})
    web.routes["/b"] = Reply(
        gzip.compress("grüß".encode()),
        headers={"Content-Encoding": "gzip", "Content-Type": "text/plain; charset=utf-8"},
    )

    with session(LOOPBACK, "planet-test") as http:
        response = http.get(f"{web.url}/a")
        http.post(f"{web.url}/b", data={"x": "1"})

    assert (response.status_code, response.url, response.text) == (200, f"{web.url}/b", "grüß")
    assert web.seen[-1].method == "POST"
    assert web.seen[-1].body == b"x=1"


@pytest.mark.parametrize(
    ("path", "error"),
    [
        ("/slow", requests.Timeout),
        ("/inside", requests.exceptions.InvalidURL),
        ("/loop", requests.TooManyRedirects),
        ("/bomb", requests.exceptions.ContentDecodingError),
        ("/large", requests.exceptions.ContentDecodingError),
    ],
)
def test_requests_raises_its_own_errors(web: Farm, path: str, error: type[Exception]) -> None:
    web.raw["/slow"] = SLOW["silent"]
    web.routes["/inside"] = Reply(status=302, headers={"Location": "http://10.0.0.1/"})
    web.routes["/loop"] = Reply(status=302, headers={"Location": "/loop"})
    web.routes["/bomb"] = Reply(gzip.compress(b"\0" * 5_000_000), headers={"Content-Encoding": "gzip"})
    web.routes["/large"] = Reply(b"x" * 1_100_000)

    with session(LOOPBACK, "planet-test", seconds=0.6, max_bytes=1_000_000) as http, pytest.raises(error):
        http.get(f"{web.url}{path}")
