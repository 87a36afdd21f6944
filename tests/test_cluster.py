"""Sweeps on a Dask cluster: a real scheduler and real workers on loopback."""

from __future__ import annotations

import gzip
import re
import subprocess
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import dask
import pytest

from aggregator import store
from jobs import equipment
from jobs.children import Children
from jobs.cluster import BATCH, Cluster
from jobs.outcomes import request
from jobs.poll import Sweep
from tests.builders import planet, rss
from tests.dask_cluster import Machines, machines
from tests.farm import Farm, Reply, Seen, farm
from tests.world import World, feed_at


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machines]:
    with machines(tmp_path_factory.mktemp("cluster")) as made:
        yield made


class Far:
    """A world whose sweeps run on a cluster; what is fetched from this process can be forbidden."""

    def __init__(self, world: World, address: str, *, only_there: bool = True) -> None:
        self.world = world
        workers = world.planet.workers.model_copy(update={"dask": address})
        world.configure(replace(world.planet, workers=workers))
        self.engine = equipment.engine_for(_shut_in(world.planet) if only_there else world.planet)
        made = equipment.cluster_for(world.planet, self.engine, world.clock)
        assert made is not None
        self.cluster: Cluster = made

    def poll(self) -> object:
        world = self.world
        terms = equipment.terms_for(world.planet)
        sweep = Sweep(world.database, self.engine, world.children, terms, world.clock, fetcher=self.cluster)
        return sweep.run()

    def close(self) -> None:
        self.cluster.close()
        self.engine.close()


def _shut_in(planet: object) -> object:
    network = planet.network.model_copy(update={"allow_addresses": []})  # type: ignore[attr-defined]
    return replace(planet, network=network)  # type: ignore[type-var]


@pytest.fixture
def far(world: Callable[..., World]) -> Iterator[Callable[..., Far]]:
    made: list[Far] = []

    def make(address: str, *feeds: str, more: str = "", only_there: bool = True) -> Far:
        made.append(Far(world(*feeds, more=more), address, only_there=only_there))
        return made[-1]

    yield make
    for each in made:
        each.close()


def stored(world: World) -> tuple[list[tuple[object, ...]], ...]:
    """What polls leave, but for how long they took."""
    feeds = "SELECT url, etag, body_hash, status, failures, problem, next_poll_at, address, moved_to, title FROM feed"
    entries = "SELECT guid, title, html, hidden, content_hash, shown_at FROM entry"
    polls = "SELECT feed_id, status, bytes, outcome, new_entries, edited_entries, problem FROM poll"
    rows = (world.database.execute(query).fetchall() for query in (feeds, entries, polls))
    return tuple(sorted(tuple(_timeless(value) for value in row) for row in found) for found in rows)


def _timeless(value: object) -> object:
    return re.sub(r"after \d+ ms", "", value) if isinstance(value, str) else value


def of_all_kinds(web: Farm, elsewhere: Farm) -> list[str]:
    """Feeds that are good, packed, moved, guarded, gone, hostile, or no feeds."""
    feed_at(web, ("/1", "One", "<script>x</script><p>one</p>"), path="/plain", ETag='"1"')
    feed_at(elsewhere, ("/e", "Elsewhere", "x"), path="/there")
    web.routes["/packed"] = Reply(
        gzip.compress(rss([(f"{web.url}/2", "Two", "x")])), headers={"Content-Encoding": "gzip"}
    )
    web.routes["/bomb"] = Reply(gzip.compress(b"x" * 50_000_000), headers={"Content-Encoding": "gzip"})
    web.routes["/moved"] = Reply(status=301, headers={"Location": f"{elsewhere.url}/there"})
    web.routes["/inside"] = Reply(status=302, headers={"Location": "http://169.254.169.254/"})
    web.routes["/busy"] = Reply(status=429, headers={"Retry-After": "600"})
    web.routes["/junk"] = Reply(b"junk")
    web.html("/page", '<!doctype html><html><head><link rel="alternate" type="application/rss+xml" href="/plain2">')
    feed_at(web, ("/3", "Three", "x"), path="/plain2")
    names = ("plain", "packed", "bomb", "moved", "inside", "junk", "page", "missing")
    return [*(f"{web.url}/{name}" for name in names), "http://127.0.0.1:9/closed"]


