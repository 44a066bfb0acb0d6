"""List what a token may allow."""

from collections.abc import Mapping
from typing import Literal, get_args

ScopeName = Literal[
    "models:read",
    "models:write",
    "models:approve",
    "pools:read",
    "pools:write",
    "jobs:read",
    "jobs:write",
    "inference:run",
    "inference:pin",
    "inference:priority",
]
"""A scope allows exactly what it names: `models:write` does not allow reading."""

SCOPES: Mapping[ScopeName, str] = {
    "models:read": "See models, versions, aliases and their history.",
    "models:write": "Register models and versions, move aliases that need no approval.",
    "models:approve": "Approve versions, move protected aliases and change their canaries.",
    "pools:read": "See pools, their servers and what these serve.",
    "pools:write": "Register, drain and remove servers; load and unload versions.",
    "jobs:read": "See jobs and their reports.",
    "jobs:write": "Submit and cancel jobs.",
    "inference:run": "Have rows scored by a model that is being served.",
    "inference:pin": "Choose which version of a split alias answers.",
    "inference:priority": "Go before requests that ask for no priority.",
}

ALL_SCOPES: frozenset[str] = frozenset(get_args(ScopeName))
