"""The configuration of nginx agrees with the API that it stands before."""

import re

import uvicorn

from api.settings import ApiSettings
from tests.conftest import ROOT

CONF = (ROOT / "infra" / "proxy" / "nginx.conf").read_text()


def upstream_idle_s() -> int:
    """Return how long nginx keeps an idle connection to the API."""
    (upstream,) = re.findall(r"upstream nightshift \{(.*?)\n    \}", CONF, re.DOTALL)
    (seconds,) = re.findall(r"^ *keepalive_timeout (\d+)s;$", upstream, re.MULTILINE)
    return int(seconds)


def test_nginx_closes_idle_connections_first() -> None:
    """Before the API does, and while one that was told to end still answers.

    Else a request may be sent just when its connection is closed, and nginx sends no POST twice.
    """
    never_served = uvicorn.Config("nobody:asks")
    assert upstream_idle_s() < never_served.timeout_keep_alive
    assert upstream_idle_s() < ApiSettings.model_fields["drain_notice_s"].default
