"""Send the weekly digest to who has confirmed that they want it: each issue to each address once at most."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime, timedelta
from email.message import EmailMessage
from email.utils import format_datetime, formataddr, make_msgid
from html import escape
from pathlib import Path
from zoneinfo import ZoneInfo

from sqlite_utils import Database

from aggregator import store
from aggregator.digest import week_of
from aggregator.errors import MailFailed
from aggregator.logs import counted
from aggregator.model import Masthead
from aggregator.site import folder
from aggregator.store.newsletter import Reader
from aggregator.urls import host_of

log = logging.getLogger("planet.work")

AT_ONCE = 50
# After a failure that may pass: the last pause is followed by a last attempt.
PAUSES = tuple(timedelta(minutes=minutes) for minutes in (5, 60, 240, 720, 1_440))
SENT_AT_HOUR = 6

Send = Callable[[EmailMessage], None]
Connect = Callable[[], AbstractContextManager[Send]]


@dataclass(frozen=True, slots=True)
class Issue:
    """What is sent: a week of the planet, as text and as HTML."""

    name: str
    subject: str
    text: str
    html: str


def newest_issue(now: datetime, zone: str) -> str:
    """Return the name of the week whose issue is to go out by now: the last one that is over since Monday morning."""
    local = now.astimezone(ZoneInfo(zone)) - timedelta(hours=SENT_AT_HOUR)
    monday = local.date() - timedelta(days=local.weekday())
    return week_of(monday - timedelta(days=1))


def published_issue(public: Path, name: str) -> Issue | None:
    """Return what the planet has published of a week for mail, or None when nothing happened in it."""
    text, html = (folder.read(public, f"weekly/{name}/mail.{kind}") for kind in ("txt", "html"))
    if text is None:
        return None
    subject, _, body = text.decode().partition("\n")
    return Issue(name, subject.strip(), body.lstrip(), html.decode() if html else "")


class Letters:
    """Writes the mails of one planet's newsletter."""

    def __init__(self, masthead: Masthead, sender: str) -> None:
        self._masthead = masthead
        self._sender = sender

    def confirmation(self, reader: Reader, now: datetime) -> EmailMessage:
        """Return what asks somebody whether they have signed up."""
        title, link = self._masthead.title, f"{self._masthead.url}newsletter/confirm/{reader.token}"
        message = self._addressed(reader, f"{title}: do you want the newsletter?", now)
        message["Auto-Submitted"] = "auto-generated"
        message.set_content(
            f"Somebody, you we hope, asked for the weekly newsletter of {title} for this address.\n\n"
            f"If you want it, open this page and confirm:\n{link}\n\n"
            "If not, do nothing: the address is forgotten within a week, and nothing else is sent.\n"
        )
        return message

    def letter(self, reader: Reader, issue: Issue, now: datetime) -> EmailMessage:
        """Return an issue for one reader, which a program can unsubscribe from. Source: RFC 2369; RFC 8058."""
        link = f"{self._masthead.url}newsletter/leave/{reader.token}"
        message = self._addressed(reader, issue.subject, now)
        message["List-Id"] = f"<newsletter.{host_of(self._masthead.url)}>"
        message["List-Unsubscribe"] = f"<{link}>"
        message["List-Unsubscribe-Post"] = "List-Unsubscribe=One-Click"
        message["Precedence"] = "bulk"
        message.set_content(f"{issue.text.rstrip()}\n\nNo more of this: {link}\n")
        if issue.html:
            footer = f'<p><a href="{escape(link)}">No more of this</a></p>'
            before, end, after = issue.html.rpartition("</body>")
            html = f"{before}{footer}{end}{after}" if end else f"{issue.html}{footer}"
            message.add_alternative(html, subtype="html")
        return message

    def _addressed(self, reader: Reader, subject: str, now: datetime) -> EmailMessage:
        message = EmailMessage()
        message["From"] = formataddr((" ".join(self._masthead.title.split()), self._sender))
        message["To"] = reader.address
        message["Subject"] = " ".join(subject.split())
        message["Date"] = format_datetime(now)
        message["Message-ID"] = make_msgid(domain=host_of(self._masthead.url))
        return message


