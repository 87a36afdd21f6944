"""rssCloud as a subscriber: what a cloud is asked, and what it answers. Pure.

Source: RSS 2.0 `cloud`; rsscloud walkthrough; andrewshell/rsscloud-server (`domain`, challenge).
"""

from __future__ import annotations

import re
import xmlrpc.client
from datetime import timedelta
from urllib.parse import urlencode, urlsplit

from aggregator.markup import plain
from aggregator.model import Cloud, Registration
from aggregator.urls import web_url
from linkbacks import calls
from linkbacks.weblogs import NOTIFY

# A cloud forgets after 25 hours.
LASTS = timedelta(hours=25)
RENEW = timedelta(hours=24)
LONGEST_CHALLENGE = 2_000
FORM = "application/x-www-form-urlencoded; charset=utf-8"
_PORTS = {"http": 80, "https": 443}
_SUCCESS = re.compile(r"<(?:\w+:)?notifyResult\b[^<>]{0,500}?\bsuccess\s*=\s*[\"']true[\"']", re.IGNORECASE)
_MESSAGE = re.compile(r"\bmsg\s*=\s*(?:\"([^\"]{0,500})\"|'([^']{0,500})')")


def request(cloud: Cloud, wanted: Registration) -> tuple[bytes, str]:
    """Return what a cloud is sent, and its content type: where it shall tell us, and of which feed."""
    where = urlsplit(wanted.callback)
    port = where.port or _PORTS[where.scheme]
    if cloud.protocol == "xml-rpc":
        params = (NOTIFY, port, where.path, "xml-rpc", [wanted.topic], where.hostname or "")
        return xmlrpc.client.dumps(params, cloud.procedure, encoding="utf-8").encode(), "text/xml"
    fields = {
        "notifyProcedure": "",
        "domain": where.hostname or "",
        "port": str(port),
        "path": where.path,
        "protocol": "https-post" if where.scheme == "https" else "http-post",
        "url1": wanted.topic,
    }
    return urlencode(fields).encode(), FORM


def problem(cloud: Cloud, status: int, body: bytes) -> str:
    """Return why a cloud will not tell us, "" when it will."""
    if cloud.protocol == "xml-rpc":
        try:
            return "" if calls.read_answer(body) is True else "the cloud says no"
        except calls.Fault as fault:
            return f"the cloud says: {plain(fault.reason, is_html=True, longest=200)}"
    text = body[:10_000].decode("utf-8", "replace")
    if 200 <= status < 300 and _SUCCESS.search(text):
        return ""
    message = _MESSAGE.search(text)
    words = plain(message[1] or message[2] or "", is_html=True, longest=200) if message else ""
    return f"the cloud answers with status {status}{f': {words}' if words else ''}"


def topic_of(fields: dict[str, str]) -> str:
    """Return the address of a feed of which a cloud tells or asks, or ""."""
    return web_url(fields.get("url", ""))
