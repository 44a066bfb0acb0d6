"""Serve moto's S3 with one request at a time: `python s3_app.py PORT [careless]`.

Without the lock moto lets several conditional writers win one key; with it, exactly one does. A
careless server ignores conditions, as some S3 servers do.
"""

import sys
import threading
from collections.abc import Iterable
from typing import Any

from moto.server import DomainDispatcherApplication, create_backend_app  # type: ignore[attr-defined]  # not in its stubs
from werkzeug.serving import WSGIRequestHandler, make_server


class _OneAtATime:
    """A WSGI application that finishes each answer before it takes the next request."""

    def __init__(self, app: Any, *, careless: bool) -> None:
        self._app = app
        self._careless = careless
        self._lock = threading.Lock()

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        if self._careless:
            environ.pop("HTTP_IF_NONE_MATCH", None)
            environ.pop("HTTP_IF_MATCH", None)
        # The body is read first: a slow sender must not hold the lock.
        with self._lock:
            answer = self._app(environ, start_response)
            try:
                return [b"".join(answer)]
            finally:
                if hasattr(answer, "close"):
                    answer.close()


class _QuietHandler(WSGIRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        return


def main(port: int, *, careless: bool) -> None:
    """Serve until the guard ends this process."""
    app = _OneAtATime(DomainDispatcherApplication(create_backend_app), careless=careless)
    make_server(
        "127.0.0.1", port, app, threaded=True, request_handler=_QuietHandler
    ).serve_forever()


if __name__ == "__main__":
    main(int(sys.argv[1]), careless="careless" in sys.argv[2:])
