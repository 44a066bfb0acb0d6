"""Serve Prefect's API on loopback, without the cost of its command line.

`python -m cli.stack.prefect_app serve FD` takes connections from the bound socket FD; `prepare`
brings the database up to date and ends. The garbage collector is off while Prefect is imported,
which takes a sixth less time so, and does not look at what was imported afterwards.
"""

import asyncio
import gc
import socket
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from fastapi import FastAPI


def main(arguments: list[str]) -> None:
    """Do what `arguments` say with the server that the environment variables describe."""
    app = _load()
    if arguments[0] == "prepare":
        asyncio.run(_prepare())
        return
    import uvicorn

    config = uvicorn.Config(app, log_level="warning", access_log=False)
    uvicorn.Server(config).run(sockets=[socket.socket(fileno=int(arguments[1]))])


def _load() -> "FastAPI":
    gc.disable()
    from prefect.server.api.server import create_app

    app = create_app(final=True)
    gc.freeze()
    gc.enable()
    return app


async def _prepare() -> None:
    """Migrate the database, register Prefect's blocks in it."""
    from prefect.server.database import provide_database_interface
    from prefect.server.models.block_registration import run_block_auto_registration

    database = provide_database_interface()
    await database.create_db()
    async with await database.session() as session:
        await run_block_auto_registration(session=session)
    await (await database.engine()).dispose()


if __name__ == "__main__":
    main(sys.argv[1:])