def test_a_sweep_on_the_cluster_leaves_what_a_sweep_here_leaves(
    cluster: Machines, far: Callable[..., Far], web: Farm, elsewhere: Farm, tmp_path: Path, children: Children
) -> None:
    feeds = of_all_kinds(web, elsewhere)
    there = far(cluster.address, *feeds, only_there=False)
    (tmp_path / "here").mkdir()
    here = World(planet(tmp_path / "here", feeds), children)

    for change in (lambda: None, lambda: feed_at(web, ("/1", "One, edited", "y"), ("/9", "Nine", "z"), path="/plain")):
        change()
        there.poll()
        here.poll()
        left_here, left_there = stored(here), stored(there.world)
        there.world.later(hours=26)
        here.later(hours=26)

        assert left_there == left_here
    assert there.cluster.trouble == ""
    assert "Nine" in here.titles()
    here.close()


def test_feeds_are_fetched_and_read_on_the_workers(cluster: Machines, far: Callable[..., Far], web: Farm) -> None:
    there = far(cluster.address, feed_at(web, ("/1", "One", "x"), ETag='"1"'))

    there.poll()
    web.routes["/feed"] = Reply(status=304)
    there.world.later(hours=2)
    again = there.poll()

    assert there.world.titles() == ["One"]  # from here nothing on loopback may be reached
    assert again.unchanged == 1  # type: ignore[attr-defined]
    assert web.seen[-1].headers["if-none-match"] == '"1"'
    assert web.seen[-1].headers["user-agent"].startswith("planet/")


class Crowd:
    """Counts how many requests are under way at each host at once."""

    def __init__(self) -> None:
        self.now: Counter[str] = Counter()
        self.most: Counter[str] = Counter()
        self._lock = threading.Lock()

    def at(self, host: str, reply: Reply) -> Callable[[Seen], Reply]:
        def answer(_seen: Seen) -> Reply:
            with self._lock:
                self.now[host] += 1
                self.most[host] = max(self.most[host], self.now[host])
            threading.Event().wait(0.02)
            with self._lock:
                self.now[host] -= 1
            return reply

        return answer


def test_a_hosts_limit_holds_over_all_workers_and_redirects(
    cluster: Machines, far: Callable[..., Far], web: Farm
) -> None:
    crowd = Crowd()
    with farm("127.0.0.2") as second, farm("127.0.0.3") as third:
        for number in range(BATCH):
            body = Reply(rss([(f"{web.url}/{number}", f"Post {number}", "x")]))
            web.routes[f"/{number}"] = crowd.at("first", body)
            to = Reply(status=302, headers={"Location": f"{web.url}/{number}"})
            second.routes[f"/{number}"] = crowd.at("second", to)
            third.routes[f"/{number}"] = crowd.at("third", to)
        # Host by host, so that each has a batch of its own and two of them lead to the one that is being asked.
        there = far(
            cluster.address, *(f"{host.url}/{number}" for host in (web, second, third) for number in range(BATCH))
        )

        done = there.poll()

    assert done.fetched == 3 * BATCH  # type: ignore[attr-defined]
    assert set(crowd.most) == {"first", "second", "third"}
    assert max(crowd.most.values()) <= 2


def stuck(web: Farm, path: str) -> tuple[threading.Event, threading.Event]:
    """Have a feed answer only when the second event is set; the first one tells that it has been asked for."""
    caught, over = threading.Event(), threading.Event()
    good = web.routes[path]

    def answer(_seen: Seen) -> Reply:
        caught.set()
        over.wait(20)
        assert isinstance(good, Reply)
        return good

    web.routes[path] = answer
    return caught, over


def test_a_worker_that_is_killed_in_a_batch_leaves_no_gap_and_no_double(
    tmp_path: Path, far: Callable[..., Far], web: Farm
) -> None:
    feeds = [feed_at(web, (f"/{number}", f"Post {number}", "x"), path=f"/feed{number}") for number in range(20)]
    caught, over = stuck(web, "/feed7")
    with machines(tmp_path / "machines", 1, 1) as made:
        there = far(made.address, *feeds)

        def kill() -> None:
            caught.wait(20)
            made.workers[0].kill()
            made.workers[0].wait()
            made.workers.append(
                made._start("worker", made.address, "--host", "127.0.0.1", "--no-dashboard", "--no-nanny")
            )
            over.set()

        killer = threading.Thread(target=kill)
        killer.start()
        done = there.poll()
        killer.join()

    asked = Counter(seen.path for seen in web.seen)
    assert done.fetched == done.new_entries == 20  # type: ignore[attr-defined]
    assert sorted(there.world.titles()) == sorted(f"Post {number}" for number in range(20))
    assert asked["/feed7"] == 2
    assert there.cluster.trouble == ""


