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
from aggregator.errors import StoreBusy
from aggregator.model import Claim
from aggregator.serve import intake
from aggregator.serve.client import household
from aggregator.serve.intake import Intake, is_near
from tests.builders import NOON, PLANET, claim, entry, stored, subscribed

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


def test_addresses_of_one_ipv6_network_have_one_budget(folder: Path) -> None:
    desk = Intake(folder, lambda: Rules(PLANET))

    sent = send(desk, [each for n in range(120) for each in pings(1, f"2001:db8:0:1::{n:x}", start=n)])
    other = send(desk, pings(1, "2001:db8:0:2::1", start=500))
    desk.close()

    assert sum(isinstance(each, Accepted) for each in sent) == 100
    assert isinstance(other[0], Accepted)


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


def test_a23_identical_claims_in_one_batch_are_one_row(folder: Path) -> None:
    desk = Intake(folder, lambda: Rules(PLANET))

    decisions = send(desk, [claim("http://answer.test/x", TARGET)] * 100)
    desk.close()

    assert isinstance(decisions[0], Accepted)
    assert decisions[1:] == [Refusal.ALREADY_THERE] * 99


def test_webmentions_sent_twice_at_once_have_one_status_page(folder: Path) -> None:
    desk = Intake(folder, lambda: Rules(PLANET))
    mention = replace(claim("http://answer.test/x", TARGET), protocol="webmention")

    first, second = send(desk, [mention, mention])
    desk.close()

    assert first == second
    assert isinstance(first, Accepted)


def test_status_pages_have_names_of_their_own(folder: Path) -> None:
    desk = Intake(folder, lambda: Rules(PLANET), lambda _: True)

    decisions = send(desk, pings(300, ""))
    desk.close()

    tokens = [decision.token for decision in decisions if isinstance(decision, Accepted)]
    assert len(set(tokens)) == 300
    assert {len(token) for token in tokens} == {16}


def test_what_is_remembered_of_posts_members_and_blocks_is_never_old(folder: Path) -> None:
    desk = Intake(folder, lambda: Rules(PLANET, strangers="refuse"))
    elsewhere = store.open_store(folder)
    asked = [claim("http://answer.test/x", "http://blog.test/2/"), claim("http://answer.test/y", TARGET)]
    before = send(desk, asked)

    [feed, _] = subscribed(elsewhere, "http://blog.test/feed", "http://answer.test/feed")
    stored(elsewhere, feed, entry("2"))
    after = send(desk, asked)
    with store.transaction(elsewhere):
        store.blocks.add(elsewhere, "answer.test", NOON)
    blocked = send(desk, [claim("http://answer.test/z", TARGET)])
    elsewhere.close()
    desk.close()

    assert before == [Refusal.TARGET_UNKNOWN, Refusal.SOURCE_DENIED]
    assert all(isinstance(each, Accepted) for each in after)
    assert blocked == [Refusal.SOURCE_DENIED]


def test_the_loop_goes_on_while_somebody_else_writes(folder: Path) -> None:
    desk = Intake(folder, lambda: Rules(PLANET))
    send(desk, [claim("http://answer.test/first", TARGET)])
    writer = store.open_store(folder)

    async def meanwhile() -> tuple[int, Decision]:
        turns = 0
        writer.execute("BEGIN IMMEDIATE")
        waiting = asyncio.create_task(desk.accept(claim("http://answer.test/x", TARGET)))
        while turns < 50:
            await asyncio.sleep(0)
            turns += 1
        assert not waiting.done()
        writer.conn.rollback()
        return turns, await waiting

    turns, decision = asyncio.run(meanwhile())
    writer.close()
    desk.close()

    assert turns == 50
    assert isinstance(decision, Accepted)


def test_what_cannot_be_stored_in_time_is_not_acknowledged_and_nothing_is_kept(folder: Path) -> None:
    desk = Intake(folder, lambda: Rules(PLANET))
    send(desk, [claim("http://answer.test/first", TARGET)])
    writer = store.open_store(folder)
    writer.execute("BEGIN IMMEDIATE")

    with pytest.raises(StoreBusy):
        send(desk, [claim("http://answer.test/x", TARGET)])
    writer.conn.rollback()
    again = send(desk, [claim("http://answer.test/x", TARGET)])
    writer.close()
    desk.close()

    assert isinstance(again[0], Accepted)


def test_a_customer_of_ipv6_is_one_client_whichever_of_its_addresses_it_uses() -> None:
    assert household("2001:db8:1:2:3:4:5:6") == household("2001:db8:1:2::1")
    assert household("2001:db8:1:2::1") != household("2001:db8:1:3::1")
    assert household("::ffff:192.0.2.1") == "::ffff:192.0.2.1"
    assert household("192.0.2.1") == "192.0.2.1"
    assert household("") == ""
