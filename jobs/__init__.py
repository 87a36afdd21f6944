"""Verbs on a timer: poll, verify, publish."""
