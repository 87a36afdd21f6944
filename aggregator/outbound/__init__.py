"""The door out: the only package that opens a connection to anyone."""

from aggregator.outbound.engine import Answer, Engine, Landed, NoAnswer, Outcome, Request
from aggregator.outbound.guard import Guard
from aggregator.outbound.session import session

__all__ = ["Answer", "Engine", "Guard", "Landed", "NoAnswer", "Outcome", "Request", "session"]
