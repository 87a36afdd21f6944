"""One guard for everything that we fetch: one table of cases, run against every way to fetch."""

from __future__ import annotations

import gzip
import os
import socket
import subprocess
import sys
import threading
import zlib
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, suppress
from dataclasses import replace
from pathlib import Path

import pytest
import requests
from click.testing import CliRunner

from aggregator import config
from aggregator.cli import main
from aggregator.errors import PlanetError
from aggregator.model import Notice
from aggregator.outbound import Answer, Engine, Guard, NoAnswer, Outcome, Request
from aggregator.outbound.session import session
from jobs import equipment
from jobs.comments import poll_comments
from jobs.faces import fetch_faces
from jobs.notify import channels
from jobs.poll import Sweep
from jobs.recheck import recheck
from jobs.verify import Verification
from tests.farm import Farm, Reply, farm
from tests.isolated import isolated
from tests.world import World, feed_at

ROOT = Path(__file__).parents[1]
LOOPBACK = Guard.of(["127.0.0.0/8", "::1/128"], [80])
Way = Callable[..., Outcome]


def swept(guard: Guard, url: str, seconds: float = 5.0, max_bytes: int = 1_000_000) -> Outcome:
    """As feeds are fetched: many at once."""
    waiting = [Request(url, key=number, seconds=seconds, max_bytes=max_bytes) for number in range(2)]
    with Engine(guard, "planet-test") as engine:
        landed = list(engine.sweep(lambda room: [waiting.pop() for _ in waiting[:room]]))
    first, second = (outcome for part in landed for _, outcome in part)
    assert type(first) is type(second)
    return first


def single(guard: Guard, url: str, seconds: float = 5.0, max_bytes: int = 1_000_000) -> Outcome:
    """As a page is fetched."""
    with Engine(guard, "planet-test") as engine:
        return engine.fetch(Request(url, seconds=seconds, max_bytes=max_bytes))


def by_requests(guard: Guard, url: str, seconds: float = 5.0, max_bytes: int = 1_000_000) -> Outcome:
    """As through the face that knows requests."""
    with session(guard, "planet-test", seconds=seconds, max_bytes=max_bytes) as http:
        try:
            response = http.get(url)
        except (requests.RequestException, ValueError) as error:
            kinds = {requests.exceptions.InvalidURL: "refused", requests.Timeout: "slow"}
            return NoAnswer(kinds.get(type(error), "broken"), str(error))  # type: ignore[arg-type]
    return Answer(response.url, response.status_code, dict(response.headers), response.content)


WAYS = [swept, single, by_requests]
every_way = pytest.mark.parametrize("way", WAYS, ids=["swept", "single", "requests"])


def refused(outcome: Outcome) -> str:
    assert isinstance(outcome, NoAnswer), outcome
    return outcome.reason


SPELLINGS = [
    "127.0.0.1", "127.1", "127.0.1", "2130706433", "0x7f000001", "0x7f.0.0.1", "0x7f.1", "0177.0.0.1", "017700000001", "0", "0.0.0.0",
    "127.000.000.001", "127.0.0.1.", "localhost", "LocalHost", "localhost.", "[::1]", "[0:0:0:0:0:0:0:1]", "[::]", "[::ffff:127.0.0.1]",
    "[::ffff:7f00:1]", "[::127.0.0.1]", "[::ffff:0:127.0.0.1]", "[64:ff9b::7f00:1]", "[64:ff9b:1::7f00:1]", "[2002:7f00:1::]", "[fe80::1]",
    "[fe80::1%25lo]", "[fc00::1]", "[fd00:ec2::254]", "[ff02::1]", "[fec0::1]", "[2001:db8::1]", "[2001::1]", "[3fff::1]", "[5f00::1]",
    "[100::1]", "10.0.0.1", "172.16.0.1", "192.168.0.1", "100.64.0.1", "100.100.100.200", "169.254.169.254", "169.254.170.2",
    "192.0.0.192", "192.0.2.1", "192.88.99.1", "198.18.0.1", "198.51.100.1", "203.0.113.1", "224.0.0.1", "239.255.255.250", "240.0.0.1",
    "255.255.255.255", "168.63.129.16", "１２７.0.0.1", "127。0。0。1", "①②⑦.⓪.⓪.①", "ⓛocalhost", "loc\u00adalhost", "127.0.0.1%00.example",
    "127.0.0.1\\@8.8.8.8", "8.8.8.8@127.0.0.1", "127.0.0.1#@8.8.8.8", "127.0.0.1?@8.8.8.8", "%31%32%37.0.0.1", "127.0.0.1 ", "127.0.0.1\t",
]  # fmt: skip


