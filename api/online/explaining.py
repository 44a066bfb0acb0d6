"""Say why a request would go where it would go."""

from collections.abc import Sequence
from dataclasses import dataclass

from api.online.decision import Choice
from api.online.port import OnlineName
from inference.foresight import Foreseen, Seen
from registry.routes import WHOLE
from registry.targets import Target


@dataclass(frozen=True, slots=True)
class Option:
    """A version that may answer."""

    version: int
    """The version."""
    variant: str
    """`stable`, `canary` or `shadow`."""
    percent: float
    """Its part of the requests; of a shadow, the part of which it gets a copy."""


@dataclass(frozen=True, slots=True)
class Explanation:
    """Which version and server would answer, and why."""

    model: str
    """The model as it was addressed."""
    version: str | None
    """The registered version, or that of the path; None where the server decides."""
    variant: str
    """`stable`, `canary` or `shadow` of a weighted alias; empty without one."""
    why_version: str
    """The rule that chose the version."""
    options: tuple[Option, ...]
    """The versions of the route, with their shares."""
    served_name: str
    """The name by which servers serve it."""
    served_version: str
    """The version directory by which they do; empty for their newest."""
    server: str | None
    """Address of the server; None when there is none now."""
    why_server: str
    """The rule that chose the server."""
    servers: tuple[Seen, ...]
    """All servers that were looked at."""


def explained(
    name: OnlineName, target: Target | None, choice: Choice | None, pools: Sequence[Foreseen]
) -> Explanation:
    """Put the decisions together; `pools` are in the order in which they are asked. Pure."""
    first = next((each for each in pools if each.server is not None), pools[0] if pools else None)
    version = choice.placed.version if choice else None
    number = None if name.version is None else str(name.version)
    return Explanation(
        model=str(name),
        version=str(version.version) if version else number,
        variant=choice.variant if choice else "",
        why_version=choice.why if choice else "no registry knows the model, and a pool serves it",
        options=_options(target) if target else (),
        served_name=version.served_name if version else name.model,
        served_version=version.served_version if version else number or "",
        server=first.server if first else None,
        why_server=first.why if first else "no pool that has an active server serves it",
        servers=tuple(server for pool in pools for server in pool.servers),
    )


def _options(target: Target) -> tuple[Option, ...]:
    left = WHOLE - sum(share for _, share in target.canaries)
    options = [Option(target.stable.version.version, "stable", _percent(left))]
    options += [
        Option(placed.version.version, "canary", _percent(share))
        for placed, share in target.canaries
    ]
    if target.shadow is not None:
        placed, share = target.shadow
        options.append(Option(placed.version.version, "shadow", _percent(share)))
    return tuple(options)


def _percent(share: int) -> float:
    return share * 100 / WHOLE
