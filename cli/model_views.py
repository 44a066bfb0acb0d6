"""Show models and their versions."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

import typer
from rich.console import Console
from rich.text import Text

from cli.tables import table
from registry.domain import Alias, AliasMove, Approval, Model, ModelVersion

_DIGEST_CHARS = 12
SHOWN = 20
"""Versions or moves in a table: what fits a screen."""


@dataclass(frozen=True, slots=True)
class ModelView:
    """What is shown of one model."""

    model: Model
    """The model itself."""
    versions: tuple[ModelVersion, ...]
    """Newest first."""
    aliases: tuple[Alias, ...]
    """By name."""
    moves: tuple[AliasMove, ...]
    """Newest first."""


def as_json(value: Model | ModelVersion | Alias | Approval) -> str:
    """Return the fields as JSON, times in ISO 8601."""
    return _dump(asdict(value))


def gone_json(what: str) -> str:
    """Return what was deleted as JSON, by the name that it had."""
    return _dump({"deleted": what})


def models_json(found: Sequence[tuple[Model, tuple[Alias, ...]]]) -> str:
    """Return the models as a JSON array, each with its aliases."""
    return _dump([asdict(model) | {"aliases": _pointers(aliases)} for model, aliases in found])


def model_json(view: ModelView) -> str:
    """Return the model as JSON, with versions, aliases and history."""
    return _dump(
        asdict(view.model)
        | {
            "aliases": _pointers(view.aliases),
            "versions": [asdict(version) for version in view.versions],
            "moves": [asdict(move) for move in view.moves],
        }
    )


def show_models(found: Sequence[tuple[Model, tuple[Alias, ...]]]) -> None:
    """Print a table of models."""
    rows = [
        (model.name, model.last_version or "", _pointing(aliases), described(model))
        for model, aliases in found
    ]
    Console().print(table(("model", "latest", "aliases", "description"), rows))


def show_model(view: ModelView) -> None:
    """Print a model's newest versions, what the last takes and gives, and its aliases' history."""
    console = Console()
    console.print(Text(view.model.name, style="bold"), Text(described(view.model)))
    if view.model.protected:
        told = ", ".join(view.model.protected)
        console.print(Text(f"protected, for approved versions only: {told}"))
    newest = view.versions[:SHOWN]
    rows = [_version_row(each, view.aliases) for each in newest]
    headers = ("version", "aliases", "digest", "registered (UTC)", "by", "description")
    console.print(table(headers, rows, unbroken=1))
    if len(view.versions) > SHOWN:
        console.print("… and older versions: --json shows them all")
    if view.versions:
        show_version(view.versions[0])
    if view.moves:
        _show_moves(console, view.moves)


def show_version(version: ModelVersion) -> None:
    """Print what a version takes and gives."""
    specs = [("input", spec) for spec in version.signature.inputs]
    specs += [("output", spec) for spec in version.signature.outputs]
    rows = [
        (
            kind,
            spec.name,
            spec.datatype,
            list(spec.shape),
            ", ".join(version.columns.get(spec.name, ()) if kind == "input" else ()),
        )
        for kind, spec in specs
    ]
    Console().print(table((str(version), "name", "datatype", "shape", "columns"), rows))


def show_one_version(
    version: ModelVersion, approvals: Sequence[Approval], *, as_json: bool
) -> None:
    """Print all of a version, with who approved it."""
    if as_json:
        told = [asdict(approval) for approval in approvals]
        typer.echo(_dump(asdict(version) | {"approvals": told}))
        return
    facts = (
        ("description", version.description),
        ("tags", _tags(version.tags)),
        ("registered", f"{_minute(version.created_at)} UTC by {version.created_by or 'somebody'}"),
        ("served as", f"{version.served_name}/{version.served_version}"),
        ("digest", version.digest),
        ("artifact", version.artifact or ""),
        *(("approved", _approval(approval)) for approval in approvals),
    )
    Console().print(table((str(version), ""), [fact for fact in facts if fact[1]], unbroken=1))
    show_version(version)


def described(model: Model) -> str:
    """Return what is said of a model in one line: description and tags."""
    return "  ".join(part for part in (model.description, _tags(model.tags)) if part)


def _show_moves(console: Console, moves: Sequence[AliasMove]) -> None:
    headers = ("alias", "moved (UTC)", "from", "to", "by", "why")
    console.print(table(headers, map(_move_row, moves[:SHOWN])))
    if len(moves) > SHOWN:
        console.print("… and earlier moves: --json shows them all")


def _version_row(version: ModelVersion, aliases: Sequence[Alias]) -> tuple[object, ...]:
    return (
        version.version,
        ", ".join(alias.name for alias in aliases if alias.version == version.version),
        _short(version.digest),
        _minute(version.created_at),
        version.created_by,
        version.description,
    )


def _move_row(move: AliasMove) -> tuple[object, ...]:
    left = move.from_version or "–"
    return (move.alias, _minute(move.at), left, move.to_version, move.by, move.why)


def _approval(approval: Approval) -> str:
    why = f": {approval.why}" if approval.why else ""
    return f"{_minute(approval.at)} UTC by {approval.by}{why}"


def _tags(tags: Mapping[str, str]) -> str:
    return " ".join(f"{key}={value}" for key, value in tags.items())


def _pointers(aliases: Sequence[Alias]) -> dict[str, int]:
    return {alias.name: alias.version for alias in aliases}


def _pointing(aliases: Sequence[Alias]) -> str:
    return ", ".join(f"{alias.name} → {alias.version}" for alias in aliases)


def _short(digest: str) -> str:
    kind, _, hexadecimal = digest.partition(":")
    origin = "metadata " if kind.startswith("metadata") else ""
    return f"{origin}{hexadecimal[:_DIGEST_CHARS]}"


def _minute(moment: datetime | None) -> str:
    return moment.strftime("%Y-%m-%d %H:%M") if moment else ""


def _dump(value: Any) -> str:
    return json.dumps(value, indent=2, default=datetime.isoformat, ensure_ascii=False)
