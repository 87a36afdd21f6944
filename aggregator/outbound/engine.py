"""One libcurl multi handle sweeps many requests at once; a single fetch is a sweep of one.

Every address is judged by the guard at the moment of connecting, on every hop of a redirect. One clock bounds a
request from its first name lookup to its last byte; bodies come back as they were sent, capped.
"""

from __future__ import annotations

import os
import resource
import select
import socket
import time
from collections import Counter, defaultdict, deque
from collections.abc import Callable, Generator, Sequence
from contextlib import closing, suppress
from dataclasses import replace
from typing import Any

import certifi
import pycurl

from aggregator.outbound.guard import Guard, url_refusal
from aggregator.outbound.transfer import (
    REDIRECTS,
    TOO_MANY_REQUESTS,
    Answer,
    Landed,
    NoAnswer,
    Outcome,
    Request,
    Transfer,
    as_utf8,
    failure,
    is_for_one_host,
    read_body,
    read_header,
    slow,
)
from aggregator.urls import host_of, web_url

MOST_REDIRECTS = 5
_TICK = 0.1
_ASK_EVERY = 0.5
_KEPT_FOR_EACH = 8
_WANTED = {
    pycurl.POLL_IN: select.POLLIN,
    pycurl.POLL_OUT: select.POLLOUT,
    pycurl.POLL_INOUT: select.POLLIN | select.POLLOUT,
}
# What libcurl is told of a socket: an error or an end is for it to find out, by reading or by writing.
_FIND_OUT = pycurl.CSELECT_IN | pycurl.CSELECT_OUT
_ACTIONS = {select.POLLIN: pycurl.CSELECT_IN, select.POLLOUT: pycurl.CSELECT_OUT}


