"""Refuse an old Python in one clear line, else build what a `make` target needs.

This file parses on every Python since 2.7; everything else needs 3.11.
"""

import os
import sys

if sys.version_info < (3, 11):
    sys.exit(
        "error: Python %d.%d (%s) is too old, Nightshift needs 3.11 or later: "
        "install it, or name it, for example `make demo PYTHON=python3.11`"
        % (sys.version_info[0], sys.version_info[1], sys.executable)
    )

sys.path[0] = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

from infra.setup.steps import main  # noqa: E402 - only after the version is known to do

sys.exit(main(sys.argv[1:]))
