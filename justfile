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

# figures beside others and targets: all of them, or `just bench poll [FEEDS]`, `pings [SECONDS]`, `pages`, `start`, `site [POSTS]`, `store [ENTRIES]`, `scale [FEEDS…]`
bench what="all" *args:
    uv run --group bench python -m {{ if what == "all" { "bench" } else { "bench." + what } }} {{args}}

# kill -9 of either half at random moments under load, so often; then count what is left
chaos kills="200" seed="1":
    uv run python -m tests.chaos {{kills}} {{seed}}

# a whole planet under steady load; memory, files, threads and the log of the database must stay as they are
soak minutes="30":
    uv run python -m bench.soak {{minutes}}

# have a fuzzer (atheris) look for bytes that break a reader: `just fuzz feeds [MINUTES] [FOLDERS]`, or all of them in turn
fuzz what="all" minutes="5" *folders:
    for target in {{ if what == "all" { "xmlrpc trackback feeds evidence urls" } else { what } }}; do uv run --group fuzz python -W ignore -m fuzz $target {{minutes}} {{folders}} || exit 1; done

# change pure modules in small ways, and look whether their tests notice: `just mutate urls [MINUTES]`, or all
mutate module="all" minutes="10":
    uv run --group mutate python -W ignore -m tests.mutate {{module}} {{minutes}}

format:
    uv run ruff check --fix .
    uv run ruff format .

# what is generated from the code: the schema that ships, the tables of keys and of limits
docs:
    uv run python -m tests.reference
    uv run python -m tests.limits
