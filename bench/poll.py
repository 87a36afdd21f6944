"""Figures of polls: `python -m bench.poll [FEEDS]`. A farm of feeds, ourselves and the peers, in turns.

Phases: cold (everything is new), warm (all answer 304), changed (5 % have a new entry), unchanged 200s without
validators, new TLS connections, 304s that take 100 ms each. Peers that take a hundred times as long get fewer feeds;
what counts is CPU per feed, and what the clock says stands beside it.

Whoever stays in memory does a cycle just before the one that is measured, which isn't: on virtual machines a page of
memory that nobody has touched for a tenth of a second may cost 40 µs, which is the machine's and not the cycle's.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from statistics import median

from bench import peers
from bench.farm import Farm, serving
from bench.machine import Usage
from bench.report import Figure, Report

TURNS = 3
SHARE = 0.05
MOST_FOR_SLOW = 150
LATENCY = 0.1
AT_ONCE = 128
_NAMES = ("cold", "warm", "changed")

Polls = dict[str, list[Usage]]


def measure(report: Report, feeds: int, turns: int = TURNS) -> None:
    """Poll a farm in all phases, and add what came out to the report."""
    with tempfile.TemporaryDirectory(prefix="planet-bench-") as name:
        folder = Path(name)
        with serving(folder / _made(folder, "farm"), feeds) as farm:
            report.note(f"{feeds} feeds of {farm.size / feeds / 1000:.0f} KB each, {turns} turns")
            _with_validators(report, farm, folder, turns)
            _without_validators(report, farm, folder, turns)
            _over_tls(report, farm, folder, turns)
        _with_latency(report, folder, min(feeds, 1_000))


def _made(folder: Path, name: str) -> str:
    (folder / name).mkdir()
    return name


def _with_validators(report: Report, farm: Farm, folder: Path, turns: int) -> None:
    few = farm.urls()[:MOST_FOR_SLOW]
    contestants: dict[str, tuple[Callable[[Path, list[str]], peers.Peer], list[str]]] = {
        "planet poll": (peers.our_command, farm.urls()),
        "planet, at work": (peers.our_cycle, farm.urls()),
        "newsboat": (peers.newsboat, farm.urls()),
        "reader": (peers.reader, few),
        "requests+feedparser": (peers.plain, few),
        "sfeed": (peers.sfeed, few),
        "bare libcurl": (peers.bare, farm.urls()),
    }
    taken: dict[str, Polls] = {name: {phase: [] for phase in _NAMES} for name in contestants}
    for turn in range(turns):
        farm.changed(SHARE, 0)()
        made = {
            name: peer(folder / f"{turn}-{number}", urls)
            for number, (name, (peer, urls)) in enumerate(contestants.items())
        }
        for phase in _NAMES:
            for name, peer in made.items():
                change = _one_new_entry(farm) if phase == "changed" else None
                if phase != "cold":
                    peer.warm_up()
                if change is not None:
                    change()
                taken[name][phase].append(peer.poll())
                expected = farm.entries(len(contestants[name][1])) if name != "bare libcurl" else 0
                if peer.holds < expected:
                    sys.exit(f"bench: {name} holds {peer.holds} entries of {expected} after the {phase} poll")
        for peer in made.values():
            peer.close()
    count = {name: len(urls) for name, (_, urls) in contestants.items()}
    each = {name: {phase: _median(polls, count[name]) for phase, polls in of.items()} for name, of in taken.items()}
    report.table("Polls, CPU ms a feed", list(_NAMES), _rows(each, count, lambda usage: usage.cpu))
    report.table("Polls, wall ms a feed", list(_NAMES), _rows(each, count, lambda usage: usage.wall))
    ours, cycle, bare = each["planet poll"], each["planet, at work"], each["bare libcurl"]
    report.add(_times("cold poll, process: newsboat", each["newsboat"]["cold"], ours["cold"], 2.5, 3.5))
    report.add(_times("cold poll, cycle: reader", each["reader"]["cold"], cycle["cold"], 12, 20))
    report.add(_times("warm poll, process: newsboat", each["newsboat"]["warm"], ours["warm"], 15, 20))
    report.add(_times("warm poll, cycle: reader", each["reader"]["warm"], cycle["warm"], 40, 80))
    report.add(_in("warm poll, cycle, in bare libcurls", cycle["warm"], bare["warm"], 2.5, 1.5))
    report.add(_times("5 % changed, cycle: reader", each["reader"]["changed"], cycle["changed"], 15, 25))
    peak = max(usage.peak for phase in taken["planet, at work"].values() for usage in phase)
    report.add(Figure("memory of a sweep, PSS MB", peak, 250, 180, less=True))


def _one_new_entry(farm: Farm) -> Callable[[], None]:
    """Take back what the one before was to find, and prepare it anew: all find the same."""
    farm.changed(SHARE, 0)()
    return farm.changed(SHARE, 1)


def _without_validators(report: Report, farm: Farm, folder: Path, turns: int) -> None:
    few = farm.urls("bare")[:MOST_FOR_SLOW]
    ours, theirs = peers.our_cycle(folder / "bare", farm.urls("bare")), peers.reader(folder / "bare-reader", few)
    mine: list[Usage] = []
    others: list[Usage] = []
    for _ in range(turns):
        for peer, polls in ((ours, mine), (theirs, others)):
            peer.warm_up()  # the very first one is cold
            polls.append(peer.poll())
    ours.close()
    theirs.close()
    slower, faster = _median(others, len(few)), _median(mine, farm.feeds)
    report.add(_times("unchanged 200s, cycle: reader", slower, faster, 150, 300))


def _over_tls(report: Report, farm: Farm, folder: Path, turns: int) -> None:
    """Only the first cycle of a process makes all its connections anew; so it is begun anew each time."""
    urls, authority = farm.urls("tls"), str(farm.authority)
    first = peers.our_cycle(folder / "tls", urls, authority)
    first.poll()
    first.close()
    ratios = []
    for turn in range(turns):
        ours = peers.Resident("planet", folder / f"tls-{turn}", urls, authority, str(folder / "tls/resident/planet"))
        theirs = peers.bare(folder / f"tls-bare-{turn}", urls, authority)
        mine, other = ours.poll(), theirs.poll()
        ours.close()
        theirs.close()
        ratios.append(mine.cpu / other.cpu)
    report.add(Figure("new TLS connections, in bare libcurls", median(ratios), 1.3, 1.1, less=True))


def _with_latency(report: Report, folder: Path, feeds: int) -> None:
    from bench.slow import serving_slowly

    with serving_slowly(feeds, LATENCY) as urls:
        ours = peers.our_cycle(folder / "slow", urls)
        ours.poll()
        wall = min(ours.poll().wall for _ in range(3))
        ours.close()
    ideal = feeds / AT_ONCE * LATENCY
    report.add(Figure(f"{feeds} hosts with 100 ms each, in ideal times", wall / ideal, 1.5, 1.2, less=True))


def _median(polls: Sequence[Usage], feeds: int) -> Usage:
    """What a feed took."""
    return Usage(median(usage.cpu for usage in polls) / feeds, median(usage.wall for usage in polls) / feeds)


def _rows(
    each: dict[str, dict[str, Usage]], count: dict[str, int], kind: Callable[[Usage], float]
) -> Iterator[tuple[str, list[str]]]:
    for name, of in each.items():
        yield f"{name} ({count[name]})", [f"{1000 * kind(usage):.3f}" for usage in of.values()]


def _times(what: str, theirs: Usage, ours: Usage, must: float, aim: float) -> Figure:
    return Figure(what, theirs.cpu / ours.cpu, must, aim, clock=theirs.wall / ours.wall)


def _in(what: str, ours: Usage, theirs: Usage, must: float, aim: float) -> Figure:
    return Figure(what, ours.cpu / theirs.cpu, must, aim, less=True, clock=ours.wall / theirs.wall)


if __name__ == "__main__":
    told = Report("poll")
    measure(told, int(sys.argv[1]) if len(sys.argv) > 1 else 1_000)
    told.finish()
