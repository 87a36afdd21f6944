"""Loaded by the tests and by every Python that they start: notes who of us opens a connection beside the door out.

Python tells audit hooks of every connection and lookup that Python code makes; libcurl's own are not Python's, and
libcurl is known to the door out only (see .importlinter).
"""

from __future__ import annotations

import os
import sys

EVENTS = ("socket.connect", "socket.sendto", "socket.sendmsg", "socket.getaddrinfo", "socket.gethostbyname",
          "socket.gethostbyaddr", "socket.getnameinfo")  # fmt: skip
OURS = ("/aggregator/", "/jobs/", "/xmlrpc/linkbacks/")
# The door; who looks whether a port of our own is free; and the demo's invented blogs, which ping on loopback.
DOORS = ("/aggregator/outbound/", "/aggregator/ports.py", "/aggregator/demo/server.py")
ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
NOTES = os.environ.get("PLANET_WATCH", "")


def culprit() -> str:
    """Return the file of ours that asked for what is going on, or "" when a test did, or the door."""
    frame = sys._getframe(2)
    while frame is not None:
        name = frame.f_code.co_filename.removeprefix(ROOT)
        if name.startswith("/tests/") or name.startswith(DOORS):
            return ""
        if name.startswith(OURS):
            return f"{name}:{frame.f_lineno}"
        frame = frame.f_back
    return ""


def watch(event: str, arguments: tuple[object, ...]) -> None:
    """Note a connection that is not opened at the door."""
    if event in EVENTS and (name := culprit()):
        address = arguments[1] if event.startswith("socket.connect") and len(arguments) > 1 else arguments[0]
        with open(NOTES, "a") as notes:
            notes.write(f"{event} {address!r} by {name}\n")


if NOTES:
    sys.addaudithook(watch)
