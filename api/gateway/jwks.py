"""Take the keys of tokens from where their issuer publishes them."""

import asyncio
import json
from collections import Counter
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager, suppress

import httpx
import jwt
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

from api.gateway.keys import Algorithm, Key, KeysUnavailable
from telemetry.logs import logger

_log = logger(__name__)

_UNKNOWN_EVERY_S = 60.0
"""A key that is not known makes us look no more often, however many tokens name one."""
_FIRST_RETRY_S = 5.0
"""Pause between looks until keys were seen for the first time."""
_MOST_BYTES = 1 << 18
_FEWEST_RSA_BITS = 2048


class PublishedKeys:
    """The keys as they were published last; kept while the place does not answer.

    A key that is withdrawn is refused from the next look on.
    """

    def __init__(
        self,
        url: str,
        client: httpx.AsyncClient,
        *,
        refresh_s: float,
        timeout_s: float,
        clock: Callable[[], float],
    ) -> None:
        """`clock` is monotonic."""
        self._url = url
        self._client = client
        self._refresh_s = refresh_s
        self._timeout_s = timeout_s
        self._clock = clock
        self._keys: Mapping[str, Key] = {}
        self._looked_at = float("-inf")
        self._look = asyncio.Lock()
        self._away = False

    @property
    def known(self) -> bool:
        """Whether any key is known."""
        return bool(self._keys)

    async def find(self, kid: str | None) -> Key | None:
        """Return the key of that name, after another look for one that is not known.

        Raises `KeysUnavailable`.
        """
        if kid is not None and kid not in self._keys:
            await self._look_again()
        if not self._keys:
            raise KeysUnavailable
        return self._keys.get(kid) if kid is not None else None

    @asynccontextmanager
    async def kept_fresh(self) -> AsyncIterator[None]:
        """Look now, then regularly, for the length of the block."""
        await self.look()
        looking = asyncio.create_task(self._keep_looking())
        try:
            yield
        finally:
            looking.cancel()
            with suppress(asyncio.CancelledError):
                await looking

    async def look(self) -> None:
        """Ask for the keys; what is known stays when there is no usable answer."""
        self._looked_at = self._clock()
        try:
            async with asyncio.timeout(self._timeout_s):
                found = usable_keys(await self._document())
        except (httpx.HTTPError, OSError, TimeoutError, ValueError, RecursionError) as error:
            self._note_away(str(error) or type(error).__name__)
            return
        if not found:
            self._note_away("it holds no key that RS256 or ES256 can be verified with")
            return
        if self._away:
            _log.info("the issuer's keys can be read again", url=self._url)
        self._away = False
        self._keys = found

    async def _look_again(self) -> None:
        """Look, unless someone did just now; who comes meanwhile waits for that."""
        async with self._look:
            if self._clock() - self._looked_at >= _UNKNOWN_EVERY_S:
                await self.look()

    async def _keep_looking(self) -> None:
        while True:
            await asyncio.sleep(self._refresh_s if self._keys else _FIRST_RETRY_S)
            async with self._look:
                await self.look()

    async def _document(self) -> object:
        text = b""
        async with self._client.stream("GET", self._url) as answer:
            answer.raise_for_status()
            async for part in answer.aiter_bytes():
                text += part
                if len(text) > _MOST_BYTES:
                    raise ValueError(f"it is larger than {_MOST_BYTES} bytes")
        return json.loads(text)

    def _note_away(self, why: str) -> None:
        """Log it once."""
        if not self._away:
            _log.warning("the issuer's keys cannot be read", url=self._url, why=why)
        self._away = True


def usable_keys(document: object) -> Mapping[str, Key]:
    """Return the keys of a JSON Web Key Set (RFC 7517) that tokens may be verified with, by name.

    Left out is what has no name of its own, is for something else, is secret, or is of a kind that
    is not accepted here.
    """
    entries = document.get("keys") if isinstance(document, dict) else None
    if not isinstance(entries, list):
        raise ValueError("it is not a set of keys")
    named = [
        entry
        for entry in entries
        if isinstance(entry, dict) and isinstance(entry.get("kid"), str) and _is_public(entry)
    ]
    times = Counter(entry["kid"] for entry in named)
    keys = {entry["kid"]: _key(entry) for entry in named if times[entry["kid"]] == 1}
    return {kid: key for kid, key in keys.items() if key is not None}


def _is_public(entry: Mapping[str, object]) -> bool:
    operations = entry.get("key_ops", ["verify"])
    verifies = isinstance(operations, list) and "verify" in operations
    return entry.get("use", "sig") == "sig" and verifies and "d" not in entry


def _key(entry: Mapping[str, object]) -> Key | None:
    """Return the key with its algorithm, None for one that is not accepted."""
    algorithm: Algorithm
    if entry.get("kty") == "RSA" and entry.get("alg", "RS256") == "RS256":
        algorithm = "RS256"
    elif entry.get("kty") == "EC" and entry.get("alg", "ES256") == "ES256":
        algorithm = "ES256"
    else:
        return None
    try:
        material = jwt.PyJWK(dict(entry), algorithm).key
    except jwt.PyJWTError:
        return None
    # PyJWT takes a curve other than that of ES256 for it, and short RSA keys.
    fits = (isinstance(material, RSAPublicKey) and material.key_size >= _FEWEST_RSA_BITS) or (
        isinstance(material, EllipticCurvePublicKey) and material.curve.name == "secp256r1"
    )
    return Key(algorithm, material) if fits else None
