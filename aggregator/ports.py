"""Find out whether a port is free."""

from __future__ import annotations

import socket

from aggregator.errors import StartRefused


def check_port(host: str, port: int) -> None:
    """Find out before it is too late whether the port is free: two servers of our kind would share it in silence.

    Raises: StartRefused.
    """
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind, protocol) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
    except OSError as error:
        reason = error.strerror or str(error)
        raise StartRefused(f"can't listen on {host}:{port} ({reason}); name another one with --port") from error