@pytest.fixture(scope="module")
def inside() -> Iterator[Farm]:
    """A server on this machine, which a strict guard lets nobody reach."""
    with farm() as made:
        made.routes["/"] = Reply(b"secret")
        yield made


@every_way
@pytest.mark.parametrize("host", SPELLINGS)
def test_no_spelling_of_an_address_inside_is_connected_to(inside: Farm, way: Way, host: str) -> None:
    port = inside.url.rpartition(":")[2]

    outcome = way(Guard.of([], [int(port)]), f"http://{host}:{port}/", seconds=2.0)

    refused(outcome)
    assert inside.seen == []


@every_way
@pytest.mark.parametrize(
    "host", ["10.0.0.1", "169.254.169.254", "[::ffff:127.0.0.1]", "[64:ff9b::7f00:1]", "127.1", "localhost"]
)
def test_a_refusal_is_named_as_one(way: Way, host: str) -> None:
    assert "is not a public address" in refused(way(Guard(), f"http://{host}/"))


@every_way
@pytest.mark.parametrize(
    "url",
    ["file:///etc/passwd", "ftp://127.0.0.1/", "gopher://127.0.0.1/", "dict://127.0.0.1:11211/stat", "ws://127.0.0.1/", "javascript:1",
     "http://u:p@127.0.0.1/", "http://@127.0.0.1/", "http:///x", "http://127.0.0.1:0/", "http://127.0.0.1:99999/", "nonsense", "",
     "http://[::1/", "http://127.0.0.1:80:80/", "http://a..b/", "http://-/", "http://\x00/", "unix:///run/x", "http://[v1.x]/"],
)  # fmt: skip
def test_what_is_no_address_of_the_web_is_not_asked_for(way: Way, url: str) -> None:
    refused(way(LOOPBACK, url))


@every_way
@pytest.mark.parametrize("port", [1, 22, 25, 53, 110, 3306, 5432, 6379, 9200, 11211])
def test_other_ports_of_public_addresses_are_not_connected_to(way: Way, port: int) -> None:
    assert f"port {port} is not allowed" in refused(way(Guard(), f"http://8.8.8.8:{port}/"))


LOCATIONS = [
    "http://169.254.169.254/latest/meta-data/", "http://10.0.0.1/", "http://[::ffff:10.0.0.1]/", "//10.0.0.1/", "http://0x0a.1/",
    "http://8.8.8.8:25/", "file:///etc/passwd", "gopher://127.0.0.1/", "http://user:pw@127.0.0.1/", "https:10.0.0.1/", "http://[::1%25lo]/",
    "http://127.0.0.1:0/", "\\\\10.0.0.1/x", "http:/\\10.0.0.1/", "http://10。0。0。1/", "javascript:alert(1)", "data:text/html,x", "http://",
    "http://127.0.0.1:99999/", "http://\r\n10.0.0.1/".replace("\r\n", "\t"), "/again", "?again",
]  # fmt: skip


@every_way
@pytest.mark.parametrize("location", LOCATIONS)
@pytest.mark.parametrize("hops", [1, 3])
def test_no_hop_of_a_redirect_leads_inside(web: Farm, inside: Farm, way: Way, location: str, hops: int) -> None:
    for hop in range(1, hops):
        web.routes[f"/{hop}"] = Reply(status=302, headers={"Location": f"/{hop + 1}"})
    web.routes[f"/{hops}"] = web.routes["/again"] = Reply(status=307, headers={"Location": location})
    outcome = way(Guard.of([f"{web.url[7:].partition(':')[0]}/32"], [80]), f"{web.url}/1", seconds=2.0)

    assert isinstance(outcome, NoAnswer) or outcome.status == 404  # a path of the same server
    assert inside.seen == []
    assert len(web.seen) <= 12


@every_way
def test_after_five_redirects_there_is_no_sixth(web: Farm, way: Way) -> None:
    for hop in range(9):
        web.routes[f"/{hop}"] = Reply(status=302, headers={"Location": f"/{hop + 1}"})
    web.routes["/9"] = Reply(b"here")

    assert isinstance(way(LOOPBACK, f"{web.url}/4"), Answer)
    assert "more than 5 redirects" in refused(way(LOOPBACK, f"{web.url}/3"))