class Engine:
    """Fetches through one guard. Not shared between threads.

    `hosts` are the only ones that redirects may lead to, None: any; `authorities` is a file of certificates that vouch
    for servers, "": those that browsers believe.
    """

    def __init__(
        self,
        guard: Guard,
        user_agent: str,
        *,
        at_once: int = 128,
        per_host: int = 2,
        hosts: frozenset[str] | None = None,
        authorities: str = "",
    ) -> None:
        self._guard = guard
        self._hosts = hosts
        self._authorities = authorities or certifi.where()
        self._user_agent = user_agent
        self._at_once = at_once
        self._per_host = per_host
        self._idle: list[Any] = []
        self._poller = select.epoll() if hasattr(select, "epoll") else _Poll()
        self._watched: set[int] = set()
        self._alarm: float | None = None
        self._multi: Any = pycurl.CurlMulti()
        self._multi.setopt(pycurl.M_SOCKETFUNCTION, self._watch)
        self._multi.setopt(pycurl.M_TIMERFUNCTION, self._set_alarm)
        # Connections outlive a sweep, and are no use to anybody who has no descriptor left.
        kept = min(_KEPT_FOR_EACH * at_once, resource.getrlimit(resource.RLIMIT_NOFILE)[0] // 4)
        self._multi.setopt(pycurl.M_MAXCONNECTS, max(kept, 1))
        self._running: dict[Any, Transfer] = {}
        self._per_host_running: Counter[str] = Counter()
        self._waiting: defaultdict[str, deque[Transfer]] = defaultdict(deque)

    def __enter__(self) -> Engine:
        """Use it; it is closed at the end."""
        return self

    def __exit__(self, *_error: object) -> None:
        """Close every connection."""
        self.close()

    def sweep(self, more: Callable[[int], Sequence[Request]]) -> Generator[list[Landed], None, None]:
        """Fetch whatever `more(room)` gives, and yield what has landed, at least ten times a second.

        `more` is asked when a good part of the room is free, and again from time to time when it gave nothing;
        the sweep ends when it gives nothing and nothing is under way.
        """
        ask_again_at = 0.0
        try:
            while True:
                landed: list[Landed] = []
                under_way = len(self._running)  # those that wait for their host's turn take nobody's room
                room = self._at_once - under_way
                if not under_way or (room >= self._at_once / 4 and time.monotonic() >= ask_again_at):
                    requests = more(room)
                    if not requests and not under_way:
                        return
                    ask_again_at = 0.0 if requests else time.monotonic() + _ASK_EVERY
                    for request in requests:
                        self._admit(request, landed)
                self._turn(landed, wait=not landed)
                yield landed
        finally:
            self._abandon()

    def fetch(self, request: Request) -> Outcome:
        """Fetch one thing."""
        queue = [request]
        with closing(self.sweep(lambda _room: [queue.pop()] if queue else [])) as sweep:
            return next(outcome for landed in sweep for _, outcome in landed)

    def crowded_hosts(self) -> set[str]:
        """Return the hosts at which requests wait for their turn; more of theirs had better not be asked for."""
        return set(self._waiting)

    def bytes_under_way(self) -> int:
        """Return how much of unfinished bodies is in memory."""
        return sum(len(transfer.body) for transfer in self._running.values())

    def close(self) -> None:
        """Close every connection."""
        self._abandon()
        for handle in self._idle:
            handle.close()
        self._idle.clear()
        self._multi.close()
        self._poller.close()

    # -- admission ---------------------------------------------------------------------------------

    def _admit(self, request: Request, landed: list[Landed]) -> None:
        transfer = Transfer(request, request.url, host_of(request.url), time.monotonic() + request.seconds)
        if refusal := url_refusal(request.url):
            landed.append((request, NoAnswer("refused", f"its address is refused: {refusal}")))
        elif self._per_host_running[transfer.host] >= self._per_host:
            self._waiting[transfer.host].append(transfer)
        else:
            self._start(transfer, landed)

    def _start(self, transfer: Transfer, landed: list[Landed]) -> None:
        handle = self._idle.pop() if self._idle else self._new_handle()
        try:
            self._aim(handle, transfer)
        except (ValueError, pycurl.error) as error:  # one request that can't be written hurts no other
            self._idle.append(handle)
            landed.append((transfer.request, NoAnswer("broken", f"it can't be asked for: {error}")))
            return
        self._per_host_running[transfer.host] += 1
        self._running[handle] = transfer
        self._multi.add_handle(handle)

    def _new_handle(self) -> Any:
        handle = pycurl.Curl()
        handle.setopt(pycurl.NOSIGNAL, 1)
        handle.setopt(pycurl.NOPROXY, "*")
        handle.setopt(pycurl.PROTOCOLS, pycurl.PROTO_HTTP | pycurl.PROTO_HTTPS)
        handle.setopt(pycurl.FOLLOWLOCATION, 0)
        handle.setopt(pycurl.HTTP_CONTENT_DECODING, 0)
        handle.setopt(pycurl.USERAGENT, self._user_agent)
        handle.setopt(pycurl.CAINFO, self._authorities)
        # After each request libcurl looks through all names that it remembers, which costs more the more there are.
        # To remember them is the system's resolver's business.
        handle.setopt(pycurl.DNS_CACHE_TIMEOUT, 0)
        running = self._running
        handle.setopt(pycurl.OPENSOCKETFUNCTION, lambda _, address: self._open_socket(running[handle], address))
        handle.setopt(pycurl.HEADERFUNCTION, lambda line: read_header(running[handle], line))
        handle.setopt(pycurl.WRITEFUNCTION, lambda chunk: read_body(running[handle], chunk))
        return handle

    def _aim(self, handle: Any, transfer: Transfer) -> None:
        request = transfer.request
        handle.setopt(pycurl.URL, transfer.url)
        handle.setopt(pycurl.TIMEOUT_MS, max(1, int((transfer.ends_at - time.monotonic()) * 1000)))
        handle.setopt(pycurl.HTTPGET, 1)
        if request.method == "HEAD":
            handle.setopt(pycurl.NOBODY, 1)
        elif request.method == "POST":
            handle.setopt(pycurl.POST, 1)
            handle.setopt(pycurl.POSTFIELDSIZE, len(request.content))
            handle.setopt(pycurl.COPYPOSTFIELDS, request.content)
        is_first_host = transfer.host == host_of(request.url)
        handle.setopt(
            pycurl.HTTPHEADER,
            [
                f"{name}: {value}".encode("latin-1")
                for name, value in request.headers
                if is_first_host or not is_for_one_host(name)
            ],
        )

    def _open_socket(self, transfer: Transfer, address: Any) -> Any:
        family, kind, protocol, name = address
        if refusal := self._guard.refusal(str(name[0]), int(name[1])):
            transfer.refusal = refusal
            return pycurl.SOCKET_BAD
        try:
            return _Descriptor(socket.socket(family, kind, protocol).detach())
        except OSError:  # this process has no room for one more; libcurl calls it a failed connection
            return pycurl.SOCKET_BAD

    # -- the loop ----------------------------------------------------------------------------------

    def _watch(self, event: int, descriptor: int, _multi: Any, _data: Any) -> None:
        """Note which events of a socket libcurl waits for.

        One that it waits for no more stays with the poller, as its connection is kept and will be used again; closed,
        it is forgotten there by itself, since no child has a duplicate of it: they are spawned, not forked.
        """
        if event == pycurl.POLL_REMOVE:
            self._watched.discard(descriptor)
            return
        self._watched.add(descriptor)
        wanted = _WANTED.get(event, 0)
        try:
            self._poller.modify(descriptor, wanted)
        except FileNotFoundError:  # a new one
            self._poller.register(descriptor, wanted)

    def _set_alarm(self, milliseconds: int) -> None:
        self._alarm = None if milliseconds < 0 else time.monotonic() + milliseconds / 1000

    def _turn(self, landed: list[Landed], *, wait: bool) -> None:
        """Let libcurl work until something has landed or a tick is over."""
        ends_at = time.monotonic() + (_TICK if wait else 0)
        while True:
            now = time.monotonic()
            pause = max(0.0, min(ends_at, self._alarm if self._alarm is not None else ends_at) - now)
            for descriptor, events in self._poller.poll(pause):
                if descriptor in self._watched:
                    self._multi.socket_action(descriptor, _ACTIONS.get(events, _FIND_OUT))
                else:  # a kept connection that its server has closed; perhaps libcurl has, too, a moment ago
                    with suppress(OSError):
                        self._poller.unregister(descriptor)
            if self._alarm is not None and time.monotonic() >= self._alarm:
                self._alarm = None
                self._multi.socket_action(pycurl.SOCKET_TIMEOUT, 0)
            self._collect(landed)
            if landed or time.monotonic() >= ends_at:
                return

    def _collect(self, landed: list[Landed]) -> None:
        left = 1
        while left:
            left, done, failed = self._multi.info_read()
            for handle in done:
                self._land(handle, "", 0, landed)
            for handle, code, message in failed:
                self._land(handle, message, code, landed)

    def _land(self, handle: Any, message: str, code: int, landed: list[Landed]) -> None:
        transfer = self._running.pop(handle)
        headers = transfer.headers
        location = as_utf8(headers.get("location", ""))
        self._multi.remove_handle(handle)
        self._idle.append(handle)
        if transfer.status == TOO_MANY_REQUESTS:
            self._spare(transfer.host, landed)
        self._leave(transfer.host, landed)
        took = time.monotonic() - (transfer.ends_at - transfer.request.seconds)
        if code and not transfer.is_cut:
            landed.append((transfer.request, replace(failure(transfer, code, message), seconds=took)))
        elif transfer.status in REDIRECTS and location:
            self._follow(transfer, location, landed)
        else:
            body = bytes(transfer.body)
            landed.append(
                (
                    transfer.request,
                    Answer(transfer.url, transfer.status, headers, body, transfer.permanently, took),
                )
            )

    def _follow(self, transfer: Transfer, location: str, landed: list[Landed]) -> None:
        transfer.hops += 1
        if transfer.hops > MOST_REDIRECTS:
            landed.append((transfer.request, NoAnswer("redirects", f"more than {MOST_REDIRECTS} redirects")))
            return
        url = web_url(location, transfer.url)
        if not url:
            words = f"it redirects to {location[:200]!r}, which is no http(s) address that may be fetched"
            landed.append((transfer.request, NoAnswer("refused", words)))
            return
        if self._hosts is not None and host_of(url) not in self._hosts:
            landed.append((transfer.request, NoAnswer("elsewhere", host_of(url))))
            return
        if transfer.ends_at <= time.monotonic():
            landed.append((transfer.request, slow(transfer)))
            return
        # A temporary hop ends the chain of what may be remembered.
        transfer.only_permanent = transfer.only_permanent and transfer.status in (301, 308)
        if transfer.only_permanent:
            transfer.permanently = url
        if transfer.status == 303 or (transfer.status in (301, 302) and transfer.request.method == "POST"):
            transfer.request = transfer.request._replace(method="GET", content=b"")
        transfer.begin_hop(url)
        if self._per_host_running[transfer.host] >= self._per_host:
            self._waiting[transfer.host].append(transfer)
        else:
            self._start(transfer, landed)

    def _spare(self, host: str, landed: list[Landed]) -> None:
        """Ask a host nothing more that has just asked us to come less often: what waits for it comes back unasked."""
        for transfer in self._waiting.pop(host, ()):
            words = f"{host} asks us to come less often, so it was not asked"
            landed.append((transfer.request, NoAnswer("spared", words)))

    def _leave(self, host: str, landed: list[Landed]) -> None:
        self._per_host_running[host] -= 1
        if self._per_host_running[host] <= 0:
            del self._per_host_running[host]
        if queue := self._waiting.get(host):
            transfer = queue.popleft()
            if not queue:
                del self._waiting[host]
            if not transfer.hops:  # its clock starts when its turn comes
                transfer.ends_at = time.monotonic() + transfer.request.seconds
            self._start(transfer, landed)

    def _abandon(self) -> None:
        for handle in list(self._running):
            self._multi.remove_handle(handle)
            self._idle.append(handle)
        self._running.clear()
        self._per_host_running.clear()
        self._waiting.clear()


class _Poll:
    """`select.poll` as if it were `select.epoll`, which only Linux has."""

    def __init__(self) -> None:
        self._poll = select.poll()
        self.register, self.modify, self.unregister = self._poll.register, self._poll.modify, self._poll.unregister

    def poll(self, seconds: float) -> list[tuple[int, int]]:
        return self._poll.poll(seconds * 1000)

    def close(self) -> None:
        """Nothing is open."""


class _Descriptor:
    """A new socket for libcurl, which takes a duplicate: so ours is closed as soon as nobody holds it."""

    def __init__(self, number: int) -> None:
        self._number = number

    def fileno(self) -> int:
        return self._number

    def __del__(self) -> None:
        os.close(self._number)
