"""Write the API's description to a file: `python -m api.copy docs/openapi.json`."""

import json
import sys
from dataclasses import replace
from pathlib import Path

from api.app import create_app
from api.gateway.settings import TokenSettings
from api.settings import Settings


def main(path: Path) -> None:
    """Write what `/openapi.json` says in development; nothing is opened for it.

    What production does not have is marked there with `x-development-only`.
    """
    tokens = TokenSettings(environment="development")
    described = create_app(replace(Settings.read(), tokens=tokens)).openapi()
    path.write_text(json.dumps(described, indent=1, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
