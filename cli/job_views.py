"""Show jobs on a terminal."""

import json
import time
from collections.abc import Sequence
from typing import Any

import typer

from cli.api_client import Api, ApiAway

HEADERS = ("job", "state", "model", "rows", "shards", "rate", "output")
PUBLISHED = frozenset({"completed", "completed_with_errors"})
_AT_REST = PUBLISHED | {"failed", "cancelled", "paused"}
"""Where nothing happens unless somebody does something."""
_PATIENCE_S = 60.0
"""How long an API that is away is asked again: a restart takes seconds."""

Job = dict[str, Any]


def row_of(job: Job) -> tuple[str, ...]:
    """Return what a table shows of a job."""
    rows, shards = job["rows"], job["shards"]
    return (
        job["id"],
        "cancelling" if _is_stopping(job) else job["state"],
        f"{job['model']}@{job['version']}",
        f"{rows['done']:,} of {rows['total']:,}" if rows["total"] else "–",
        f"{shards['done']} of {shards['total']}" if shards["total"] else "–",
        f"{job['rate']:,.0f} rows/s" if job["rate"] else "–",
        job["output"],
    )


def described(job: Job, events: Sequence[Job]) -> str:
    """Return what is to be told of a job, a line for each thing."""
    links, cost = job["links"], job["cost"]
    told = {
        "model": f"{job['model']}@{job['version']}",
        "input": job["input"],
        "output": job["output"],
        "why": job["why"],
        "rows": _rows(job),
        "shards": f"{job['shards']['done']} of {job['shards']['total']}",
        "rate": f"{job['rate']:,.0f} rows/s" if job["rate"] else "",
        "bounded by": job["bottleneck"] or "",
        "GPU seconds": f"{job['gpu_s']:,.1f}" if job["gpu_s"] else "",
        "cost": f"{cost['amount']:,.2f} {cost['currency']}" if cost else "",
        "run": links["prefect_run"] or "",
        "report": links["report"] or "",
        "quarantine": links["quarantine"] or "",
    }
    lines = [f"job {job['id']} {job['detail']}"]
    lines += [f"  {name:<11}  {value}" for name, value in told.items() if value]
    for event in reversed(events):
        why = f": {event['why']}" if event["why"] else ""
        what = event["kind"].removeprefix("job.")
        what = event["state"] if what == "moved" else what.replace("-", " ")
        lines.append(f"  {event['at'][:19].replace('T', ' ')}  {what} by {event['by']}{why}")
    return "\n".join(lines)


def watched(api: Api, job_id: str, *, as_json: bool) -> Job:
    """Show the job each time that it changes, a line each; return it when it is at rest.

    An API that restarts is asked again for a minute. Raises `ApiAway`, `ApiRefused`.
    """
    away_since: float | None = None
    while True:
        try:
            for job in api.stream(f"/v1/jobs/{job_id}/live"):
                away_since = None
                typer.echo(json.dumps(job, ensure_ascii=False) if as_json else line_of(job))
                if job["state"] in _AT_REST:
                    return job
        except ApiAway:
            now = time.monotonic()
            away_since = away_since or now
            if now - away_since > _PATIENCE_S:
                raise
        time.sleep(1.0)  # the API was about to end: another one, or the same one, is asked


def line_of(job: Job) -> str:
    """Return how a job goes, in one line."""
    told = ["cancelling" if _is_stopping(job) else job["state"]]
    if job["rows"]["total"]:
        told.append(_rows(job))
    if job["rate"]:
        told.append(f"{job['rate']:,.0f} rows/s")
    if job["eta_s"] is not None and job["state"] == "running":
        told.append(f"{job['eta_s']:,.0f} s left")
    return ", ".join(told) + (f": {job['why']}" if job["why"] else "")


def _rows(job: Job) -> str:
    rows = job["rows"]
    bad = f", {rows['quarantined']:,} quarantined" if rows["quarantined"] else ""
    return f"{rows['done']:,} of {rows['total']:,} rows{bad}" if rows["total"] else ""


def _is_stopping(job: Job) -> bool:
    return job["cancel_asked_at"] is not None and job["state"] not in _AT_REST
