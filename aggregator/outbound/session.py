"""`requests` for single fetches, over the same engine: one guard, one clock, one set of limits.

None of requests' own transport is left: its timeout is per read, and it reads the bodies of redirects whole.
"""

from __future__ import annotations

import io
from collections.abc import Mapping
from typing import Any

import requests
from requests.adapters import BaseAdapter
from requests.structures import CaseInsensitiveDict

from aggregator.content_coding import ACCEPTED, decode
from aggregator.errors import BodyRefused
from aggregator.outbound.engine import Engine
from aggregator.outbound.guard import Guard
from aggregator.outbound.transfer import Answer, NoAnswer, Request


def session(guard: Guard, user_agent: str, *, seconds: float = 10.0, max_bytes: int = 2_000_000) -> requests.Session:
    """Return a session whose every request goes through `guard`, within `seconds` in all.

    Redirects are followed by the engine, each hop checked; `response.url` is where they ended.
    Not shared between threads. Errors are requests' own: ConnectionError, Timeout, InvalidURL, ContentDecodingError.
    """
    made = requests.Session()
    made.trust_env = False  # no proxy and no .netrc from the environment
    made.headers = CaseInsensitiveDict({"User-Agent": user_agent, "Accept": "*/*", "Accept-Encoding": ACCEPTED})
    for prefix in list(made.adapters):
        del made.adapters[prefix]
    adapter = EngineAdapter(Engine(guard, user_agent), seconds, max_bytes)
    made.mount("http://", adapter)
    made.mount("https://", adapter)
    return made


class EngineAdapter(BaseAdapter):
    """A transport for requests that hands each prepared request to the engine."""

    def __init__(self, engine: Engine, seconds: float, max_bytes: int) -> None:
        super().__init__()
        self._engine = engine
        self._seconds = seconds
        self._max_bytes = max_bytes

    def send(
        self,
        request: requests.PreparedRequest,
        stream: bool = False,
        timeout: float | tuple[float, float] | tuple[float, None] | None = None,
        verify: bool | str = True,
        cert: Any = None,
        proxies: Mapping[str, str] | None = None,
    ) -> requests.Response:
        """Fetch; a `timeout` that is a number shortens the session's deadline. Proxies and certificates are ignored."""
        seconds = min(self._seconds, timeout) if isinstance(timeout, int | float) else self._seconds
        outcome = self._engine.fetch(_translated(request, seconds, self._max_bytes))
        if isinstance(outcome, NoAnswer):
            raise _error(outcome, request)
        return self._response(outcome, request)

    def _response(self, answer: Answer, request: requests.PreparedRequest) -> requests.Response:
        try:
            body = decode(answer.body, answer.coding, self._max_bytes)
        except BodyRefused as error:
            raise requests.exceptions.ContentDecodingError(str(error), request=request) from error
        response = requests.Response()
        response.status_code = answer.status
        response.url = answer.url
        response.request = request
        response.headers = CaseInsensitiveDict(answer.headers)
        response.encoding = requests.utils.get_encoding_from_headers(response.headers)
        response.raw = io.BytesIO(body)
        return response

    def close(self) -> None:
        """Close the engine's connections."""
        self._engine.close()


def _translated(request: requests.PreparedRequest, seconds: float, max_bytes: int) -> Request:
    method = request.method or "GET"
    if method not in ("GET", "HEAD", "POST"):
        raise requests.exceptions.InvalidURL(f"{method} is not spoken here", request=request)
    content = request.body or b""
    return Request(
        url=request.url or "",
        method=method,  # type: ignore[arg-type]
        headers=tuple((name, str(value)) for name, value in request.headers.items() if name.lower() != "user-agent"),
        content=content.encode() if isinstance(content, str) else bytes(content),
        seconds=seconds,
        max_bytes=max_bytes,
    )


def _error(outcome: NoAnswer, request: requests.PreparedRequest) -> requests.RequestException:
    kinds: dict[str, type[requests.RequestException]] = {
        "refused": requests.exceptions.InvalidURL,
        "slow": requests.exceptions.Timeout,
        "redirects": requests.exceptions.TooManyRedirects,
        "large": requests.exceptions.ContentDecodingError,
    }
    return kinds.get(outcome.kind, requests.exceptions.ConnectionError)(outcome.reason, request=request)
