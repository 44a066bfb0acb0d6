"""Serve each of a file's bodies by a bare FastAPI route: `python -m benchmarks.bare_app PORT FILE`.

The file is a JSON object of bodies by path.
"""

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import uvicorn
from fastapi import FastAPI


def main(port: int, bodies: Mapping[str, dict[str, Any]]) -> None:
    """Answer until a signal ends it."""
    app = FastAPI()

    def add(path: str, body: dict[str, Any]) -> None:
        @app.get(path)
        async def bare() -> dict[str, Any]:
            return body

    for path, body in bodies.items():
        add(path, body)
    uvicorn.run(app, port=port, log_config=None, access_log=False)


if __name__ == "__main__":
    main(int(sys.argv[1]), json.loads(Path(sys.argv[2]).read_text()))
