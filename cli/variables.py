"""Know the environment variables that the platform reads."""

import os
from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from importlib import import_module

from pydantic import AliasChoices
from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings

PREFIX = "NIGHTSHIFT_"
SETTINGS_MODULES = (
    "api.gateway.settings",
    "api.jobs.settings",
    "api.online.settings",
    "api.settings",
    "cli.settings",
    "flows.settings",
    "flows.shards.settings",
    "flows.slice_settings",
    "inference.settings",
    "inference.store_settings",
    "registry.settings",
)
"""Where the settings are defined; none of them imports more than pydantic."""


def variable_names(title: str) -> dict[str, str]:
    """Return the variable of each field of the settings class called `title`; empty for others."""
    found = [kind for kind in _settings() if kind.__name__ == title]
    return {field: names[0] for kind in found for field, names in _names(kind)}


def variables_of(field: str) -> list[str]:
    """Return the variables of every field of that name."""
    return [names[0] for kind in _settings() for name, names in _names(kind) if name == field]


def unknown_variables(environment: Mapping[str, str] = os.environ) -> list[str]:
    """Say in a line for each which `NIGHTSHIFT_…` variables nothing reads, with a likely name."""
    known = {name for kind in _settings() for _, names in _names(kind) for name in names}
    return [
        f"{name} is not a setting and has no effect{_likely(name, known)}"
        for name in sorted(environment)
        if name.startswith(PREFIX) and name not in known
    ]


def _likely(name: str, known: set[str]) -> str:
    close = get_close_matches(name, sorted(known), n=1, cutoff=0.8)
    return f": did you mean {close[0]}?" if close else ""


def _settings() -> list[type[BaseSettings]]:
    for module in SETTINGS_MODULES:
        import_module(module)
    return [kind for kind in BaseSettings.__subclasses__() if kind.__module__ in SETTINGS_MODULES]


def _names(kind: type[BaseSettings]) -> Iterator[tuple[str, list[str]]]:
    """Give each field with its variables."""
    prefix = kind.model_config.get("env_prefix", "")
    for field, info in kind.model_fields.items():
        yield field, _aliases(info) or [f"{prefix}{field}".upper()]


def _aliases(info: FieldInfo) -> list[str]:
    alias = info.validation_alias
    if isinstance(alias, AliasChoices):
        return [choice for choice in alias.choices if isinstance(choice, str)]
    return [alias] if isinstance(alias, str) else []
