"""Find the address of whoever sent a request."""

import ipaddress
from collections.abc import Sequence
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network

from starlette.datastructures import Headers

Network = IPv4Network | IPv6Network
_MOST_HOPS = 16


class Clients:
    """Tells clients apart by address, behind proxies that are trusted."""

    def __init__(self, trusted: Sequence[Network]) -> None:
        """`trusted` holds the proxies whose `X-Forwarded-For` is believed."""
        self._trusted = tuple(trusted)

    def address(self, peer: str | None, headers: Headers) -> str:
        """Return the client's address; an IPv6 client has the 64 bits that a network is given.

        The header is read from its end, where the nearest proxy wrote, for as long as who wrote is
        trusted: what a client claims itself comes before that.
        """
        known = _parsed(peer or "")
        if known is None:
            return "unknown"
        if self._is_trusted(known):
            hops = ",".join(headers.getlist("x-forwarded-for")).split(",")
            for hop in reversed(hops[-_MOST_HOPS:]):
                said = _parsed(hop.strip())
                if said is None:
                    break
                known = said
                if not self._is_trusted(known):
                    break
        return _named(known)

    def _is_trusted(self, address: IPv4Address | IPv6Address) -> bool:
        return any(address in network for network in self._trusted)


@lru_cache(maxsize=4096)
def _parsed(text: str) -> IPv4Address | IPv6Address | None:
    """Return the address in `text`, which may have a port; an IPv4 one may be written as IPv6."""
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        address = ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return None
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return mapped or address


@lru_cache(maxsize=4096)
def _named(address: IPv4Address | IPv6Address) -> str:
    if isinstance(address, IPv4Address) or address.is_loopback:
        return str(address)
    return str(IPv6Network((address, 64), strict=False))