@every_way
def test_the_environment_names_no_proxy(web: Farm, way: Way, tmp_path: Path) -> None:
    """A variable that an operator has set for other programs would lead around the guard."""
    with farm("127.0.0.2") as proxy:
        program = (
            "import sys; from aggregator.outbound import *; from tests.test_guard import LOOPBACK, WAYS\n"
            f"print(next(way for way in WAYS if way.__name__ == '{way.__name__}')(LOOPBACK, '{web.url}/'))"
        )
        names = ("http_proxy", "HTTP_PROXY", "https_proxy", "all_proxy", "ALL_PROXY")
        paths = os.pathsep.join([str(ROOT), str(ROOT / "xmlrpc"), os.environ["PYTHONPATH"]])
        (tmp_path / ".netrc").write_text("machine 127.0.0.1 login a password b\n")
        environment = {**os.environ, **dict.fromkeys(names, proxy.url), "PYTHONPATH": paths, "HOME": str(tmp_path)}
        web.routes["/"] = Reply(b"here")

        done = subprocess.run(
            [sys.executable, "-c", program], env=environment, capture_output=True, text=True, timeout=60
        )

        assert "b'here'" in done.stdout, done.stderr
        assert proxy.seen == []
        assert "authorization" not in web.seen[0].headers


def test_everything_that_is_fetched_goes_through_the_guard(
    world: Callable[..., World], web: Farm, tmp_path: Path
) -> None:
    """A strict planet is led inside by every way that there is: feeds, moves, faces, comments, pages, endpoints."""
    with farm("127.0.0.66") as forbidden:
        trap = f"{forbidden.url}/trap"
        feed_at(web, ("/1", "One", f'<a href="{web.url}/2">x</a>'), ("/2", "Two", "x"))
        body = web.routes["/feed"].body  # type: ignore[union-attr]
        inner = f"<image><url>{trap}/face.png</url></image><atom:link rel='hub' href='{trap}/hub' xmlns:atom='http://www.w3.org/2005/Atom'/>"
        comments = (
            f"<wfw:commentRss xmlns:wfw='http://wellformedweb.org/CommentAPI/'>{web.url}/comments</wfw:commentRss>"
        )
        body = body.replace(b"<item>", f"{inner}<item>{comments}".encode(), 1)
        web.routes["/feed"] = Reply(body)
        for path in ("/moved", "/comments", "/answer", "/vouch", "/1", "/2", "/face"):
            web.routes[path] = Reply(status=301, headers={"Location": f"{trap}{path}"})
        web.html("/home", f'<link rel="alternate" type="application/rss+xml" href="{trap}/found">')
        here = world(f"{web.url}/feed", f"{web.url}/moved", f"{web.url}/home", f"{trap}/feed",
                     f'\n[[feeds]]\nurl = "{web.url}/none"\nface = "{trap}/own-face"\n',
                     f'\n[[feeds]]\nurl = "{web.url}/none2"\nface = "{web.url}/face"\n')  # fmt: skip
        text = here.planet.path.read_text("utf-8").replace('"127.0.0.0/8", "::1/128"', '"127.0.0.1/32"')
        here.planet.path.write_text(text, "utf-8")
        strict = config.parse(text, here.planet.path)

        with equipment.engine_for(strict) as engine, equipment.verifier_for(strict) as verifier:
            policy = equipment.policy_for(strict)
            for _ in range(3):
                Sweep(here.database, engine, here.children, equipment.terms_for(strict), here.clock).run()
                poll_comments(here.database, engine, here.children, policy, here.clock)
                fetch_faces(here.database, engine, here.children, here.clock)
                here.ping(f"{web.url}/answer", f"{web.url}/1")
                here.ping(f"{trap}/answer", f"{web.url}/1")
                Verification(here.database, verifier, here.children, policy, here.clock).run()
                recheck(here.database, verifier, here.clock)
                here.later(hours=26)
            tell = channels(
                replace(strict, notify=strict.notify.model_copy(update={"webhook": f"{trap}/hook"})), engine
            )
            with suppress(PlanetError):
                tell["webhook"]((Notice("retired", f"{web.url}/feed", "x"),), here.now)
        web.html("/page", f'<a href="{web.url}/target">x</a><a href="{trap}/target">y</a>')
        web.routes["/target"] = Reply(
            b"x", headers={"X-Pingback": f"{trap}/xmlrpc", "Link": f"<{trap}/wm>; rel=webmention"}
        )
        for words in (["ping", f"{web.url}/page", f"{web.url}/target"], ["ping", f"{web.url}/page", f"{trap}/target"],
                      ["ping", f"{trap}/page"], ["ping", f"{web.url}/page"], ["add", f"{web.url}/home"], ["add", f"{trap}/home"], ["check", "--online"],
                      ["check", "--online", "--fix"]):  # fmt: skip
            CliRunner().invoke(main, [*words, "--config", str(strict.path)])

        asked = {seen.path for seen in web.seen}
        assert asked >= {"/feed", "/moved", "/comments", "/answer", "/home", "/face", "/page", "/target"}, asked
        assert forbidden.seen == []


# -- one lookup, one clock ---------------------------------------------------------------------------

RESOLVER = ROOT / "tests" / "resolver.py"


