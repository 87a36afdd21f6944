"""The short form of `just chaos`: kill -9 of either half, and of readers, under load."""

from __future__ import annotations

from pathlib import Path

from tests.chaos import chaos


def test_nothing_is_lost_half_or_twice_after_kill_9_under_load(tmp_path: Path) -> None:
    outcome = chaos(tmp_path, kills=6, seed=7, pause=0.1)

    assert outcome.faults() == []
    assert outcome.acknowledged > 10
    assert outcome.kills["serve"] > 0
    assert outcome.kills["work"] > 0
