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

# figures of a sweep: 1,000 feeds of about 100 KB on loopback, twice
bench feeds="1000":
    uv run python -m bench.poll {{feeds}}

format:
    uv run ruff check --fix .
    uv run ruff format .
