"""Tell the operator what happened, once, by mail and by webhook."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from email.message import EmailMessage
from email.utils import format_datetime, make_msgid

from sqlite_utils import Database

from aggregator import notices, store
from aggregator.config import Planet
from aggregator.errors import MailFailed, NoticeFailed
from aggregator.logs import counted
from aggregator.model import Notice
from aggregator.outbound import Engine, MailServer, NoAnswer, Request, deliver
from aggregator.store.notices import Channel
from aggregator.urls import host_of

log = logging.getLogger("planet.work")

Tell = Callable[[Sequence[Notice], datetime], None]
TEST = Notice("test", "", "This is a test: what goes wrong will be told here. It was asked for by planet notify --test")


def channels(planet: Planet, engine: Engine) -> dict[Channel, Tell]:
    """Return the ways by which the operator wants to be told."""
    found: dict[Channel, Tell] = {}
    if planet.notify.mail:
        found["mail"] = lambda told, now: by_mail(planet, told, now)
    if planet.notify.webhook:
        found["webhook"] = lambda told, _now: by_webhook(planet, engine, told)
    return found


def notify(database: Database, ways: Mapping[Channel, Tell], now: datetime) -> int:
    """Tell by every channel what has not been told by it; return how many notices went out.

    Raises: NoticeFailed when a channel fails; what the others have told stays told.
    """
    with store.transaction(database):
        store.notices.forget_settled(database, now)
    sent, failures = 0, []
    for channel, tell in ways.items():
        if not (due := store.notices.due(database, channel, now)):
            continue
        with store.transaction(database):  # where nothing can be noted, nothing is told: it would be told every minute
            store.pages.set_note(database, "tells the operator at", now.isoformat())
        try:
            tell(due, now)
        except (MailFailed, NoticeFailed) as error:
            failures.append(str(error))
            continue
        with store.transaction(database):
            store.notices.record(database, channel, due, now)
            store.metrics.add(database, {("notices", "sent"): len(due)})
        log.info("%s told by %s", counted(len(due), "thing"), channel)
        sent += len(due)
    if failures:
        with store.transaction(database):
            store.metrics.add(database, {("notices", "failed"): len(failures)})
        raise NoticeFailed(f"the operator could not be told: {'; '.join(failures)}; it is tried again")
    return sent


def by_mail(planet: Planet, told: Sequence[Notice], now: datetime) -> None:
    """Mail it. Raises: MailFailed."""
    message = EmailMessage()
    message["From"] = sender(planet)
    message["To"] = planet.notify.mail
    message["Subject"] = notices.subject(planet.masthead, told)
    message["Date"] = format_datetime(now)
    message["Message-ID"] = make_msgid(domain=host_of(planet.masthead.url))
    message["Auto-Submitted"] = "auto-generated"  # RFC 3834: no vacation notes, please
    message.set_content(notices.text(planet.masthead, told))
    deliver(mail_server(planet), message)


def by_webhook(planet: Planet, engine: Engine, told: Sequence[Notice]) -> None:
    """Post it as JSON. Raises: NoticeFailed."""
    body = json.dumps(notices.payload(planet.masthead, told)).encode()
    headers = (("Content-Type", "application/json"),)
    request = Request(planet.notify.webhook, None, headers, "POST", body, seconds=20.0, max_bytes=100_000)
    outcome = engine.fetch(request)
    if isinstance(outcome, NoAnswer):
        raise NoticeFailed(f"the webhook can't be reached: {outcome.reason}")
    if not 200 <= outcome.status < 300:
        raise NoticeFailed(f"the webhook answers with status {outcome.status}")


def sender(planet: Planet) -> str:
    """Return from whom notices come: who logs in at the mail server, or the planet itself."""
    user = planet.smtp.user if planet.smtp else ""
    return user if "@" in user else f"planet@{host_of(planet.masthead.url)}"


def mail_server(planet: Planet) -> MailServer:
    """Return the operator's mail server. Raises: MailFailed when the password can't be read."""
    assert planet.smtp is not None
    smtp, password = planet.smtp, ""
    if smtp.password_file:
        path = planet.path.parent / smtp.password_file
        try:
            password = path.read_text("utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            raise MailFailed(f"[smtp] password_file: {path} can't be read: {error}") from error
    return MailServer(smtp.host, smtp.port, smtp.user, password, smtp.tls)