def test_local_processes_take_over_when_the_scheduler_vanishes(
    tmp_path: Path, far: Callable[..., Far], web: Farm
) -> None:
    feeds = [feed_at(web, (f"/{number}", f"Post {number}", "x"), path=f"/feed{number}") for number in range(20)]
    caught, over = stuck(web, "/feed7")
    with machines(tmp_path / "machines", 1, 1) as made:
        there = far(made.address, *feeds, only_there=False)

        def kill() -> None:
            caught.wait(20)
            made.scheduler.kill()
            over.set()

        killer = threading.Thread(target=kill)
        killer.start()
        done = there.poll()
        killer.join()
    again = there.poll()

    assert done.fetched == done.new_entries == 20  # type: ignore[attr-defined]
    assert sorted(there.world.titles()) == sorted(f"Post {number}" for number in range(20))
    assert there.cluster.trouble.startswith(
        f"the cluster at {made.address} can't be used, so feeds are read on this machine"
    )
    assert again.failed == 0  # type: ignore[attr-defined]


def test_local_processes_take_over_when_the_last_worker_goes_and_the_scheduler_stays(
    tmp_path: Path, far: Callable[..., Far], web: Farm
) -> None:
    feeds = [feed_at(web, (f"/{number}", f"Post {number}", "x"), path=f"/feed{number}") for number in range(5)]
    (caught, gone), over = stuck(web, "/feed2"), threading.Event()
    with machines(tmp_path / "machines", 1, 1) as made:
        there = far(made.address, *feeds, only_there=False)

        def kill() -> None:
            caught.wait(20)
            made.workers[0].kill()
            made.workers[0].wait()
            gone.set()
            for _ in range(100):  # far less than a batch may take
                there.world.now += timedelta(seconds=6)
                if over.wait(0.1):
                    break

        killer = threading.Thread(target=kill)
        killer.start()
        done = there.poll()
        over.set()
        killer.join()

    assert done.fetched == done.new_entries == 5  # type: ignore[attr-defined]
    assert there.cluster.trouble.endswith("it has no workers")


def test_a_sweep_that_is_cut_off_leaves_nothing_behind(cluster: Machines, far: Callable[..., Far], web: Farm) -> None:
    over = threading.Event()

    def slow(_seen: Seen) -> Reply:
        over.wait(20)
        return Reply(status=500)

    web.routes["/slow"] = slow
    there = far(cluster.address, f"{web.url}/slow", f"{web.url}/slow?2")
    terms = equipment.terms_for(there.world.planet)
    feeds = store.feeds.due(there.world.database, there.world.now, 10)
    asked = [request(feed.address, feed, terms) for feed in feeds]

    sweep = there.cluster.sweep(lambda _room: [asked.pop()] if asked else [])
    first = next(sweep)
    crowded = there.cluster.crowded_hosts()
    sweep.close()
    over.set()

    assert (first, crowded) == ([], {"127.0.0.1"})
    assert there.cluster.crowded_hosts() == set()


def test_a_cluster_that_is_not_there_is_done_without(far: Callable[..., Far], web: Farm) -> None:
    there = far("tcp://127.0.0.1:9", feed_at(web, ("/1", "One", "x")), only_there=False)

    there.poll()

    assert there.world.titles() == ["One"]
    assert "so feeds are read on this machine" in there.cluster.trouble


def test_workers_that_may_have_no_children_are_done_without(tmp_path: Path, far: Callable[..., Far], web: Farm) -> None:
    with machines(tmp_path / "machines", 1, 1, may_have_children=False) as made:
        there = far(made.address, feed_at(web, ("/1", "One", "x")), only_there=False)

        there.poll()

    assert there.world.titles() == ["One"]
    assert "DASK_DISTRIBUTED__WORKER__DAEMON=False" in there.cluster.trouble


def test_a_cluster_behind_tls_is_used_with_the_certificates_of_dasks_own_configuration(
    tmp_path: Path, far: Callable[..., Far], web: Farm
) -> None:
    names = ["-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1"]
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", "key.pem", "-out", "cert.pem"]
    subprocess.run([*command, *names], cwd=tmp_path, check=True, capture_output=True)
    cert, key = str(tmp_path / "cert.pem"), str(tmp_path / "key.pem")
    files = {
        "ca-file": cert,
        **{
            f"{role}.{what}": path
            for role in ("client", "scheduler", "worker")
            for what, path in (("cert", cert), ("key", key))
        },
    }
    options = ["--tls-ca-file", cert, "--tls-cert", cert, "--tls-key", key]
    with (
        dask.config.set({f"distributed.comm.tls.{name}": value for name, value in files.items()}),
        machines(tmp_path / "machines", 1, 1, *options) as made,
    ):
        there = far(made.address, feed_at(web, ("/1", "One", "x")))

        there.poll()

    assert made.address.startswith("tls://")
    assert there.world.titles() == ["One"]
    assert there.cluster.trouble == ""
