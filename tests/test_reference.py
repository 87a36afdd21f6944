"""What is said of feeds.toml and of the commands is what the code does."""

from __future__ import annotations

import re
import tomllib

import click
import jsonschema
import pytest

from aggregator.cli import main
from aggregator.config import reference
from tests import limits
from tests import reference as committed

OPERATORS = (committed.ROOT / "docs" / "operators.md").read_text("utf-8")


def test_schema_that_ships_is_the_one_of_the_code() -> None:
    assert committed.SCHEMA.read_text("utf-8") == committed.schema(), "run: just docs"


def test_table_of_keys_is_the_one_of_the_code() -> None:
    assert committed.PAGE.read_text("utf-8") == committed.page(), "run: just docs"


def test_every_key_has_a_meaning_and_no_meaning_is_left_over() -> None:
    assert {name for name, _ in reference.every_key()} == set(reference.MEANINGS)


def test_schema_takes_the_planets_own_feeds_toml() -> None:
    document = tomllib.loads((committed.ROOT / "feeds.toml").read_text("utf-8"))

    jsonschema.validate(document, reference.schema())


@pytest.mark.parametrize("name", sorted(main.commands))
def test_every_command_is_in_the_operators_table_with_its_options(name: str) -> None:
    command = main.commands[name]
    described = "\n".join(line for line in OPERATORS.splitlines() if re.search(rf"`planet {name}\b", line))
    options = {
        option
        for each in (command, *(command.commands.values() if isinstance(command, click.Group) else ()))
        for parameter in each.params
        if isinstance(parameter, click.Option)
        for option in parameter.opts
        if option.startswith("--") and option != "--config"
    }

    assert described, f"docs/operators.md does not describe planet {name}"
    assert not [option for option in options if f"{option}" not in OPERATORS]


def test_table_of_limits_is_the_one_of_the_code() -> None:
    assert limits.PAGE.read_text("utf-8") == limits.page(), "run: just docs"


def test_every_promise_names_tests_that_there_are() -> None:
    text = limits.PAGE.read_text("utf-8")
    tests = "\n".join(path.read_text("utf-8") for path in (committed.ROOT / "tests").glob("test_*.py"))
    named = re.findall(r"`(test_\w+)`", text)

    assert len(named) > 50
    assert [name for name in named if f"def {name}(" not in tests] == []
    rows = [
        line
        for line in text.partition("## Not promised")[0].splitlines()
        if line.startswith("| ") and "promise" not in line
    ]
    assert [row for row in rows if "---" not in row and "`test_" not in row and "`just" not in row] == []
