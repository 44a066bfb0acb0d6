"""Serve one bare FastAPI route, with a file's JSON: `python -m benchmarks.bare_app PORT FILE`."""

import json
import sys
from pathlib import Path
from typing import Any

import uvicorn
from fastapi import FastAPI


def main(port: int, body: dict[str, Any]) -> None:
    """Answer until a signal ends it."""
    app = FastAPI()

    @app.get("/bare")
    async def bare() -> dict[str, Any]:
        return body

    uvicorn.run(app, port=port, log_config=None, access_log=False)


if __name__ == "__main__":
    main(int(sys.argv[1]), json.loads(Path(sys.argv[2]).read_text()))
