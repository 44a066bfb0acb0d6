"""Show models and their versions."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from registry.domain import Alias, AliasMove, Model, ModelVersion

_DIGEST_CHARS = 12
_MOVES_SHOWN = 10


@dataclass(frozen=True, slots=True)
class ModelView:
    """All that is shown of one model."""

    model: Model
    """The model itself."""
    versions: tuple[ModelVersion, ...]
    """Newest first."""
    aliases: tuple[Alias, ...]
    """By name."""
    moves: tuple[AliasMove, ...]
    """Newest first."""


def as_json(value: Model | ModelVersion | Alias) -> str:
    """Return the fields as JSON, times in ISO 8601."""
    return _dump(asdict(value))


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
    table = _table("model", "latest", "aliases", "description")
    for model, aliases in found:
        _add(table, model.name, model.last_version or "", _pointing(aliases), model.description)
    Console().print(table)


def show_model(view: ModelView) -> None:
    """Print a model's versions, what the newest takes and gives, and its aliases' history."""
    console = Console()
    console.print(Text(view.model.name, style="bold"), Text(view.model.description))
    table = _table(
        "version", "aliases", "digest", "served as", "registered (UTC)", "by", "description"
    )
    for version in view.versions:
        here = [alias.name for alias in view.aliases if alias.version == version.version]
        served = f"{version.served_name}/{version.served_version}"
        _add(
            table,
            version.version,
            ", ".join(here),
            _short(version.digest),
            served,
            _minute(version.created_at),
            version.created_by,
            version.description,
        )
    console.print(table)
    if view.versions:
        show_version(view.versions[0])
    if view.moves:
        _show_moves(console, view.moves)


def show_version(version: ModelVersion) -> None:
    """Print what a version takes and gives."""
    table = _table(str(version), "name", "datatype", "shape", "columns")
    specs = [("input", spec) for spec in version.signature.inputs]
    specs += [("output", spec) for spec in version.signature.outputs]
    for kind, spec in specs:
        columns = version.columns.get(spec.name, ()) if kind == "input" else ()
        _add(table, kind, spec.name, spec.datatype, list(spec.shape), ", ".join(columns))
    Console().print(table)


def _show_moves(console: Console, moves: tuple[AliasMove, ...]) -> None:
    table = _table("alias", "moved (UTC)", "from", "to", "by", "why")
    for move in moves[:_MOVES_SHOWN]:
        left = move.from_version or "–"
        _add(table, move.alias, _minute(move.at), left, move.to_version, move.by, move.why)
    console.print(table)
    if len(moves) > _MOVES_SHOWN:
        console.print(f"… and {len(moves) - _MOVES_SHOWN} earlier moves: --json shows them all")


def _table(*headers: str) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for header in headers:
        table.add_column(header, overflow="fold")
    return table


def _add(table: Table, *cells: object) -> None:
    # As Text, so that brackets in a name or shape are not read as markup.
    table.add_row(*(Text(str(cell)) for cell in cells))


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
