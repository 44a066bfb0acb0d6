"""Submit, watch and cancel jobs through the API."""

import json
from typing import Annotated, Any

import typer

from cli.interrupts import INTERRUPTED_STATUS
from cli.options import ApiUrl, AsJson, Why, use_api

# Commands import what they use when they run, so that help shows at once.

app = typer.Typer(help="Submit, watch and cancel jobs through the API.", no_args_is_help=True)

JobId = Annotated[str, typer.Argument(metavar="JOB", help="Its id, as `jobs list` shows it.")]
Watch = Annotated[bool, typer.Option("--watch", help="Show how it goes until it ends.")]

ENDED_BADLY = 3
"""Exit status of a job that was watched and failed, was cancelled or is paused."""


@app.callback()
def jobs(api: ApiUrl = None) -> None:
    """Submit, watch and cancel jobs through the API."""
    use_api(api)


@app.command()
def submit(
    model: Annotated[str, typer.Option(metavar="NAME@ALIAS", help="Which model; NAME@3 pins one.")],
    dataset: Annotated[
        str, typer.Option("--input", metavar="URI", help="Folder, prefix or Parquet file.")
    ],
    output: Annotated[str, typer.Option(metavar="URI", help="Where parts and manifest go.")],
    max_quarantined: Annotated[
        str, typer.Option(metavar="5%|ROWS", help="Rows that may go to the quarantine.")
    ] = "0",
    replace: Annotated[
        bool, typer.Option(help="Switch an output that another job published.")
    ] = False,
    with_fields: Annotated[
        str, typer.Option("--with", metavar="JSON", help="More fields of the job contract.")
    ] = "{}",
    key: Annotated[
        str | None,
        typer.Option(metavar="TEXT", help="Names this submission: repeated, it is the same job."),
    ] = None,
    watch: Watch = False,
    as_json: AsJson = False,
) -> None:
    """Have a dataset scored by the platform's workers; returns at once unless watched.

    Where datasets may lie, says the API's NIGHTSHIFT_STORES.
    """
    from cli.api_client import opened_api
    from cli.score import parse_limit

    rows, fraction = parse_limit(max_quarantined)
    asked: dict[str, Any] = {"model": model, "input": dataset, "output": output, "replace": replace}
    limits = {"max_quarantined_rows": rows, "max_quarantined_fraction": fraction}
    asked |= {name: value for name, value in limits.items() if value is not None}
    with opened_api() as api:
        job = api.create("/v1/jobs", asked | _fields(with_fields), key=key)
        _tell(job, f"job {job['id']} is submitted", as_json=as_json, watch=watch)
        if watch:
            _follow(api, job["id"], as_json=as_json)


@app.command("list")
def list_jobs(
    state: Annotated[
        list[str] | None, typer.Option(metavar="STATE", help="Where they are. Once for each.")
    ] = None,
    model: Annotated[str | None, typer.Option(metavar="NAME", help="What scores.")] = None,
    limit: Annotated[int, typer.Option(min=1, metavar="N", help="Most jobs shown.")] = 20,
    as_json: AsJson = False,
) -> None:
    """Show jobs, newest first."""
    from rich.console import Console

    from cli.api_client import opened_api
    from cli.job_views import HEADERS, row_of
    from cli.tables import table

    with opened_api() as api:
        query = {"state": state, "model": model}
        given = {name: value for name, value in query.items() if value}
        found = list(api.items("/v1/jobs", limit=limit, **given))
    if as_json:
        typer.echo(json.dumps(found, indent=2, ensure_ascii=False))
    elif found:
        Console().print(table(HEADERS, [row_of(job) for job in found], unbroken=1))
    else:
        typer.echo("no jobs")


@app.command()
def show(job: JobId, as_json: AsJson = False) -> None:
    """Show a job with what happened to it."""
    from cli.api_client import opened_api
    from cli.job_views import described

    with opened_api() as api:
        found = api.get(f"/v1/jobs/{job}")
        events = list(api.items(f"/v1/jobs/{job}/events"))
    if as_json:
        typer.echo(json.dumps(found | {"events": events}, indent=2, ensure_ascii=False))
    else:
        typer.echo(described(found, events))


@app.command()
def watch(job: JobId, as_json: AsJson = False) -> None:
    """Show how a job goes until it ends; Ctrl-C leaves it running.

    Exit status 0 when it is published, 3 when it failed, was cancelled or is paused.
    """
    from cli.api_client import opened_api

    with opened_api() as api:
        _follow(api, job, as_json=as_json)


@app.command()
def cancel(job: JobId, why: Why = "", as_json: AsJson = False) -> None:
    """End a job before it is done; what is committed stays, and `resume` goes on from it."""
    _act(job, "cancel", why, as_json=as_json)


@app.command()
def resume(job: JobId, why: Why = "", watch: Watch = False, as_json: AsJson = False) -> None:
    """Have a job go on that was paused, failed or was cancelled."""
    _act(job, "resume", why, as_json=as_json, watch=watch)
    if watch:
        from cli.api_client import opened_api

        with opened_api() as api:
            _follow(api, job, as_json=as_json)


def _act(job: str, act: str, why: str, *, as_json: bool, watch: bool = False) -> None:
    from cli.api_client import opened_api

    with opened_api() as api:
        found = api.act(f"/v1/jobs/{job}/{act}", why=why)
    _tell(found, f"job {job} {found['detail']}", as_json=as_json, watch=watch)


def _tell(job: dict[str, Any], words: str, *, as_json: bool, watch: bool) -> None:
    """Say what was done; a job that is watched as JSON is told line by line then."""
    if as_json and not watch:
        typer.echo(json.dumps(job, indent=2, ensure_ascii=False))
    else:
        typer.echo(words, err=as_json)


def _follow(api: Any, job: str, *, as_json: bool) -> None:
    """Show the job until it ends or pauses; exit with 3 unless it is published."""
    from cli.job_views import PUBLISHED, watched

    try:
        last = watched(api, job, as_json=as_json)
    except KeyboardInterrupt:
        typer.echo(
            f"job {job} goes on without you: `nightshift jobs watch {job}` shows it again, "
            f"`nightshift jobs cancel {job}` ends it",
            err=True,
        )
        raise typer.Exit(INTERRUPTED_STATUS) from None
    if last["state"] not in PUBLISHED:
        raise typer.Exit(ENDED_BADLY)


def _fields(text: str) -> dict[str, Any]:
    """Read more fields of the job contract; raises `typer.BadParameter`."""
    try:
        found = json.loads(text)
    except ValueError as error:
        raise typer.BadParameter(f"--with is not JSON: {error}") from error
    if not isinstance(found, dict):
        raise typer.BadParameter('--with: write an object, {"keep": "none"} for example')
    return found
