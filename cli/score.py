"""Score a dataset from the command line."""

from typing import Annotated

import typer

_CASTS = ("lossy", "temporal", "parse")

# Commands import what they use when they run, so that help shows at once.

Keep = Annotated[
    str,
    typer.Option(
        metavar="rest|all|none|COLUMN,…",
        help="Columns copied beside the scores: those that feed no input, all, none, or a list. "
        "Partition columns are always kept.",
    ),
]


def score(
    model: Annotated[str, typer.Option(metavar="NAME@ALIAS", help="Which model; NAME@3 pins one.")],
    dataset: Annotated[
        str,
        typer.Option(
            "--input", metavar="URI", help="Folder, prefix or Parquet file: a path or s3://…"
        ),
    ],
    output: Annotated[str, typer.Option(metavar="URI", help="Where parts and manifest go.")],
    columns: Annotated[
        list[str] | None,
        typer.Option(
            metavar="INPUT=COLUMN,…",
            help="Columns that feed an input, in order. Once for each input; those registered "
            "with the model are used otherwise.",
        ),
    ] = None,
    keep: Keep = "rest",
    rename: Annotated[
        list[str] | None,
        typer.Option(metavar="OUTPUT=COLUMN", help="Name of the column that an output becomes."),
    ] = None,
    text: Annotated[
        list[str] | None,
        typer.Option(metavar="OUTPUT", help="Write this BYTES output as text. Once for each."),
    ] = None,
    cast: Annotated[
        list[str] | None,
        typer.Option(
            metavar="lossy|temporal|parse",
            help="Allow rounding, dates and times as numbers, or text as numbers.",
        ),
    ] = None,
    max_quarantined: Annotated[
        str,
        typer.Option(
            metavar="5%|ROWS", help="Rows that may go to the quarantine before the job fails."
        ),
    ] = "0",
    allow_non_finite: Annotated[
        bool, typer.Option(help="Take NaN and infinity for answers.")
    ] = False,
    replace: Annotated[
        bool, typer.Option(help="Switch an output that another job published.")
    ] = False,
) -> None:
    """Score a Parquet dataset with a registered model, exactly once.

    Run again, it continues where it was stopped, and scores nothing when all is there.
    """
    from cli.models import parse_columns
    from cli.running import score_with_servers
    from cli.settings import LocalSettings
    from inference.jobs import BatchJob

    rows, fraction = parse_limit(max_quarantined)
    job = BatchJob.model_validate(
        {
            "model": model,
            "input": dataset,
            "output": output,
            "columns": parse_columns(columns or []),
            "keep": parse_keep(keep),
            "rename": parse_rename(rename or []),
            "text": text or [],
            "casts": parse_casts(cast or []),
            "allow_non_finite": allow_non_finite,
            "max_quarantined_rows": rows,
            "max_quarantined_fraction": fraction,
            "replace": replace,
        }
    )
    score_with_servers(job, LocalSettings())


def parse_limit(text: str) -> tuple[int | None, float | None]:
    """Read `1000` as rows or `5%` as a share; raises `typer.BadParameter`."""
    try:
        if text.endswith("%"):
            share = float(text.removesuffix("%")) / 100
            if not 0 <= share <= 1:
                raise ValueError(text)
            return None, share
        rows = int(text)
    except ValueError:
        rows = -1
    if rows < 0:
        raise typer.BadParameter(f"--max-quarantined {text}: write a share like 5%, or rows")
    return rows, None


def parse_casts(options: list[str]) -> list[str]:
    """Check what is allowed; raises `typer.BadParameter`."""
    for option in options:
        if option not in _CASTS:
            raise typer.BadParameter(f"--cast {option}: write {', '.join(_CASTS)}, each by itself")
    return list(dict.fromkeys(options))


def parse_keep(text: str) -> str | list[str]:
    """Read the columns to keep; the job contract checks a word."""
    if text in ("rest", "all", "none"):
        return text
    return [name.strip() for name in text.split(",") if name.strip()]


def parse_rename(options: list[str]) -> dict[str, str]:
    """Read `OUTPUT=COLUMN` options; raises `typer.BadParameter`."""
    names: dict[str, str] = {}
    for option in options:
        output, equals, column = option.partition("=")
        if not (output and equals and column):
            raise typer.BadParameter(f"--rename {option}: write OUTPUT=COLUMN")
        names[output] = column
    return names