class Newsletter:
    """Sends what is due: confirmations, and issues that have begun."""

    def __init__(
        self, database: Database, letters: Letters, connect: Connect, issue: Callable[[str], Issue | None]
    ) -> None:
        self._database = database
        self._letters = letters
        self._connect = connect
        self._issue = issue

    def run(self, newest: str, now: datetime, until: Callable[[], bool] = lambda: False) -> int:
        """Begin the newest issue if it hasn't begun, and send a batch of what is due; return how many went out.

        Raises: MailFailed when there is no talking to the mail server; nothing is lost by that.
        """
        self._begin(newest, now)
        with store.transaction(self._database):
            store.newsletter.forget_unconfirmed(self._database, now)
            asked = store.newsletter.take_to_confirm(self._database, AT_ONCE)
        sent = self._send_confirmations(asked, now) if asked else 0
        for name in store.newsletter.issues_under_way(self._database):
            if (issue := self._issue(name)) is not None and not until():
                sent += self._send_issue(issue, now, until)
        return sent

    def _begin(self, newest: str, now: datetime) -> None:
        if self._issue(newest) is None:
            return
        with store.transaction(self._database):
            addressed = store.newsletter.begin_issue(self._database, newest, now)
        if addressed:
            log.info("newsletter %s goes out to %s", newest, counted(addressed, "address", "addresses"))

    def _send_confirmations(self, asked: Iterable[Reader], now: datetime) -> int:
        left = list(asked)
        sent = 0
        try:
            with self._connect() as send:
                while left:
                    try:
                        _hand_over(send, self._letters.confirmation(left[0], now), left[0])
                        sent += 1
                    except MailFailed as error:
                        if not error.is_of_recipient:
                            raise
                        log.info("a confirmation could not be sent: %s", error)
                    left.pop(0)
        except MailFailed:
            with store.transaction(self._database):
                for reader in left:
                    store.newsletter.ask_later(self._database, reader.address)
            raise
        return sent

    def _send_issue(self, issue: Issue, now: datetime, until: Callable[[], bool]) -> int:
        with store.transaction(self._database):
            taken = store.newsletter.take(self._database, issue.name, now, AT_ONCE)
        left, sent = list(taken), 0
        try:
            with self._connect() as send:
                while left and not until():
                    sent += self._deliver(send, issue, left[0], now)
                    left.pop(0)
        finally:  # who was not tried, because there is no server or the planet stops, is tried again
            with store.transaction(self._database):
                for reader in left:
                    store.newsletter.try_again(self._database, issue.name, reader.address, PAUSES, now)
        return sent

    def _deliver(self, send: Send, issue: Issue, reader: Reader, now: datetime) -> int:
        """Send an issue to one reader; tell whether it was taken. Raises: MailFailed when the server is gone."""
        try:
            _hand_over(send, self._letters.letter(reader, issue, now), reader)
        except MailFailed as error:
            if not error.is_of_recipient:
                raise
            with store.transaction(self._database):
                if error.is_permanent:
                    is_off = store.newsletter.refused(self._database, issue.name, reader.address)
                    log.info("an address refuses the newsletter%s", ", and is off the list" if is_off else "")
                else:
                    store.newsletter.try_again(self._database, issue.name, reader.address, PAUSES, now)
            return 0
        with store.transaction(self._database):
            store.newsletter.settle(self._database, issue.name, reader.address)
        return 1


def _hand_over(send: Send, message: EmailMessage, reader: Reader) -> None:
    """Send one mail. Raises: MailFailed, without what a server has repeated that only this reader may know."""
    try:
        send(message)
    except MailFailed as error:
        words = str(error).replace(reader.token, "…").replace(reader.address, "…")
        raise MailFailed(words, is_of_recipient=error.is_of_recipient, is_permanent=error.is_permanent) from None
