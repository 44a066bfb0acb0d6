"""Addresses: a client is who the last trusted proxy saw, whatever it says itself."""

from ipaddress import ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.datastructures import Headers

from api.gateway.proxies import Clients

TRUSTED = Clients([ip_network("10.0.0.0/8"), ip_network("fd00::/8")])


@pytest.mark.parametrize(
    ("peer", "forwarded", "client"),
    [
        ("192.0.2.1", None, "192.0.2.1"),
        ("192.0.2.1", "198.51.100.9", "192.0.2.1"),
        ("10.0.0.1", None, "10.0.0.1"),
        ("10.0.0.1", "198.51.100.9", "198.51.100.9"),
        ("10.0.0.1", "1.2.3.4, 198.51.100.9", "198.51.100.9"),
        ("10.0.0.1", "1.2.3.4, 198.51.100.9, 10.0.0.2", "198.51.100.9"),
        ("10.0.0.1", "1.2.3.4, nonsense", "10.0.0.1"),
        ("10.0.0.1", "10.0.0.3, 10.0.0.2", "10.0.0.3"),
        ("10.0.0.1", "198.51.100.9:4711", "198.51.100.9"),
        ("10.0.0.1", "[2001:db8:1:2::9]:4711", "2001:db8:1:2::/64"),
        ("fd00::1", "2001:db8:1:2:3::9", "2001:db8:1:2::/64"),
        ("::ffff:10.0.0.1", "198.51.100.9", "198.51.100.9"),
        ("::ffff:192.0.2.1", None, "192.0.2.1"),
        ("fe80::1%eth0", None, "fe80::/64"),
        ("::1", None, "::1"),
        (None, "198.51.100.9", "unknown"),
        ("a socket", "198.51.100.9", "unknown"),
    ],
)
def test_the_nearest_that_is_not_trusted(
    peer: str | None, forwarded: str | None, client: str
) -> None:
    """From the connection backwards, as far as proxies are ours."""
    headers = Headers({"x-forwarded-for": forwarded} if forwarded else {})
    assert TRUSTED.address(peer, headers) == client


@given(st.text(max_size=200))
def test_what_a_stranger_says_changes_nothing(said: str) -> None:
    """Nor does it break anything from a trusted proxy."""
    headers = Headers(raw=[(b"x-forwarded-for", said.encode())])
    assert TRUSTED.address("192.0.2.1", headers) == "192.0.2.1"
    assert TRUSTED.address("10.0.0.1", headers)


def test_several_headers_are_one_list() -> None:
    """In their order; the last entry is the nearest."""
    raw = [(b"x-forwarded-for", b"1.2.3.4"), (b"x-forwarded-for", b"198.51.100.9")]
    assert TRUSTED.address("10.0.0.1", Headers(raw=raw)) == "198.51.100.9"
