"""The planet: a community's blogs on one page, and their conversation."""

__version__ = "0.1.0"
