"""Verify tokens, or make them with a shared secret."""

import binascii
from base64 import urlsafe_b64decode
from collections import OrderedDict
from collections.abc import Callable, Iterable

import jwt
from jwt.api_jws import PyJWS

from api.gateway.claims import Accepted, TokenRefused, accepted, parsed
from api.gateway.expected import Expected
from api.gateway.keys import Key, Keys
from api.gateway.principal import Principal

_LONGEST_TOKEN = 8192
"""Headers of 8 KiB are what proxies let pass."""
_MOST_KNOWN = 1024
"""Tokens that were accepted and are remembered, a few MiB; verifying takes 0.1 ms."""
_TYPES = ("jwt", "at+jwt", "application/at+jwt")


class Verifier:
    """Tells whose token it is."""

    def __init__(self, keys: Keys, expected: Expected, *, clock: Callable[[], float]) -> None:
        """`clock` gives POSIX time."""
        self._keys = keys
        self._expected = expected
        self._clock = clock
        self._signatures = PyJWS(options={"enforce_minimum_key_length": True})
        self._known: OrderedDict[str, tuple[Key, str | None, Accepted]] = OrderedDict()

    async def verify(self, token: str) -> Principal:
        """Return who the token was made for; raises `TokenRefused` or `KeysUnavailable`.

        A token that was accepted before is not verified again while its key is still the same.
        """
        known = self._known.get(token)
        if known is not None:
            key, kid, accepted_ = known
            if self._clock() < accepted_.ends_at and await self._keys.find(kid) is key:
                return accepted_.principal
            del self._known[token]
        return await self._verified(token)

    async def _verified(self, token: str) -> Principal:
        if len(token) > _LONGEST_TOKEN:
            raise TokenRefused(f"it is longer than {_LONGEST_TOKEN} characters")
        kid = _kid(token)
        key = await self._keys.find(kid)
        if key is None:
            raise TokenRefused("its key is not known")
        claims = parsed(self._payload(token, key), "payload")
        found = accepted(claims, self._expected, now=self._clock())
        self._known[token] = (key, kid, found)
        if len(self._known) > _MOST_KNOWN:
            self._known.popitem(last=False)
        return found.principal

    def _payload(self, token: str, key: Key) -> bytes:
        try:
            found = self._signatures.decode_complete(
                token, key.material, algorithms=[key.algorithm]
            )
        except jwt.InvalidAlgorithmError as error:
            raise TokenRefused("its algorithm is not that of its key") from error
        except jwt.PyJWTError as error:
            raise TokenRefused("its signature is not valid") from error
        payload = found["payload"]
        assert isinstance(payload, bytes)
        return payload


def _kid(token: str) -> str | None:
    """Return the name of the token's key, which is only looked up (RFC 8725, section 3.10)."""
    segments = token.split(".")
    if len(segments) != 3 or not token.isascii():
        raise TokenRefused("it is not a signed JWT")
    try:
        text = urlsafe_b64decode(segments[0] + "=" * (-len(segments[0]) % 4))
    except (binascii.Error, ValueError) as error:
        raise TokenRefused("it is not a signed JWT") from error
    header = parsed(text, "header")
    kind = header.get("typ", "jwt")
    if not isinstance(kind, str) or kind.lower() not in _TYPES:
        raise TokenRefused("it is of another type than JWT")
    if "crit" in header:
        raise TokenRefused("it asks for an extension that is not known here")
    kid = header.get("kid")
    if kid is not None and not isinstance(kid, str):
        raise TokenRefused("its kid is not a text")
    return kid


def make_token(
    secret: bytes,
    *,
    subject: str,
    scopes: Iterable[str],
    expected: Expected,
    now: float,
    lifetime_s: float,
) -> str:
    """Return a token that a verifier with the same secret and `expected` accepts."""
    claims = {
        "iss": expected.issuer,
        "aud": expected.audience,
        "sub": subject,
        "scope": " ".join(sorted(scopes)),
        "iat": int(now),
        "exp": int(now + lifetime_s),
    }
    return jwt.encode(claims, secret, algorithm="HS256")
