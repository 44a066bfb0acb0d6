"""Published keys: rotated, withdrawn, kept while their place is away, never fetched in a flood."""

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

import httpx
import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from api.gateway.jwks import PublishedKeys, usable_keys
from api.gateway.keys import KeysUnavailable

EC_KEYS = [ec.generate_private_key(ec.SECP256R1()) for _ in range(2)]
RSA_KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)


def ec_entry(kid: str, key: ec.EllipticCurvePrivateKey = EC_KEYS[0], **more: Any) -> dict[str, Any]:
    """Return a key as it is published."""
    found: dict[str, Any] = json.loads(jwt.algorithms.ECAlgorithm.to_jwk(key.public_key()))
    return {**found, "kid": kid, **more}


def rsa_entry(kid: str, key: rsa.RSAPrivateKey = RSA_KEY, **more: Any) -> dict[str, Any]:
    """Return a key as it is published."""
    found: dict[str, Any] = json.loads(jwt.algorithms.RSAAlgorithm.to_jwk(key.public_key()))
    found.pop("key_ops", None)
    return {**found, "kid": kid, **more}


class Issuer:
    """Publishes keys over HTTP on loopback."""

    def __init__(self) -> None:
        self.status = 200
        self.text = json.dumps({"keys": [ec_entry("one")]})
        self.asked = 0
        self.url = ""

    @contextmanager
    def running(self) -> Iterator["Issuer"]:
        """Answer for the length of the block."""
        issuer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:  # the library's name
                issuer.asked += 1
                self.send_response(issuer.status)
                self.send_header("Location", "/elsewhere")
                self.end_headers()
                self.wfile.write(issuer.text.encode())

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # the library's name
                pass

        with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
            self.url = f"http://127.0.0.1:{server.server_port}/keys"
            thread = Thread(target=server.serve_forever, args=(0.01,))
            thread.start()
            try:
                yield self
            finally:
                server.shutdown()
                thread.join()


class Clock:
    """Time that a test moves."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def issuer() -> Iterator[Issuer]:
    """An issuer with one key, `one`."""
    with Issuer().running() as running:
        yield running


@pytest.fixture
def clock() -> Clock:
    """The keys' clock."""
    return Clock()


@pytest.fixture
async def keys(issuer: Issuer, clock: Clock) -> AsyncIterator[PublishedKeys]:
    """The issuer's keys, not looked at yet."""
    async with httpx.AsyncClient(trust_env=False) as client:
        yield PublishedKeys(issuer.url, client, refresh_s=300, timeout_s=60, clock=clock)


async def test_a_new_key_is_found_by_its_first_token(
    keys: PublishedKeys, issuer: Issuer, clock: Clock
) -> None:
    """Rotation fails nobody: the look is made while the token waits."""
    await keys.look()
    issuer.text = json.dumps({"keys": [ec_entry("two", EC_KEYS[1])]})
    clock.now = 61
    found = await keys.find("two")
    assert found is not None
    assert found.algorithm == "ES256"
    assert await keys.find("one") is None
    assert issuer.asked == 2


async def test_unknown_names_cause_one_look_a_minute(
    keys: PublishedKeys, issuer: Issuer, clock: Clock
) -> None:
    """However many tokens name one, at once or one after the other."""
    await keys.look()
    for _ in range(100):
        assert await keys.find("unknown") is None
    assert issuer.asked == 1
    clock.now = 60
    found = await asyncio.gather(*(keys.find(f"unknown{number}") for number in range(100)))
    assert found == [None] * 100
    assert issuer.asked == 2
    assert await keys.find(None) is None
    assert issuer.asked == 2


@pytest.mark.parametrize(
    ("status", "text"),
    [
        (503, ""),
        (302, ""),
        (200, ""),
        (200, "[]"),
        (200, '{"keys": []}'),
        (200, '{"keys": {}}'),
        (200, "[" * 100_000),
        (200, json.dumps({"keys": [{"kid": "one", "kty": "oct", "k": "AAAA"}]})),
        (200, " " * (1 << 19)),
    ],
)
async def test_keys_are_kept_while_their_place_fails(
    keys: PublishedKeys, issuer: Issuer, status: int, text: str, caplog: pytest.LogCaptureFixture
) -> None:
    """The log says it once, and once that it is over."""
    await keys.look()
    issuer.status, good, issuer.text = status, issuer.text, text
    caplog.set_level("INFO", logger="api.gateway.jwks")
    await keys.look()
    await keys.look()
    assert await keys.find("one") is not None
    issuer.status, issuer.text = 200, good
    await keys.look()
    told = [record.message for record in caplog.records if record.name == "api.gateway.jwks"]
    assert told == [
        "the issuer's keys cannot be read",
        "the issuer's keys can be read again",
    ]


async def test_without_any_key_nothing_can_be_said() -> None:
    """A token is neither accepted nor refused."""
    async with httpx.AsyncClient(trust_env=False) as client:
        keys = PublishedKeys(
            "http://127.0.0.1:9/keys", client, refresh_s=300, timeout_s=1, clock=Clock()
        )
        async with keys.kept_fresh():
            for kid in ("one", None):
                with pytest.raises(KeysUnavailable):
                    await keys.find(kid)
            assert not keys.known


async def test_keys_are_looked_at_regularly(issuer: Issuer) -> None:
    """A withdrawn key is refused from the next look on."""
    async with httpx.AsyncClient(trust_env=False) as client:
        keys = PublishedKeys(issuer.url, client, refresh_s=0.05, timeout_s=60, clock=Clock())
        async with keys.kept_fresh():
            assert await keys.find("one") is not None
            issuer.text = json.dumps({"keys": [rsa_entry("two")]})
            async with asyncio.timeout(60):
                while await keys.find("one") is not None:
                    await asyncio.sleep(0.02)


def test_only_what_may_verify_is_used() -> None:
    """Each of the others is left out by itself."""
    small = rsa.generate_private_key(public_exponent=65537, key_size=1024)
    curve = ec.generate_private_key(ec.SECP384R1())
    secret = json.loads(jwt.algorithms.RSAAlgorithm.to_jwk(RSA_KEY))
    entries: list[object] = [
        rsa_entry("rsa"),
        ec_entry("ec", use="sig", alg="ES256"),
        rsa_entry("other algorithm", alg="RS512"),
        rsa_entry("encrypts", use="enc"),
        rsa_entry("signs", key_ops=["sign"]),
        rsa_entry("short", small),
        ec_entry("other curve", curve),
        ec_entry("called ES256", curve, alg="ES256"),
        {**secret, "kid": "private"},
        {
            "kty": "oct",
            "kid": "shared",
            "k": "c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0",
            "alg": "HS256",
        },
        {"kty": "RSA", "kid": "broken", "n": "!", "e": "AQAB"},
        {"kty": "RSA", "kid": "empty"},
        rsa_entry("twice"),
        ec_entry("twice"),
        {**rsa_entry("x"), "kid": 1},
        {"kty": "RSA"},
        "text",
        None,
    ]
    found = usable_keys({"keys": entries})
    assert {kid: key.algorithm for kid, key in found.items()} == {"rsa": "RS256", "ec": "ES256"}
