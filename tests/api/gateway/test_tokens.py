"""Tokens: what is forged, stale or meant for others is not accepted."""

import base64
import hashlib
import hmac
import json
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from api.gateway.claims import TokenRefused
from api.gateway.expected import Expected
from api.gateway.jwks import usable_keys
from api.gateway.keys import Key, SharedSecret
from api.gateway.principal import Principal
from api.gateway.tokens import Verifier, make_token

SECRET = b"a secret that is long enough for tests"
EXPECTED = Expected(issuer="https://issuer.example", audience="nightshift", leeway_s=10)
NOW = 1_800_000_000.0
RSA = rsa.generate_private_key(public_exponent=65537, key_size=2048)
STRANGER = rsa.generate_private_key(public_exponent=65537, key_size=2048)
EC = ec.generate_private_key(ec.SECP256R1())
PUBLIC_PEM = RSA.public_key().public_bytes(
    serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
)
CLAIMS: dict[str, Any] = {
    "iss": EXPECTED.issuer,
    "aud": "nightshift",
    "sub": "alice",
    "exp": NOW + 60,
    "scope": "models:read",
}


class Published:
    """The keys of an issuer that has both kinds."""

    def __init__(self) -> None:
        rs = json.loads(jwt.algorithms.RSAAlgorithm.to_jwk(RSA.public_key()))
        es = json.loads(jwt.algorithms.ECAlgorithm.to_jwk(EC.public_key()))
        self.keys = dict(usable_keys({"keys": [{**rs, "kid": "rs"}, {**es, "kid": "es"}]}))

    async def find(self, kid: str | None) -> Key | None:
        """Return the key of that name."""
        return self.keys.get(kid) if kid is not None else None


def shared(now: float = NOW) -> Verifier:
    """Return a verifier of HS256 tokens."""
    return Verifier(SharedSecret(SECRET), EXPECTED, clock=lambda: now)


def published() -> Verifier:
    """Return a verifier of an issuer's tokens."""
    return Verifier(Published(), EXPECTED, clock=lambda: NOW)


def encoded(part: object) -> str:
    """Return a segment of a token; text is taken as it is."""
    text = part if isinstance(part, str) else json.dumps(part)
    return base64.urlsafe_b64encode(text.encode()).rstrip(b"=").decode()


def signed(header: object, claims: object, secret: bytes = SECRET) -> str:
    """Return a token with whatever header and claims, signed as HS256 is."""
    content = f"{encoded(header)}.{encoded(claims)}"
    digest = hmac.new(secret, content.encode(), hashlib.sha256).digest()
    return f"{content}.{base64.urlsafe_b64encode(digest).rstrip(b'=').decode()}"


def hs(claims: object = CLAIMS, **header: object) -> str:
    """Return a token whose signature is right, with more in its header."""
    return signed({"alg": "HS256", "typ": "JWT", **header}, claims)


def without(name: str) -> dict[str, Any]:
    """Return the claims without one."""
    return {key: value for key, value in CLAIMS.items() if key != name}


def rs(key: rsa.RSAPrivateKey = RSA, **header: Any) -> str:
    """Return an RS256 token."""
    return jwt.encode(CLAIMS, key, algorithm="RS256", headers={"kid": "rs", **header})


def _flipped(token: str, at: int) -> str:
    return token[:at] + ("A" if token[at] != "A" else "B") + token[at + 1 :]


def _unsigned(algorithm: str) -> str:
    return f"{encoded({'alg': algorithm, 'typ': 'JWT'})}.{encoded(CLAIMS)}."


def _own_key(**header: Any) -> str:
    """Return a token that brings the stranger's key, by which its signature is right."""
    own = json.loads(jwt.algorithms.RSAAlgorithm.to_jwk(STRANGER.public_key()))
    return rs(STRANGER, **{name: own if name == "jwk" else value for name, value in header.items()})


