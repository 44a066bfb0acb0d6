"""Have past nights scored."""

from datetime import datetime
from typing import Annotated

import typer

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

    def tell(run: Submitted) -> None:
        count = "1 night" if len(nights) == 1 else f"{len(nights)} nights"
        typer.echo(f"{count} handed to {deployment}: {run.page or run.id}")

    state = submit_backfill(deployment, nights[0], nights[-1], submitted=tell, wait=wait)
    if not wait:
        return
    typer.echo(state)
    if not state.startswith("Completed"):
        raise typer.Exit(1)