def asked_of_a_resolver(kind: str) -> dict[str, object]:
    """Run tests/resolver.py in a network of its own, where it is the resolver."""
    paths = os.pathsep.join([str(ROOT), str(ROOT / "xmlrpc")])
    done = subprocess.run(
        [*isolated("mount", "net"), sys.executable, str(RESOLVER), kind],
        env={**os.environ, "PYTHONPATH": paths}, capture_output=True, text=True, timeout=90,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return dict(eval(done.stdout.strip().splitlines()[-1]))


def test_a_name_is_looked_up_once_for_a_connection_and_the_address_that_was_judged_is_used() -> None:
    said = asked_of_a_resolver("rebinding")

    # The first answer may be reached, every later one is inside.
    assert said["lookups"] == {"rebind.test": 1, "other.test": 1}
    assert said["answers"] == ["200 from 127.0.0.1", "200 from 127.0.0.1"]
    assert said["judged"] == ["127.0.0.1", "127.0.0.1"]


def test_every_address_of_a_name_is_judged_before_it_is_connected_to() -> None:
    said = asked_of_a_resolver("mixed")

    assert set(said["judged"]) <= {"10.0.0.1", "169.254.169.254"}
    assert said["judged"]
    assert all("is not a public address" in str(answer) for answer in said["answers"])


def test_a_resolver_that_is_silent_or_says_no_is_bounded_like_a_server() -> None:
    silent, refusing = asked_of_a_resolver("silent"), asked_of_a_resolver("failing")

    assert all("within 2 seconds" in str(answer) for answer in silent["answers"])
    assert silent["seconds"] < 6
    assert all("unreachable" in str(answer) for answer in refusing["answers"])


@every_way
@pytest.mark.parametrize("manner", ["silent", "dripping"])
def test_the_one_clock_bounds_a_tls_handshake_too(way: Way, manner: str) -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as server, ExitStack() as held:

        def take_and_hold() -> None:
            with suppress(OSError):  # closed at the end
                while True:
                    connection = held.enter_context(server.accept()[0])
                    # The beginning of a record, and never its end.
                    connection.sendall(b"\x16\x03\x03\x40\x00" if manner == "dripping" else b"")

        thread = threading.Thread(target=take_and_hold)
        thread.start()

        outcome = way(LOOPBACK, f"https://127.0.0.1:{server.getsockname()[1]}/", seconds=0.6)

        server.shutdown(socket.SHUT_RDWR)
        thread.join()
    assert isinstance(outcome, NoAnswer)
    assert outcome.kind == "slow"
    assert outcome.seconds < 10  # of what would be for ever


# -- bounds ------------------------------------------------------------------------------------------


def _zeros(size: int, layers: int) -> bytes:
    """Zeros in so many layers of gzip."""
    squeeze = zlib.compressobj(9, wbits=31)
    body = b"".join([*(squeeze.compress(bytes(1_000_000)) for _ in range(size // 1_000_000)), squeeze.flush()])
    for _ in range(layers - 1):
        body = gzip.compress(body)
    return body


@pytest.mark.parametrize(
    ("layers", "coding"),
    [
        (1, "gzip"),
        (2, "gzip, gzip"),
        (20, ", ".join(["gzip"] * 20)),
        (20, "gzip"),
        (3, "br, gzip, deflate"),
        (1, "x-unknown"),
    ],
)
def test_a_bomb_in_layers_is_not_unpacked(web: Farm, layers: int, coding: str) -> None:
    web.routes["/"] = Reply(_zeros(200_000_000, layers), headers={"Content-Encoding": coding})

    outcome = by_requests(LOOPBACK, f"{web.url}/")

    # What it is not asked to unpack it leaves as it came: small.
    assert isinstance(outcome, NoAnswer) or len(outcome.body) < 200_000


@every_way
def test_a_body_that_would_be_ten_gigabytes_is_cut_off_on_the_wire(web: Farm, way: Way) -> None:
    sent = [0]

    def flood(connection: socket.socket, over: threading.Event) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 10000000000\r\n\r\n")
        while not over.is_set():
            connection.sendall(bytes(65_536))
            sent[0] += 65_536

    web.raw["/"] = flood

    assert isinstance(way(LOOPBACK, f"{web.url}/", max_bytes=300_000), NoAnswer)
    assert sent[0] < 20_000_000


@every_way
@pytest.mark.parametrize(
    "line", [b"X: " + b"x" * 70_000 + b"\r\n", b"X: y\r\n" * 12_000, b"Set-Cookie: a=b\r\n" * 5_000]
)
def test_headers_are_bounded(web: Farm, way: Way, line: bytes) -> None:
    def send(connection: socket.socket, _over: threading.Event) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\n" + line + b"Content-Length: 1\r\n\r\nx")

    web.raw["/"] = send

    assert isinstance(way(LOOPBACK, f"{web.url}/"), NoAnswer)