GOOD = hs()
HEAD, BODY, TAIL = GOOD.split(".")
# Each is refused by the verifier of HS256 tokens: all but the first few have a right signature.
SHARED_FORGERIES = {
    "alg none": _unsigned("none"),
    "alg NONE": _unsigned("NONE"),
    "alg none with the signature": f"{encoded({'alg': 'none'})}.{BODY}.{TAIL}",
    "no alg": signed({"typ": "JWT"}, CLAIMS),
    "alg null": signed({"alg": None}, CLAIMS),
    "alg HS512": jwt.encode(CLAIMS, SECRET * 2, algorithm="HS512"),
    "alg RS256 with an HMAC": hs(alg="RS256"),
    "no signature": f"{HEAD}.{BODY}.",
    "signature of another": f"{HEAD}.{BODY}.{signed({}, {}).split('.')[2]}",
    "tampered claims": f"{HEAD}.{encoded({**CLAIMS, 'sub': 'root'})}.{TAIL}",
    "tampered header": f"{encoded({'alg': 'HS256'})}.{BODY}.{TAIL}",
    "one character of the signature": _flipped(GOOD, len(GOOD) - 10),
    "another secret": signed({"alg": "HS256"}, CLAIMS, b"another secret, as long as the true one"),
    "empty secret": signed({"alg": "HS256"}, CLAIMS, b""),
    "two segments": f"{HEAD}.{BODY}",
    "four segments": f"{GOOD}.{TAIL}",
    "five segments, encrypted": f"{HEAD}....{TAIL}",
    "not base64": f"{HEAD}.%%%.{TAIL}",
    "padding": f"{HEAD}=.{BODY}=.{TAIL}=",
    "a line end": GOOD + "\n",
    "not ASCII": GOOD + "é",
    "empty": "",
    "dots": "..",
    "very long": "a" * 9000 + "." + BODY + "." + TAIL,
    "a kid where there is none": hs(kid="other"),
    "a kid that is a path": hs(kid="../../dev/null"),
    "a kid that is SQL": hs(kid="' UNION SELECT 'x"),
    "a kid that is no text": hs(kid=["a"]),
    "crit": hs(crit=["exp"]),
    "crit b64": hs(crit=["b64"], b64=False),
    "another type": hs(typ="secevent+jwt"),
    "alg twice": signed('{"alg":"HS256","alg":"none"}', CLAIMS),
    "header is a list": signed(["HS256"], CLAIMS),
    "deep header": signed("[" * 3000 + "]" * 3000, CLAIMS),
    "claims are a list": hs([CLAIMS]),
    "claims are no JSON": hs("{"),
    "sub twice": hs(json.dumps(CLAIMS)[:-1] + ',"sub":"root"}'),
    "exp missing": hs(without("exp")),
    "exp null": hs({**CLAIMS, "exp": None}),
    "exp passed": hs({**CLAIMS, "exp": NOW - 11}),
    "exp a text": hs({**CLAIMS, "exp": str(NOW + 60)}),
    "exp true": hs({**CLAIMS, "exp": True}),
    "exp NaN": hs(json.dumps(without("exp"))[:-1] + ',"exp":NaN}'),
    "exp Infinity": hs(json.dumps(without("exp"))[:-1] + ',"exp":Infinity}'),
    "exp 1e999": hs(json.dumps(without("exp"))[:-1] + ',"exp":1e999}'),
    "nbf in the future": hs({**CLAIMS, "nbf": NOW + 11}),
    "iat in the future": hs({**CLAIMS, "iat": NOW + 11}),
    "iss missing": hs(without("iss")),
    "iss another": hs({**CLAIMS, "iss": "https://other.example"}),
    "iss a list": hs({**CLAIMS, "iss": [EXPECTED.issuer]}),
    "aud missing": hs(without("aud")),
    "aud another": hs({**CLAIMS, "aud": "elsewhere"}),
    "aud part of it": hs({**CLAIMS, "aud": "night"}),
    "aud another list": hs({**CLAIMS, "aud": ["a", "b"]}),
    "sub missing": hs(without("sub")),
    "sub empty": hs({**CLAIMS, "sub": ""}),
    "sub a number": hs({**CLAIMS, "sub": 1}),
    "sub long": hs({**CLAIMS, "sub": "a" * 257}),
    "sub with a line end": hs({**CLAIMS, "sub": "a\nb"}),
    "scope a number": hs({**CLAIMS, "scope": 1}),
    "scp of numbers": hs({**without("scope"), "scp": [1]}),
}
# Each is refused by the verifier of an issuer's keys.
PUBLISHED_FORGERIES = {
    "HMAC with the public key": signed({"alg": "HS256", "kid": "rs"}, CLAIMS, PUBLIC_PEM),
    "HMAC, called RS256": signed({"alg": "RS256", "kid": "rs"}, CLAIMS, PUBLIC_PEM),
    "alg none of a known key": f"{encoded({'alg': 'none', 'kid': 'rs'})}.{encoded(CLAIMS)}.",
    "RS256 by the EC key's name": rs(kid="es"),
    "ES256 by the RSA key's name": jwt.encode(CLAIMS, EC, algorithm="ES256", headers={"kid": "rs"}),
    "RS512 of the right key": jwt.encode(CLAIMS, RSA, algorithm="RS512", headers={"kid": "rs"}),
    "PS256 of the right key": jwt.encode(CLAIMS, RSA, algorithm="PS256", headers={"kid": "rs"}),
    "a stranger's key": rs(STRANGER),
    "no kid": jwt.encode(CLAIMS, RSA, algorithm="RS256"),
    "unknown kid": rs(kid="unknown"),
    "jku": _own_key(jku="https://stranger.example/keys"),
    "x5u": _own_key(x5u="https://stranger.example/cert"),
    "jwk": _own_key(jwk=None),
    "x5c": _own_key(x5c=["MIIB"]),
    "ES256 of nothing": f"{encoded({'alg': 'ES256', 'kid': 'es'})}.{encoded(CLAIMS)}."
    + base64.urlsafe_b64encode(bytes(64)).rstrip(b"=").decode(),
}


