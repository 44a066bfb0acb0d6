"""Direct requests: where they are made, and how they fail."""

import pytest

from inference.direct import DirectServer
from inference.errors import ServerUnreachable


@pytest.mark.parametrize(
    ("url", "environment", "fits"),
    [
        ("triton-0:8001", {}, True),
        ("grpc://triton-0:8001", {}, True),
        ("[::1]:8001", {"no_proxy": "triton-0", "http_proxy": ""}, True),
        ("triton-0:8001", {"http_proxy": "http://proxy:3128"}, False),
        ("unix:/run/triton", {}, False),
        ("dns:///triton:8001", {}, False),
    ],
)
def test_what_grpc_reaches_in_a_way_of_its_own_is_left_to_it(
    url: str, environment: dict[str, str], fits: bool
) -> None:
    """Through a proxy, or by another kind of address."""
    assert DirectServer(url, max_bytes=1, environment=environment).fits is fits


async def test_who_is_not_there_is_unreachable() -> None:
    """As with the stock library: the error says which server."""
    server = DirectServer("127.0.0.1:9", max_bytes=1, environment={})
    with pytest.raises(ServerUnreachable, match=r"127\.0\.0\.1:9: no connection") as raised:
        await server.infer([b""], timeout_s=60, traceparent="")
    assert raised.value.server == "127.0.0.1:9"
    await server.close()
