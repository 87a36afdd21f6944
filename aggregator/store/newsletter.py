"""Who gets the newsletter, and what each has got: addresses, and nothing else of anybody."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlite_utils import Database

from aggregator.store.connection import to_text

# Who does not confirm is forgotten; who asks again and again gets so many mails, and none more often.
CONFIRM_WITHIN = timedelta(days=7)
MOST_CONFIRMATIONS = 3
ASK_AGAIN_AFTER = timedelta(hours=12)
MOST_UNCONFIRMED = 1_000
# An address that refuses so many issues in a row is taken off the list.
MOST_REFUSALS = 3


@dataclass(frozen=True, slots=True)
class Reader:
    """An address, and the secret part of its links."""

    address: str
    token: str


def sign_up(database: Database, address: str, token: str, now: datetime) -> None:
    """Note that somebody wants an address on the list; inside a transaction. Nothing tells whether it was there."""
    waiting = database.execute("SELECT count(*) FROM reader WHERE confirmed_at IS NULL").fetchone()[0]
    if waiting >= MOST_UNCONFIRMED:
        return
    database.execute(
        "INSERT INTO reader (address, token, asked_at, mail_due) VALUES (:address, :token, :now, 1)"
        " ON CONFLICT (address) DO UPDATE SET asked_at = :now, mail_due = 1"
        " WHERE confirmed_at IS NULL AND mails < :most AND asked_at < :before AND NOT mail_due",
        {
            "address": address,
            "token": token,
            "now": to_text(now),
            "most": MOST_CONFIRMATIONS,
            "before": to_text(now - ASK_AGAIN_AFTER),
        },
    )


def reader(database: Database, token: str) -> Reader | None:
    """Return the reader whose links hold this token, confirmed or not."""
    row = database.execute("SELECT address, token FROM reader WHERE token = ?", [token]).fetchone()
    return row and Reader(*row)


def confirm(database: Database, token: str, now: datetime) -> bool:
    """Put an address on the list; inside a transaction. Tells whether there is one."""
    changed = database.execute(
        "UPDATE reader SET confirmed_at = coalesce(confirmed_at, ?), mail_due = 0 WHERE token = ?",
        [to_text(now), token],
    )
    return changed.rowcount == 1


def sign_off(database: Database, token: str) -> bool:
    """Forget an address and all that was noted of it; inside a transaction. Tells whether there was one."""
    return database.execute("DELETE FROM reader WHERE token = ?", [token]).rowcount == 1


def forget_unconfirmed(database: Database, now: datetime) -> None:
    """Forget addresses that nobody has confirmed; inside a transaction."""
    before = to_text(now - CONFIRM_WITHIN)
    database.execute("DELETE FROM reader WHERE confirmed_at IS NULL AND asked_at < ?", [before])


def take_to_confirm(database: Database, limit: int) -> list[Reader]:
    """Take some that are to be asked whether they mean it; inside a transaction. Each is asked once for that."""
    rows = database.execute(
        "UPDATE reader SET mail_due = 0, mails = mails + 1 WHERE address IN"
        " (SELECT address FROM reader WHERE mail_due AND confirmed_at IS NULL LIMIT ?) RETURNING address, token",
        [limit],
    ).fetchall()
    return [Reader(*row) for row in rows]


def ask_later(database: Database, address: str) -> None:
    """Let a mail be due again that could not leave; inside a transaction."""
    database.execute("UPDATE reader SET mail_due = 1, mails = mails - 1 WHERE address = ?", [address])


def begin_issue(database: Database, issue: str, now: datetime) -> int:
    """Address an issue to everybody who is on the list now; inside a transaction. Returns how many that are.

    An issue begins once, however often this is called.
    """
    if database.execute("SELECT 1 FROM issue WHERE name = ?", [issue]).fetchone():
        return 0
    database.execute("INSERT INTO issue VALUES (?, ?)", [issue, to_text(now)])
    added = database.execute(
        "INSERT INTO delivery SELECT address, ?, 'due', 0, ? FROM reader WHERE confirmed_at IS NOT NULL",
        [issue, to_text(now)],
    )
    return int(added.rowcount)


def issues_under_way(database: Database) -> list[str]:
    """Return the issues that somebody has not got yet."""
    rows = database.execute("SELECT DISTINCT issue FROM delivery WHERE state = 'due' ORDER BY issue").fetchall()
    return [row[0] for row in rows]


def take(database: Database, issue: str, now: datetime, limit: int) -> list[Reader]:
    """Take some who get an issue now; inside a transaction.

    Whoever is taken gets it from us once at most: should we be killed before it is told what came of it, it is not
    tried again.
    """
    rows = database.execute(_TAKE, {"issue": issue, "now": to_text(now), "limit": limit}).fetchall()
    taken = [row[0] for row in rows]
    found = [
        database.execute("SELECT address, token FROM reader WHERE address = ?", [each]).fetchone() for each in taken
    ]
    return [Reader(*row) for row in found if row]


_TAKE = """
UPDATE delivery SET state = 'taken', attempts = attempts + 1 WHERE issue = :issue AND address IN
    (SELECT address FROM delivery WHERE issue = :issue AND state = 'due' AND next_at <= :now LIMIT :limit)
RETURNING address
"""


def settle(database: Database, issue: str, address: str) -> None:
    """Note that somebody has got an issue; inside a transaction."""
    database.execute("UPDATE delivery SET state = 'sent' WHERE issue = ? AND address = ?", [issue, address])
    database.execute("UPDATE reader SET refusals = 0 WHERE address = ?", [address])


def try_again(database: Database, issue: str, address: str, pauses: Sequence[timedelta], now: datetime) -> None:
    """Let an issue be due again after a growing pause, or give it up after the last one; inside a transaction."""
    row = database.execute("SELECT attempts FROM delivery WHERE issue = ? AND address = ?", [issue, address]).fetchone()
    if row is None:
        return
    state, at = ("due", now + pauses[row[0] - 1]) if row[0] <= len(pauses) else ("given up", now)
    database.execute(
        "UPDATE delivery SET state = ?, next_at = ? WHERE issue = ? AND address = ?",
        [state, to_text(at), issue, address],
    )


def refused(database: Database, issue: str, address: str) -> bool:
    """Note that an address is refused for good; inside a transaction. Tells whether it is off the list therefore."""
    database.execute("UPDATE delivery SET state = 'refused' WHERE issue = ? AND address = ?", [issue, address])
    database.execute("UPDATE reader SET refusals = refusals + 1 WHERE address = ?", [address])
    gone = database.execute("DELETE FROM reader WHERE address = ? AND refusals >= ?", [address, MOST_REFUSALS])
    return gone.rowcount == 1


def counts(database: Database) -> tuple[int, int]:
    """Return how many are on the list, and how many have not confirmed."""
    row = database.execute("SELECT count(confirmed_at), count(*) FROM reader").fetchone()
    return int(row[0]), int(row[1] - row[0])
