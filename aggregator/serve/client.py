"""Whose request this is: the peer, or whom a proxy that the operator names says it is for."""

from __future__ import annotations

import ipaddress
from collections.abc import Collection, Iterable
from functools import lru_cache


def address_of(peer: str, forwarded: Iterable[str], proxies: Collection[str]) -> str:
    """Return the address of the client, or "" when it has none.

    `forwarded` are the values of X-Forwarded-For: believed from the operator's own proxies only, from the right, up to
    the first address that is none of theirs (attack A30).
    """
    peer = _address(peer)
    if not proxies:
        return peer
    networks = [ipaddress.ip_network(proxy) for proxy in proxies]

    def is_proxy(address: str) -> bool:
        ip = ipaddress.ip_address(address)
        return any(ip.version == network.version and ip in network for network in networks)

    if not peer or not is_proxy(peer):
        return peer
    for text in reversed(",".join(forwarded).split(",")):
        address = _address(text)
        if not address:
            break
        peer = address
        if not is_proxy(address):
            break
    return peer


@lru_cache(1_024)
def household(client: str) -> str:
    """Return whom an address belongs to, for counting: of IPv6, one customer has a whole /64 to send from."""
    address = _address(client)
    return str(ipaddress.ip_network(f"{address}/64", strict=False)) if ":" in address else client


@lru_cache(1_024)
def _address(text: str) -> str:
    try:
        ip = ipaddress.ip_address(text.strip())
    except ValueError:
        return ""
    mapped = ip.ipv4_mapped if isinstance(ip, ipaddress.IPv6Address) else None
    return str(mapped or ip)
