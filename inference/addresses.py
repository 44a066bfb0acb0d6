"""Check the address of a server that somebody asks for."""

import ipaddress
import re

_NAME = re.compile(r"[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?(\.[A-Za-z0-9][A-Za-z0-9-]{0,61})*")
_PORT = re.compile(r"[1-9][0-9]{0,4}")
_MAX_CHARS = 255
_LAST_PORT = 65535
_SCHEMES = {"dns", "fd", "google-c2p", "ipv4", "ipv6", "passthrough", "unix"} | {
    "unix-abstract",
    "vsock",
    "xds",
}
"""What gRPC reads as a way to find servers where a host should stand: `unix:8001` is a file."""


class InvalidAddress(ValueError):
    """An address that is not `HOST:PORT` of one server."""


def check_address(text: str) -> str:
    """Return `HOST:PORT` or `[IPV6]:PORT` unchanged, or raise `InvalidAddress`.

    Nothing else is taken: no scheme, path, list or user, nothing that gRPC would resolve in a
    way of its own. Refused as well are addresses at which no Triton can be, above all the
    link-local ones, where clouds answer with a machine's credentials. Who may register servers
    may have this process connect to any other host: that is what the scope allows.
    """
    host, colon, port = text.rpartition(":")
    if not colon or len(text) > _MAX_CHARS or not _PORT.fullmatch(port) or int(port) > _LAST_PORT:
        raise _invalid(text)
    bracketed = host.startswith("[") and host.endswith("]")
    try:
        address = ipaddress.ip_address(host[1:-1] if bracketed else host)
    except ValueError:
        _check_name(text, host)
        return text
    if bracketed != (address.version == 6) or "%" in host:
        raise _invalid(text)
    if _nobodys(getattr(address, "ipv4_mapped", None) or address):
        raise InvalidAddress(f"{text!r} is not an address that a server can have: name its own")
    return text


def _nobodys(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> bool:
    if address.is_loopback:  # ::1 counts as reserved
        return False
    special = address.is_link_local or address.is_multicast or address.is_unspecified
    return special or address.is_reserved


def _check_name(text: str, host: str) -> None:
    # Digits and dots alone that are no IPv4 address (`127.1`) mean one to some resolvers.
    if not _NAME.fullmatch(host) or host.lower() in _SCHEMES or not host.strip("0123456789."):
        raise _invalid(text)
    if host.lower().startswith("0x"):
        raise _invalid(text)


def _invalid(text: str) -> InvalidAddress:
    return InvalidAddress(
        f"{text[:_MAX_CHARS]!r} is not the address of a server: write HOST:PORT, its gRPC port, "
        "for example triton-0:8001"
    )
