from __future__ import annotations

import logging
import sys

from aggregator.logs import Line


def test_a_record_is_one_line_whatever_strangers_put_into_it() -> None:
    record = logging.LogRecord("planet.poll", logging.INFO, "", 0, "failed: %s", ("a\nb\x1b[31m\u202e",), None)
    record.feed = "http://a.test/\r\nforged"

    line = Line().format(record)

    assert "\n" not in line
    assert "\x1b" not in line
    assert line.endswith("info    poll: failed: a\\x0ab\\x1b[31m\\x202e feed=http://a.test/\\x0d\\x0aforged")


def test_a_traceback_can_forge_no_line() -> None:
    try:
        raise ValueError("x\n2026-01-01T00:00:00Z error   poll: forged")
    except ValueError:
        record = logging.LogRecord("planet.poll", logging.ERROR, "", 0, "fault", (), sys.exc_info())

    lines = Line().format(record).split("\n")

    assert all(line.startswith("    ") for line in lines[1:])
