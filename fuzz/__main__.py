"""`python -m fuzz TARGET [MINUTES] [FOLDER…]`: have atheris look for bytes that break a promise.

What it has learnt is kept in .fuzz/TARGET and used again; folders of further examples may be named. It ends at the
first find, with the input in .fuzz/: that becomes a case of tests/test_fuzz.py.
"""

from __future__ import annotations

import sys
from pathlib import Path

import atheris

with atheris.instrument_imports(
    include=["aggregator", "linkbacks", "xmlrpc", "feedparser", "bs4", "mf2py", "defusedxml", "idna"],
    enable_loader_override=False,
):
    from fuzz.targets import TARGETS

from fuzz.seeds import seeds

FOLDER = Path(".fuzz")
LONGEST = 16_384
SLOW_SECONDS = 5


def main() -> None:
    """Fuzz one target for some minutes."""
    name, minutes, *more = [*sys.argv[1:], "5"][: max(2, len(sys.argv) - 1)]
    learnt = FOLDER / name
    learnt.mkdir(parents=True, exist_ok=True)
    for number, seed in enumerate(seeds(name)):
        (learnt / f"seed-{number}").write_bytes(seed)
    options = [
        f"-max_total_time={int(float(minutes) * 60)}", f"-max_len={LONGEST}", f"-timeout={SLOW_SECONDS}",
        "-rss_limit_mb=2000", f"-artifact_prefix={FOLDER}/{name}-", "-print_final_stats=1", "-verbosity=0",
    ]  # fmt: skip
    atheris.Setup([sys.argv[0], *options, str(learnt), *more], TARGETS[name])
    atheris.Fuzz()


main()
