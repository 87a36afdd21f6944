"""The door out: the only package that opens a connection to anyone."""

from aggregator.outbound.engine import Engine
from aggregator.outbound.guard import Guard
from aggregator.outbound.mail import MailServer, conversation, deliver
from aggregator.outbound.transfer import Answer, Landed, NoAnswer, Outcome, Request

__all__ = [
    "Answer",
    "Engine",
    "Guard",
    "Landed",
    "MailServer",
    "NoAnswer",
    "Outcome",
    "Request",
    "conversation",
    "deliver",
]
