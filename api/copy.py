"""Write the API's description to a file: `python -m api.copy docs/openapi.json`."""

import json
import sys
from dataclasses import replace
from pathlib import Path

from pydantic import SecretStr

from api.app import create_app
from api.gateway.settings import TokenSettings
from api.settings import Settings

_UNUSED = SecretStr("0123456789abcdef, with which nothing is signed")


def main(path: Path) -> None:
    """Write what `/openapi.json` says in production; nothing is opened for it."""
    settings = Settings.read()
    tokens = TokenSettings(environment="production", secret=_UNUSED)
    described = create_app(replace(settings, tokens=tokens)).openapi()
    path.write_text(json.dumps(described, indent=1, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
