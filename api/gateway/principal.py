"""Say who calls."""

from dataclasses import dataclass, field

from starlette.types import Scope as AsgiScope

from api.gateway.quotas import Spent
from api.problems import Refused

_KEY = "nightshift.caller"


@dataclass(frozen=True, slots=True)
class Principal:
    """Someone whose token was accepted."""

    subject: str
    """Who it is, as the issuer of the token names them; unique for one issuer."""
    scopes: frozenset[str]
    """What they may do; may hold names that this API does not know."""


@dataclass(slots=True)
class Caller:
    """What the gateway has found out about the sender of one request."""

    address: str
    """The client's address; that of the last proxy that is not trusted."""
    principal: Principal | None = None
    """Who it is; None without a token, or with one that was not accepted."""
    refusal: Refused | None = None
    """Why the token was not accepted; None when there was none."""
    spent: list[Spent] = field(default_factory=list)
    """The quotas that the request was counted against, which its answer tells."""


def set_caller(scope: AsgiScope, caller: Caller) -> None:
    """Remember who sent the request of `scope`."""
    scope[_KEY] = caller


def caller_of(scope: AsgiScope) -> Caller:
    """Return who sent the request; raises `KeyError` before that was found out."""
    caller = scope[_KEY]
    assert isinstance(caller, Caller)
    return caller


def known_caller(scope: AsgiScope) -> Caller | None:
    """Return who sent the request, None before that was found out."""
    return caller_of(scope) if _KEY in scope else None
