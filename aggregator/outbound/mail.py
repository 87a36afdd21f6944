"""Hand mail to the operator's own server. The one place that knows smtplib."""

from __future__ import annotations

import smtplib
import ssl
from collections.abc import Iterable
from dataclasses import dataclass
from email.message import EmailMessage

from aggregator.errors import MailFailed

SECONDS = 20.0
_TLS_FROM_THE_START = 465


@dataclass(frozen=True, slots=True)
class MailServer:
    """Where mail leaves; with `tls` nothing is said in the clear, neither password nor text."""

    host: str
    port: int = 587
    user: str = ""
    password: str = ""
    tls: bool = True


def deliver(server: MailServer, messages: Iterable[EmailMessage]) -> None:
    """Hand all messages over, in one conversation.

    Raises: MailFailed; then those before the one that failed have been taken.
    """
    name = f"{server.host}:{server.port}"
    try:
        with _connected(server) as smtp:
            for message in messages:
                smtp.send_message(message)
    except smtplib.SMTPRecipientsRefused as error:
        said = "; ".join(_said(code, words) for code, words in error.recipients.values())
        raise MailFailed(f"the mail server {name} does not take mail for this address: {said}") from error
    except smtplib.SMTPAuthenticationError as error:
        said = _said(error.smtp_code, error.smtp_error)
        raise MailFailed(f"the mail server {name} does not take user and password: {said}") from error
    except smtplib.SMTPResponseException as error:
        said = _said(error.smtp_code, error.smtp_error)
        raise MailFailed(f"the mail server {name} says no: {said}") from error
    except smtplib.SMTPNotSupportedError as error:
        raise MailFailed(f"the mail server {name} can't do what [smtp] asks for: {error}") from error
    except (smtplib.SMTPException, OSError) as error:
        raise MailFailed(f"the mail server {name} can't be reached: {error}") from error


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
    return f"{code} {' '.join(text.split())[:200]}"
