"""Hand mail to the operator's own server. The one place that knows smtplib."""

from __future__ import annotations

import smtplib
import ssl
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from email.message import EmailMessage

from aggregator.errors import MailFailed

SECONDS = 20.0
_TLS_FROM_THE_START = 465
_PERMANENT = 500
_LONGEST = 200


@dataclass(frozen=True, slots=True)
class MailServer:
    """Where mail leaves; with `tls` nothing is said in the clear, neither password nor text."""

    host: str
    port: int = 587
    user: str = ""
    password: str = ""
    tls: bool = True


@contextmanager
def conversation(server: MailServer) -> Iterator[Callable[[EmailMessage], None]]:
    """Talk to the server: what is yielded hands one message over. After a refusal of one recipient it goes on.

    Raises: MailFailed, from the beginning as from each message.
    """
    name = f"{server.host}:{server.port}"

    def hand_over(message: EmailMessage) -> None:
        with _named(name):
            smtp.send_message(message)

    with _named(name):
        smtp = _connected(server)
    try:
        yield hand_over
    finally:
        _leave(smtp)


def deliver(server: MailServer, message: EmailMessage) -> None:
    """Hand one message over. Raises: MailFailed."""
    with conversation(server) as hand_over:
        hand_over(message)


@contextmanager
def _named(name: str) -> Iterator[None]:
    """Turn what smtplib and the network say into MailFailed."""
    try:
        yield
    except smtplib.SMTPRecipientsRefused as error:
        code, words = next(iter(error.recipients.values()))
        raise MailFailed(
            f"the mail server {name} does not take mail for this address: {_said(code, words)}",
            is_of_recipient=True,
            is_permanent=code >= _PERMANENT,
        ) from error
    except smtplib.SMTPAuthenticationError as error:
        said = _said(error.smtp_code, error.smtp_error)
        raise MailFailed(f"the mail server {name} does not take user and password: {said}") from error
    except smtplib.SMTPDataError as error:
        said = _said(error.smtp_code, error.smtp_error)
        raise MailFailed(
            f"the mail server {name} does not take this mail: {said}",
            is_of_recipient=True,
            is_permanent=error.smtp_code >= _PERMANENT,
        ) from error
    except smtplib.SMTPResponseException as error:
        raise MailFailed(f"the mail server {name} says no: {_said(error.smtp_code, error.smtp_error)}") from error
    except smtplib.SMTPNotSupportedError as error:
        raise MailFailed(f"the mail server {name} can't do what [smtp] asks for: {error}") from error
    except (smtplib.SMTPException, OSError) as error:
        raise MailFailed(f"the mail server {name} can't be reached: {error}") from error


def _leave(smtp: smtplib.SMTP) -> None:
    try:
        smtp.quit()
    except (smtplib.SMTPException, OSError):
        smtp.close()


def _connected(server: MailServer) -> smtplib.SMTP:
    context = ssl.create_default_context()
    if server.tls and server.port == _TLS_FROM_THE_START:
        smtp: smtplib.SMTP = smtplib.SMTP_SSL(server.host, server.port, timeout=SECONDS, context=context)
    else:
        smtp = smtplib.SMTP(server.host, server.port, timeout=SECONDS)
    try:
        if server.tls and not isinstance(smtp, smtplib.SMTP_SSL):
            smtp.starttls(context=context)
        if server.user:
            smtp.login(server.user, server.password)
    except BaseException:
        smtp.close()
        raise
    return smtp


def _said(code: int, words: bytes | str) -> str:
    text = words.decode("utf-8", "replace") if isinstance(words, bytes) else words
    text = " ".join(text.split())
    if len(text) > _LONGEST:
        text = text[: _LONGEST + 1].rpartition(" ")[0]  # of a secret that a server repeats no part is left over
    return f"{code} {text}"
