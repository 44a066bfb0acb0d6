"""Say who calls."""

from dataclasses import dataclass, field

from starlette.types import Scope as AsgiScope

from api.gateway.refusals import Refusal

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
    refusal: Refusal | None = None
    """Why the token was not accepted; None when there was none."""
    windows: list["Spent"] = field(default_factory=list)
    """The quotas that the request was counted against, which its answer tells."""


@dataclass(frozen=True, slots=True)
class Spent:
    """A quota after one request was counted against it."""

    name: str
    """What the quota is called in the answer's headers."""
    limit: int
    """Requests allowed in each window."""
    window_s: int
    """Length of the window, whole seconds."""
    remaining: int
    """Requests that are still allowed now."""
    reset_s: float
    """Seconds until at least one more request is allowed, or until the oldest is forgotten."""
    allowed: bool
    """Whether this request was within the quota."""


def set_caller(scope: AsgiScope, caller: Caller) -> None:
    """Remember who sent the request of `scope`."""
    scope[_KEY] = caller


def caller_of(scope: AsgiScope) -> Caller:
    """Return who sent the request; raises `KeyError` outside of the gateway."""
    caller = scope[_KEY]
    assert isinstance(caller, Caller)
    return caller
