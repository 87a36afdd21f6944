"""Decide which addresses we may connect to. It judges the address itself, never a spelling of it."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network
from urllib.parse import urlsplit

# `is_global` and `is_private` both let some of these through (Python 3.11.7, measured). 168.63.129.16 is public by its
# looks, and the inside of one large cloud.
_REFUSED_V4 = tuple(
    map(
        IPv4Network,
        ("0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "168.63.129.16/32", "169.254.0.0/16",
         "172.16.0.0/12", "192.0.0.0/24", "192.0.2.0/24", "192.88.99.0/24", "192.168.0.0/16", "198.18.0.0/15",
         "198.51.100.0/24", "203.0.113.0/24", "224.0.0.0/4", "240.0.0.0/4"),
    )
)  # fmt: skip
_GLOBAL_V6 = IPv6Network("2000::/3")
_REFUSED_V6 = tuple(map(IPv6Network, ("2001::/23", "2001:db8::/32", "3fff::/20")))
_NAT64 = IPv6Network("64:ff9b::/96")
_DEFAULT_PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True, slots=True)
class Guard:
    """What may be reached: public addresses, and those that the operator allows; some ports only there."""

    allow_addresses: tuple[IPv4Network | IPv6Network, ...] = ()
    allow_ports: frozenset[int] = frozenset({80, 443, 8080, 8443})

    @classmethod
    def of(cls, addresses: Iterable[str], ports: Iterable[int]) -> Guard:
        """Build a guard from the texts of a configuration. Raises: ValueError."""
        return cls(tuple(ipaddress.ip_network(address) for address in addresses), frozenset(ports))

    def refusal(self, address: str, port: int) -> str:
        """Return why a connection must not be made, or "" when it may be."""
        try:
            ip = _address(address)
        except ValueError:
            return f"{address[:60]!r} is no address"
        if any(ip.version == network.version and ip in network for network in self.allow_addresses):
            return ""
        if not is_public(ip):
            return f"{ip} is not a public address"
        if port not in self.allow_ports:
            return f"port {port} is not allowed"
        return ""


@lru_cache(maxsize=10_000)
def _address(text: str) -> IPv4Address | IPv6Address:
    return ipaddress.ip_address(text.partition("%")[0])


@lru_cache(maxsize=10_000)
def url_refusal(url: str) -> str:
    """Return why no request may go to `url`, as far as its text tells, or ""."""
    try:
        parts = urlsplit(url)
        parts.port  # noqa: B018  (raises for a port that is none)
    except ValueError:
        return "not a valid URL"
    if parts.scheme not in _DEFAULT_PORTS:
        return f"scheme {parts.scheme[:20]!r} is not http or https"
    if "@" in parts.netloc:
        return "it holds a user name or password"
    if not parts.hostname:
        return "it names no host"
    return ""


@lru_cache(maxsize=10_000)
def is_public(ip: IPv4Address | IPv6Address) -> bool:
    """Tell whether an address is anybody's on the public internet.

    An IPv4 address inside an IPv6 one (mapped, 6to4, NAT64) is judged as what it is.
    Source: IANA special-purpose address registries; research on linkback SSRF (A3 to A5).
    """
    if isinstance(ip, IPv4Address):
        return not any(ip in network for network in _REFUSED_V4)
    inner = ip.ipv4_mapped or ip.sixtofour
    if inner is None and ip in _NAT64:
        inner = IPv4Address(int(ip) & 0xFFFFFFFF)
    if inner is not None:
        return is_public(inner)
    return ip in _GLOBAL_V6 and not any(ip in network for network in _REFUSED_V6)
