"""Look whether the servers that the environment names answer, before a command waits for them."""

import json
import re
import socket
import ssl
import urllib.error
import urllib.request
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

from cli.stack.errors import NotAnswering, WrongAddress

_WAIT_S = 5.0
"""Longest wait for a connection: a server that is there accepts within milliseconds."""
_TRITON = re.compile(r"(?:grpc://)?(?P<host>\[[^\]]+\]|[^\s:/@]+):(?P<port>\d{1,5})")
_TRITON_SETTING = "NIGHTSHIFT_TRITON_URLS"
_PREFECT_SETTING = "PREFECT_API_URL"
_UNSET = "unset it: then the command starts one of its own"
_MAY_NOT_ASK = {401, 403, 407}
"""Whoever answers so is there; what it wants is told by Prefect's own client."""


def check_triton(urls: Sequence[str], *, every: bool = False, otherwise: str = _UNSET) -> None:
    """Raise `WrongAddress` or `NotAnswering` unless one of the servers, or `every`, can be reached.

    Connects and sends nothing, all at the same time. `otherwise` is what else can be done.
    """
    places = [_place(url) for url in urls]
    with ThreadPoolExecutor(len(places)) as threads:
        refusals = list(threads.map(_refusal, places))
    away = [f"{url} ({why})" for url, why in zip(urls, refusals, strict=True) if why]
    if away and (every or len(away) == len(urls)):
        raise NotAnswering("Triton", ", ".join(away), _TRITON_SETTING, otherwise)


def check_prefect(api_url: str) -> None:
    """Raise `WrongAddress` or `NotAnswering` unless Prefect's API answers there.

    Asked as its client asks, through a proxy if there is one.
    """
    if not api_url.startswith(("http://", "https://")):
        raise WrongAddress(_PREFECT_SETTING, api_url, "http://HOST:4200/api")
    try:
        request = urllib.request.Request(f"{api_url.rstrip('/')}/health")
        with urllib.request.urlopen(request, timeout=_WAIT_S) as answer:
            healthy = json.load(answer) is True
    except urllib.error.HTTPError as error:
        healthy = error.code in _MAY_NOT_ASK
        error.close()
    except urllib.error.URLError as error:
        if isinstance(error.reason, ssl.SSLError):
            return  # Prefect has its own settings for certificates
        why = getattr(error.reason, "strerror", None) or str(error.reason)
        raise NotAnswering("Prefect", f"{api_url} ({why})", _PREFECT_SETTING, _UNSET) from error
    except (OSError, UnicodeError) as error:
        why = str(error) or type(error).__name__
        raise NotAnswering("Prefect", f"{api_url} ({why})", _PREFECT_SETTING, _UNSET) from error
    except ValueError:
        healthy = False
    if not healthy:
        raise WrongAddress(_PREFECT_SETTING, api_url, "http://HOST:4200/api, with /api at its end")


def _place(url: str) -> tuple[str, int]:
    found = _TRITON.fullmatch(url)
    if found is None or not 0 < int(found["port"]) < 2**16:
        form = "HOST:PORT of Triton's gRPC endpoint, for example 127.0.0.1:8001"
        without = ", without http://" if url.startswith(("http://", "https://")) else ""
        raise WrongAddress(_TRITON_SETTING, url, f"{form}{without}")
    return found["host"].strip("[]"), int(found["port"])


def _refusal(place: tuple[str, int]) -> str | None:
    """Say why no connection can be made; None when one can."""
    try:
        socket.create_connection(place, timeout=_WAIT_S).close()
    except TimeoutError:
        return f"no answer in {_WAIT_S:g} s"
    except OSError as error:
        return (error.strerror or str(error)).lower()
    return None
