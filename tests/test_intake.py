"""The intake of pings: budgets of clients, a bound on what waits."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from linkbacks.claims import Rules
from linkbacks.decisions import Accepted, Decision, Refusal

from aggregator import store
from aggregator.model import Claim
from aggregator.serve import intake
from aggregator.serve.intake import Intake, is_near
from tests.builders import PLANET, claim, entry, stored, subscribed

TARGET = "http://blog.test/1/"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    database = store.open_store(tmp_path)
    [feed] = subscribed(database, "http://blog.test/feed")
    stored(database, feed, entry("1"))
    database.close()
    return tmp_path


def send(desk: Intake, claims: Sequence[Claim]) -> list[Decision]:
    async def together() -> list[Decision]:
        return list(await asyncio.gather(*(desk.accept(each) for each in claims)))

    return asyncio.run(together())


def pings(count: int, client: str, start: int = 0) -> list[Claim]:
    return [replace(claim(f"http://answer.test/{start + n}", TARGET), client=client) for n in range(count)]


def test_a_client_may_send_a_burst_and_then_waits(folder: Path) -> None:
    desk = Intake(folder, lambda: Rules(PLANET))

    first = send(desk, pings(120, "192.0.2.1"))
    other = send(desk, pings(5, "192.0.2.2", start=500))
    member = send(desk, [replace(claim("http://blog.test/2", TARGET), client="192.0.2.1")])
    desk.close()

    assert sum(isinstance(each, Accepted) for each in first) == 100
    assert first.count(Refusal.TOO_MANY) == 20
    assert all(isinstance(each, Accepted) for each in other + member)


def test_a_client_that_is_exempt_has_no_budget(folder: Path) -> None:
    desk = Intake(folder, lambda: Rules(PLANET), lambda client: is_near(client, ("10.0.0.0/8",)))

    decisions = send(desk, pings(200, "10.1.2.3") + pings(200, "127.0.0.1", start=200))
    desk.close()

    assert all(isinstance(each, Accepted) for each in decisions)


def test_a1_strangers_wait_outside_when_too_much_waits(folder: Path) -> None:
    database = store.open_store(folder)
    with store.transaction(database):
        rows = ((str(n), f"//x/{n}") for n in range(intake.MOST_WAITING))
        database.conn.executemany(
            "INSERT INTO linkback (token, entry_id, source, source_key, source_host, target, protocols, status,"
            " received_at, asked_at, next_try_at) VALUES (?, 1, '', ?, 'x', '', '[]', 'pending', '', '', '2026')",
            rows,
        )
    database.close()
    desk = Intake(folder, lambda: Rules(PLANET))

    [stranger, member] = send(desk, [claim("http://answer.test/", TARGET), claim("http://blog.test/2", TARGET)])
    desk.close()

    assert stranger is Refusal.TOO_MANY
    assert isinstance(member, Accepted)
