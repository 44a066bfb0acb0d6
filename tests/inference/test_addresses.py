"""Addresses: one host with one port, and nothing that means something else to somebody."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inference.addresses import InvalidAddress, check_address


@pytest.mark.parametrize(
    "address",
    [
        "triton:8001",
        "triton-0.triton.models.svc.cluster.local:8001",
        "127.0.0.1:8001",
        "10.1.2.3:65535",
        "[::1]:8001",
        "[fd00::1]:1",
        "a:8001",
    ],
)
def test_a_host_with_a_port_is_taken(address: str) -> None:
    """Names, IPv4 and IPv6 in brackets, this machine included: a Triton may well be there."""
    assert check_address(address) == address


REFUSED = [
    "",
    "triton",
    ":8001",
    "triton:",
    "triton:0",
    "triton:08001",
    "triton:65536",
    "triton:8001/",
    "triton:8001/v2",
    "triton:8001?x=1",
    "triton:8001#x",
    "triton:8001,evil:8001",
    "triton:8001;evil:8001",
    " triton:8001",
    "triton:8001\n",
    "triton:8001\x00",
    "tri ton:8001",
    "tri\tton:8001",
    "user@triton:8001",
    "user:secret@triton:8001",
    "grpc://triton:8001",
    "http://triton:8001",
    "file:///etc/passwd",
    "s3://bucket/key",
    "unix:/run/x.sock",
    "unix:///run/x.sock",
    "unix:8001",
    "UNIX:8001",
    "unix-abstract:8001",
    "dns:8001",
    "dns:///triton:8001",
    "dns://8.8.8.8/triton:8001",
    "ipv4:8001",
    "ipv4:10.0.0.1:8001",
    "ipv4:10.0.0.1:8001,10.0.0.2:8001",
    "ipv6:8001",
    "ipv6:[::1]:8001",
    "vsock:8001",
    "xds:8001",
    "xds:///triton:8001",
    "google-c2p:8001",
    "passthrough:8001",
    "fd:3",
    "169.254.169.254:80",
    "[fe80::1]:8001",
    "[fe80::1%eth0]:8001",
    "[::ffff:169.254.169.254]:80",
    "0.0.0.0:8001",
    "[::]:8001",
    "224.0.0.1:8001",
    "[ff02::1]:8001",
    "255.255.255.255:8001",
    "240.0.0.1:8001",
    "127.1:8001",
    "2130706433:8001",
    "0x7f000001:8001",
    "0x7f.1:8001",
    "017700000001:8001",
    "127.0.0.01:8001",
    "::1:8001",
    "[127.0.0.1]:8001",
    "[::1:8001",
    "[[::1]]:8001",
    "trïton:8001",
    "triton。evil:8001",
    "triton.:8001",
    ".triton:8001",
    "tri..ton:8001",
    "-triton:8001",
    "triton-:8001",
    "%74riton:8001",
    "triton:\uff18\uff10\uff10\uff11",
    "a" * 64 + ":8001",
    ".".join(["a" * 60] * 5) + ":8001",
]


@pytest.mark.parametrize("address", REFUSED)
def test_anything_else_is_refused(address: str) -> None:
    """Schemes, lists, credentials, other spellings of an address, clouds' metadata servers."""
    with pytest.raises(InvalidAddress):
        check_address(address)


@given(st.text(max_size=30))
def test_whatever_is_taken_has_a_host_with_a_port(text: str) -> None:
    """Nothing raises anything else."""
    try:
        taken = check_address(text)
    except InvalidAddress:
        return
    host, _, port = taken.rpartition(":")
    assert taken == text
    assert host.isascii()
    assert 1 <= int(port) <= 65535
