"""Pages that are made while somebody waits, as answers of Starlette."""

from __future__ import annotations

from starlette.responses import Response

from aggregator.serve.pages import Page


def as_response(page: Page, status: int) -> Response:
    """Return a page that is not to be kept."""
    response = Response(page.body, status_code=status)
    response.headers.update(dict(page.headers))
    response.headers["Cache-Control"] = "no-store"
    return response


def confidential(response: Response) -> Response:
    """Have nobody told at what address this is, not even our own server's log: the address is a secret."""
    response.headers["Referrer-Policy"] = "no-referrer"
    return response


def unavailable(page: Page) -> Response:
    """Return a page that says to come back in a moment."""
    response = as_response(page, 503)
    response.headers["Retry-After"] = "5"
    return response