@pytest.mark.parametrize("name", SHARED_FORGERIES)
async def test_forgeries_of_shared_tokens_are_refused(name: str) -> None:
    """The words for the sender are short, ASCII and tell nothing of the token."""
    verifier = shared()
    with pytest.raises(TokenRefused):
        await verifier.verify(SHARED_FORGERIES[name])
    with pytest.raises(TokenRefused) as refused:  # it is not remembered as accepted
        await verifier.verify(SHARED_FORGERIES[name])
    words = str(refused.value)
    assert words.isascii()
    assert '"' not in words
    assert "alice" not in words


@pytest.mark.parametrize("name", PUBLISHED_FORGERIES)
async def test_forgeries_of_an_issuers_tokens_are_refused(name: str) -> None:
    """A token names neither its algorithm nor the place of its key."""
    with pytest.raises(TokenRefused):
        await published().verify(PUBLISHED_FORGERIES[name])


def test_the_corpora_are_large_enough() -> None:
    """Forty at least."""
    assert len(SHARED_FORGERIES) + len(PUBLISHED_FORGERIES) >= 40


async def test_a_right_token_tells_its_subject() -> None:
    """However scopes and audience are written; times may be off by the leeway."""
    alice = Principal("alice", frozenset({"models:read"}))
    assert await shared().verify(GOOD) == alice
    listed = {**without("scope"), "scp": ["models:read"], "aud": ["other", "nightshift"]}
    assert await shared().verify(hs(listed)) == alice
    late = {**CLAIMS, "exp": NOW - 9, "nbf": NOW + 9, "iat": NOW + 9}
    assert await shared().verify(hs(late, typ="at+jwt")) == alice
    assert await shared().verify(hs(without("scope"))) == Principal("alice", frozenset())
    assert await published().verify(rs()) == alice
    es = jwt.encode(CLAIMS, EC, algorithm="ES256", headers={"kid": "es"})
    assert await published().verify(es) == alice


async def test_a_remembered_token_ends_in_time() -> None:
    """What was accepted before is refused once it has expired, or its key is another one."""
    now = NOW
    keys = Published()
    verifier = Verifier(keys, EXPECTED, clock=lambda: now)
    token = rs()
    await verifier.verify(token)
    await verifier.verify(token)
    known = keys.keys.pop("rs")
    with pytest.raises(TokenRefused, match="its key is not known"):
        await verifier.verify(token)
    keys.keys["rs"] = known
    await verifier.verify(token)
    now = NOW + 60 + EXPECTED.leeway_s
    with pytest.raises(TokenRefused, match="it has expired"):
        await verifier.verify(token)


async def test_as_many_tokens_are_remembered_as_fit() -> None:
    """Thousands of different ones are all accepted, and the memory of them is bounded."""
    verifier = shared()
    for number in range(1100):
        assert (await verifier.verify(hs({**CLAIMS, "sub": f"s{number}"}))).subject == f"s{number}"
    assert len(verifier._known) == 1024


async def test_made_tokens_are_accepted_until_they_end() -> None:
    """What the demo gives is a token like any other."""
    token = make_token(
        SECRET, subject="demo", scopes={"b", "a"}, expected=EXPECTED, now=NOW, lifetime_s=5
    )
    assert await shared().verify(token) == Principal("demo", frozenset({"a", "b"}))
    with pytest.raises(TokenRefused, match="it has expired"):
        await shared(NOW + 16).verify(token)
