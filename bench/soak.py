"""`python -m bench.soak [MINUTES]`: a whole planet under steady load, and whether it stays as large as it is.

Blogs edit their posts, senders ping and webmention, readers read: all of it again and again, so that what the planet
holds does not grow, and whatever grows leaks. Memory (PSS), file descriptors and threads of all its processes, and
the size of the write-ahead log, are sampled; after a warm-up the last third is compared with the first.
"""

from __future__ import annotations

import signal
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from tests.builders import planet
from tests.chaos import answers
from tests.crowd import Crowd, crowd
from tests.farm import eventually, quiet_port
from tests.test_processes import ME, members_of

SAMPLES = 120
WARM_UP = 0.2
MORE = (
    '[poll]\nevery = "2s"\nat_least = "2s"\n[page]\nentries = 20\nper_feed_per_day = 100\n'
    '[linkbacks]\nstrangers = "publish"\n[[topics]]\nname = "Words"\nmatch = ["words"]\n'
)


@dataclass(frozen=True, slots=True)
class Sample:
    """What a planet takes of its machine at one moment."""

    pss_mb: float
    files: int
    threads: int
    wal_mb: float
    database_mb: float
    processes: int


# How much each may be larger at the end than at the beginning: a part of it, and something for noise.
BOUNDS = {"pss_mb": (1.10, 10.0), "files": (1.0, 8), "threads": (1.0, 4), "wal_mb": (1.5, 8.0), "processes": (1.0, 1)}


def sampled(pids: list[int], data: Path) -> Sample:
    """Look at all processes of a planet."""
    pss = files = threads = 0
    for pid in pids:
        with suppress(OSError):
            lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
            pss += next(int(line.split()[1]) for line in lines if line.startswith("Pss:"))
            files += len(list(Path(f"/proc/{pid}/fd").iterdir()))
            threads += len(list(Path(f"/proc/{pid}/task").iterdir()))
    wal, database = (data / name for name in ("planet.db-wal", "planet.db"))
    of_wal, of_database = (path.stat().st_size / 1e6 if path.exists() else 0.0 for path in (wal, database))
    return Sample(pss / 1024, files, threads, of_wal, of_database, len(pids))


def grown(samples: list[Sample]) -> list[str]:
    """Say what is larger in the last third than in the first, after the warm-up."""
    kept = samples[int(len(samples) * WARM_UP) :]
    third = max(1, len(kept) // 3)
    said = []
    for name, (factor, more) in BOUNDS.items():
        first, last = (median(getattr(each, name) for each in part) for part in (kept[:third], kept[-third:]))
        if last > first * factor + more:
            said.append(f"{name} grew from {first:.1f} to {last:.1f}")
    return said


def main() -> None:
    minutes = float(sys.argv[1]) if len(sys.argv) > 1 else 30.0
    with tempfile.TemporaryDirectory(prefix="planet-soak-", ignore_cleanup_errors=True) as name:
        folder, port = Path(name), quiet_port()
        with crowd(f"http://127.0.0.1:{port}/", seed=1, blogs=10) as people:
            config = planet(folder, [f"{b.web.url}/feed" for b in people.blogs], url=people.url, more=MORE).path
            log = (folder / "log").open("ab")
            command = [*ME, "run", "--config", str(config), "--port", str(port)]
            running = subprocess.Popen(command, stdout=log, stderr=log)
            try:
                eventually(lambda: answers(people.url), 60)
                people.start(senders=3, readers=3, pause=0.1, grows=False)
                samples = _watch(config, people, minutes * 60)
            finally:
                people.stop()
                running.send_signal(signal.SIGTERM)
                running.wait(30)
                log.close()
            _tell(samples, people, folder)
            if said := grown(samples):
                sys.exit("; ".join(said))
            print("flat")


def _watch(config: Path, people: Crowd, seconds: float) -> list[Sample]:
    began, every = time.monotonic(), seconds / SAMPLES
    samples: list[Sample] = []
    print(f"{'minute':>7}{'PSS MB':>9}{'files':>7}{'threads':>9}{'WAL MB':>8}{'db MB':>7}{'processes':>11}", flush=True)
    while (now := time.monotonic()) < began + seconds:
        samples.append(one := sampled(members_of(config), config.parent / "data"))
        for blog in people.blogs:
            blog.web.seen.clear()
        if len(samples) % 10 == 1:
            print(f"{(now - began) / 60:>7.1f}{one.pss_mb:>9.1f}{one.files:>7}{one.threads:>9}{one.wal_mb:>8.2f}{one.database_mb:>7.2f}{one.processes:>11}", flush=True)  # fmt: skip
        time.sleep(every)
    return samples


def _tell(samples: list[Sample], people: Crowd, folder: Path) -> None:
    third = max(1, len(samples[int(len(samples) * WARM_UP) :]) // 3)
    first, last = samples[int(len(samples) * WARM_UP) :][:third], samples[-third:]
    for name in Sample.__dataclass_fields__:
        values = [median(getattr(each, name) for each in part) for part in (first, last)]
        print(f"{name:12} first third {values[0]:9.2f}   last third {values[1]:9.2f}   most {max(getattr(s, name) for s in samples):9.2f}")  # fmt: skip
    print(f"{len(people.acknowledged)} pings acknowledged, {people.answers} pages read, {len(people.halves)} half")
    print(f"log: {(folder / 'log').stat().st_size / 1e6:.2f} MB")


if __name__ == "__main__":
    main()
