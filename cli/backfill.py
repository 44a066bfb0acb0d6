"""Have past nights scored."""

from datetime import datetime
from typing import Annotated

import typer

from cli.interrupts import INTERRUPTED_STATUS

# Commands import what they use when they run, so that help shows at once.

_DAY = ["%Y-%m-%d"]


def backfill(
    first: Annotated[datetime, typer.Option("--from", formats=_DAY, help="The first night.")],
    last: Annotated[datetime, typer.Option("--to", formats=_DAY, help="The last night.")],
    deployment: Annotated[
        str, typer.Option(metavar="FLOW/NAME", help="Which says what is scored.")
    ] = "nightly/nightly",
    wait: Annotated[bool, typer.Option(help="Return when all nights were looked at.")] = True,
) -> None:
    """Have past nights scored by a worker, oldest first.

    Nights with a published output are passed over, so the same command may be repeated.
    PREFECT_API_URL names the server that knows the deployment.
    """
    from flows.backfill import Submitted, submit_backfill
    from flows.nights import nights_between

    try:
        nights = nights_between(first.date(), last.date())
    except ValueError as error:
        raise typer.BadParameter(str(error)) from error

    runs: list[Submitted] = []

    def tell(run: Submitted) -> None:
        runs.append(run)
        count = "1 night" if len(nights) == 1 else f"{len(nights)} nights"
        typer.echo(f"{count} handed to {deployment}: {run.page or run.id}")

    try:
        state = submit_backfill(deployment, nights[0], nights[-1], submitted=tell, wait=wait)
    except KeyboardInterrupt:
        if not runs:
            raise
        typer.echo(
            f"the nights go on without you: `prefect flow-run inspect {runs[0].id}` shows them, "
            f"`prefect flow-run cancel {runs[0].id}` ends them",
            err=True,
        )
        raise typer.Exit(INTERRUPTED_STATUS) from None
    if not wait:
        return
    typer.echo(state)
    if not state.startswith("Completed"):
        raise typer.Exit(1)
