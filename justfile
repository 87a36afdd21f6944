# The words that people and CI use.

# everything CI checks
check:
    .ci/run

test *args:
    uv run pytest {{args}}

run:
    uv run planet run

demo:
    uv run planet demo

# figures: `just bench poll [FEEDS]` sweeps feeds of about 100 KB on loopback, `just bench pings [SECONDS]` takes pings, `just bench site [POSTS]` publishes
bench what="poll" *args:
    uv run python -m bench.{{what}} {{args}}

format:
    uv run ruff check --fix .
    uv run ruff format .

# what is generated from the code: the schema that ships, the table of keys
docs:
    uv run python -m tests.reference
