"""Run in a network namespace: a resolver that changes its mind, and an engine that asks it. Prints what happened."""

from __future__ import annotations

import fcntl
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from dataclasses import dataclass, field

from aggregator.outbound import Answer, Engine, Guard, Request
from tests.farm import Reply, farm

INSIDE = ("10.0.0.1", "169.254.169.254")
NAMES = ("rebind.test", "other.test")


@dataclass(frozen=True, slots=True)
class Listening(Guard):
    """A guard that remembers what it was asked."""

    judged: list[str] = field(default_factory=list)

    def refusal(self, address: str, port: int) -> str:
        self.judged.append(address)
        return Guard.refusal(self, address, port)


def answer(query: bytes, kind: str, lookups: Counter[str]) -> bytes | None:
    """One answer of the resolver."""
    labels, at = [], 12
    while query[at]:
        labels.append(query[at + 1 : at + 1 + query[at]].decode())
        at += 1 + query[at]
    name, (type_,) = ".".join(labels), struct.unpack("!H", query[at + 1 : at + 3])
    if kind == "silent":
        return None
    addresses: tuple[str, ...] = ()
    if type_ == 1 and kind != "failing":
        lookups[name] += 1
        addresses = INSIDE if kind == "mixed" or lookups[name] > 1 else ("127.0.0.1",)
    flags = 0x8183 if kind == "failing" else 0x8180
    head = query[:2] + struct.pack("!HHHHH", flags, 1, len(addresses), 0, 0)
    record = b"\xc0\x0c" + struct.pack("!HHIH", 1, 1, 0, 4)
    return head + query[12 : at + 5] + b"".join(record + socket.inet_aton(each) for each in addresses)


def bring_up_loopback() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
        up = struct.pack("16sh", b"lo", 0x1 | 0x40)
        fcntl.ioctl(control, 0x8914, up)  # SIOCSIFFLAGS


def main(kind: str) -> None:
    bring_up_loopback()
    with tempfile.NamedTemporaryFile("w") as configuration:
        configuration.write("nameserver 127.0.0.1\noptions timeout:5 attempts:3\n")
        configuration.flush()
        subprocess.run(["mount", "--bind", configuration.name, "/etc/resolv.conf"], check=True)
        lookups: Counter[str] = Counter()
        resolver = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        resolver.bind(("127.0.0.1", 53))

        def serve() -> None:
            while True:
                query, peer = resolver.recvfrom(2_000)
                if (said := answer(query, kind, lookups)) is not None:
                    resolver.sendto(said, peer)

        threading.Thread(target=serve, daemon=True).start()
        allowed = Guard.of(["127.0.0.0/8"], [80])
        guard = Listening(allowed.allow_addresses, allowed.allow_ports)
        began = time.monotonic()  # noqa: TID251
        with farm() as web:
            web.routes["/"] = Reply(b"x", headers={"Connection": "close"})
            port = web.url.rpartition(":")[2]
            with Engine(guard, "planet-test") as engine:
                outcomes = [engine.fetch(Request(f"http://{name}:{port}/", seconds=2.0)) for name in NAMES]
                # To close the engine may take as long as the system's own lookups: libcurl waits for its threads.
                seconds = time.monotonic() - began  # noqa: TID251
        answers = [f"{o.status} from 127.0.0.1" if isinstance(o, Answer) else f"{o.kind}: {o.reason}" for o in outcomes]
        print({"lookups": dict(lookups), "answers": answers, "judged": guard.judged, "seconds": seconds})


main(sys.argv[1])
