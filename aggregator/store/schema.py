"""The tables, as migrations: SQL in files, applied in the order of their names.

A released one is never edited; a new one is a new file. Their names without ".sql" are what a database remembers.
"""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Callable, Iterator
from importlib.resources import files

from sqlite_utils import Database, Migrations

migrations = Migrations("planet")
_COMMENT = re.compile(r"--[^\n]*")


def _statements(sql: str) -> Iterator[str]:
    """The statements of a file, without its comments; one may hold others, as a trigger does. No value holds "--"."""
    statement = ""
    for line in _COMMENT.sub("", sql).splitlines():
        statement = f"{statement}\n{line}".lstrip()
        if sqlite3.complete_statement(statement):
            yield statement
            statement = ""
    if statement:
        raise ValueError(f"a migration ends in the middle of a statement: {statement[:80]}")


def _applying(sql: str) -> Callable[[Database], None]:
    def apply(database: Database) -> None:
        for statement in _statements(sql):
            database.execute(statement)

    return apply


for _file in sorted(files("aggregator.store").joinpath("migrations").iterdir(), key=lambda file: file.name):
    if _file.name.endswith(".sql"):
        migrations(name=_file.name.removesuffix(".sql"))(_applying(_file.read_text("utf-8")))
