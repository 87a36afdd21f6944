"""Sign up for the newsletter, confirm, and leave: three small forms. Nothing tells whose address is on the list."""

from __future__ import annotations

import asyncio
import logging
import re
import secrets
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import datetime, timedelta
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

from sqlite_utils import Database
from starlette.requests import Request
from starlette.responses import Response

from aggregator import store
from aggregator.budget import Allowance, Budget
from aggregator.errors import PlanetError
from aggregator.serve.answers import as_response, confidential, unavailable
from aggregator.serve.client import household
from aggregator.serve.pages import Page, page_of
from aggregator.site import Renderer
from aggregator.store.newsletter import Reader

log = logging.getLogger("planet.serve")

LONGEST_ADDRESS = 254
WAIT_FOR_LOCK = 2.0
# Source: RFC 5321 section 4.1.2, as far as people use it; what isn't ASCII few servers take.
_ADDRESS = re.compile(r"[!-;=?A-~]{1,64}@([A-Za-z0-9](?:[A-Za-z0-9-]{0,62}\.)+[A-Za-z]{2,63})")
OF_A_CLIENT = Allowance(burst=5, every=timedelta(minutes=10))
_LATER = "Please come again in a while: too many addresses have come from yours."

ReadBody = Callable[[Request], Awaitable[bytes | Response]]


class SigningUp:
    """Answers the forms of one planet's newsletter."""

    def __init__(
        self,
        data: Path,
        renderer: Renderer,
        waking: Page,
        clock: Callable[[], datetime],
        client_of: Callable[[Request], str],
        read_body: ReadBody,
    ) -> None:
        self._data = data
        self._renderer = renderer
        self._waking = waking
        self._clock = clock
        self._client_of = client_of
        self._read_body = read_body
        self._root = urlsplit(renderer.look.masthead.url).path
        self._budget = Budget(OF_A_CLIENT)
        # Whoever waits for the database here takes no thread from searches and status pages.
        self._desk = ThreadPoolExecutor(1, "newsletter")

    async def sign_up(self, request: Request) -> Response:
        """Show the form, or take an address: whatever it is, the answer is one."""
        if request.method != "POST":
            return self._form(200)
        body = await self._read_body(request)
        if isinstance(body, Response):
            return body
        address = _tidy(parse_qs(body.decode("utf-8", "replace")).get("address", [""])[0])
        if not address:
            return self._form(400, problem="This is no mail address.")
        client = self._client_of(request)
        if client and not self._budget.take(household(client), self._clock()):
            return self._form(429, problem=_LATER)
        return await self._written(
            lambda: self._note(address),
            "Look into your mailbox",
            "If this address is not on the list yet, a mail is on its way that asks you to confirm.",
        )

    async def confirm(self, request: Request) -> Response:
        """Show a button, because mail programs open links by themselves; or put the address on the list."""
        answer = await self._by_token(
            request,
            "You want the newsletter",
            "Confirm",
            lambda token: self._write(lambda database: store.newsletter.confirm(database, token, self._clock())),
            ("Welcome", "You get the newsletter from now on, once a week. Each one tells how to leave."),
        )
        return confidential(answer)

    async def leave(self, request: Request) -> Response:
        """Show a button, or forget the address; programs press it by themselves (RFC 8058)."""
        answer = await self._by_token(
            request,
            "You want no more of the newsletter",
            "Leave",
            lambda token: self._write(lambda database: store.newsletter.sign_off(database, token)),
            ("Good bye", "Your address is forgotten, and nothing more is sent to it."),
        )
        return confidential(answer)

    async def _by_token(
        self,
        request: Request,
        headline: str,
        button: str,
        do: Callable[[str], object],
        done: tuple[str, str],
    ) -> Response:
        token = str(request.path_params["token"])
        try:
            reader = await asyncio.to_thread(self._find, token)
        except PlanetError as error:
            log.error("%s", error)
            return unavailable(self._waking)
        if reader is None:  # also for who presses the button twice
            page = self._renderer.notice(
                "This link is used up", "There is nothing to confirm here, and nothing to leave."
            )
            return as_response(page_of("notice.html", page), 404 if request.method == "GET" else 200)
        if request.method != "POST":
            return self._form(
                200, headline=headline, button=button, action=f"{self._root}{request.scope['path'].lstrip('/')}"
            )
        return await self._written(lambda: do(token), *done)

    async def _written(self, write: Callable[[], object], headline: str, explanation: str) -> Response:
        try:
            await asyncio.get_running_loop().run_in_executor(self._desk, write)
        except PlanetError as error:
            log.error("%s", error)
            return unavailable(self._waking)
        return as_response(page_of("notice.html", self._renderer.notice(headline, explanation)), 200)

    def _form(self, status: int, **values: str) -> Response:
        said = {"headline": "The newsletter", "button": "", "action": "", "problem": "", **values}
        return as_response(page_of("newsletter.html", self._renderer.templates.page("newsletter.html", **said)), status)

    def _note(self, address: str) -> None:
        token = secrets.token_urlsafe(18)
        self._write(lambda database: store.newsletter.sign_up(database, address, token, self._clock()))

    def _write(self, change: Callable[[Database], object]) -> None:
        opened = store.open_store(self._data, synchronous="FULL", wait_for_lock=WAIT_FOR_LOCK)
        with closing(opened) as database, store.transaction(database):
            change(database)

    def _find(self, token: str) -> Reader | None:
        with closing(store.open_store(self._data)) as database, store.named_errors():
            return store.newsletter.reader(database, token)


def _tidy(text: str) -> str:
    """An address as it is stored: its host in lower case; or ""."""
    text = text.strip()
    match = _ADDRESS.fullmatch(text) if len(text) <= LONGEST_ADDRESS else None
    return f"{text[: match.start(1)]}{match[1].lower()}" if match else ""
