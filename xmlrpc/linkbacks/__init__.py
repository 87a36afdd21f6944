"""Verbs on a request: what strangers tell us about links to our posts."""
