"""A WebSub hub for tests: it remembers what it was asked, and asks back and brings when a test says so."""

from __future__ import annotations

import hashlib
import hmac
from urllib.parse import parse_qs

import requests

from tests.farm import Farm, Reply, Seen


class Hub:
    """At `/hub` of a farm."""

    def __init__(self, web: Farm) -> None:
        self.web = web
        self.url = f"{web.url}/hub"
        self.asked: list[dict[str, str]] = []
        self.status = 202
        self.words = b""
        web.routes["/hub"] = self._answer

    def _answer(self, seen: Seen) -> Reply:
        assert seen.method == "POST"
        self.asked.append({name: values[0] for name, values in parse_qs(seen.body.decode()).items()})
        return Reply(self.words, self.status)

    def ask_back(self, number: int = -1, **changed: str) -> requests.Response:
        """Verify what we were asked for; `changed` fields are not what they should be."""
        asked = self.asked[number]
        fields = {
            "hub.mode": asked["hub.mode"],
            "hub.topic": asked["hub.topic"],
            "hub.challenge": "a <b>challenge</b>+&=ü",
            "hub.lease_seconds": "864000",
            **{f"hub.{name}": value for name, value in changed.items()},
        }
        return requests.get(asked["hub.callback"], params=fields, timeout=5)

    def bring(
        self,
        body: bytes,
        method: str = "sha256",
        number: int = -1,
        secret: str = "",
        signed: bool = True,
        **headers: str,
    ) -> requests.Response:
        """Distribute something to who has asked for it."""
        asked = self.asked[number]
        key = (secret or asked["hub.secret"]).encode()
        if signed:
            headers["X-Hub-Signature"] = f"{method}={hmac.new(key, body, getattr(hashlib, method)).hexdigest()}"
        headers = {"Content-Type": "application/rss+xml", "Link": f'<{asked["hub.topic"]}>; rel="self"', **headers}
        return requests.post(asked["hub.callback"], data=body, headers=headers, timeout=10)
