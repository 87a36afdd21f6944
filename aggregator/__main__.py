"""`python -m aggregator` is `planet`."""

from aggregator.cli import main

if __name__ == "__main__":
    main()
