"""Serve moto's S3 with one request at a time: `python -m cli.stack.s3_app PORT`.

Without the lock moto lets several conditional writers win one key; with it, exactly one does.
Environment variables say what else it is to be: see `s3_settings`.
"""

import os
import resource
import sys
import threading
from collections.abc import Iterable
from typing import Any

from moto.server import DomainDispatcherApplication, create_backend_app  # type: ignore[attr-defined]  # not in its stubs
from werkzeug.serving import WSGIRequestHandler, make_server

from cli.stack.s3_kept import KeptObjects
from cli.stack.s3_settings import S3AppSettings

_DENIED = (
    b'<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>InvalidAccessKeyId</Code>'
    b"<Message>The AWS access key id you provided does not exist in our records.</Message></Error>"
)


class _OneAtATime:
    """A WSGI application that finishes each answer before it takes the next request."""

    def __init__(self, app: Any, settings: S3AppSettings, kept: KeptObjects | None) -> None:
        self._app = app
        self._settings = settings
        self._kept = kept
        self._lock = threading.Lock()

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        if not self._may_enter(environ):
            start_response("403 Forbidden", [("Content-Type", "application/xml")])
            return [_DENIED]
        if self._settings.careless:
            environ.pop("HTTP_IF_NONE_MATCH", None)
            environ.pop("HTTP_IF_MATCH", None)
        # The body is read first: a slow sender must not hold the lock.
        with self._lock:
            answer = self._app(environ, start_response)
            try:
                body = b"".join(answer)
            finally:
                if hasattr(answer, "close"):
                    answer.close()
            if self._kept is not None and environ["REQUEST_METHOD"] not in ("GET", "HEAD"):
                self._kept.follow(environ["PATH_INFO"])
            return [body]

    def _may_enter(self, environ: dict[str, Any]) -> bool:
        key = self._settings.access_key
        if not key or environ["PATH_INFO"].startswith("/moto-api/"):
            return True
        told = environ.get("HTTP_AUTHORIZATION", "") + environ.get("QUERY_STRING", "")
        return f"Credential={key}/" in told or f"Credential={key}%2F" in told


class _QuietHandler(WSGIRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        return


def main(port: int, settings: S3AppSettings) -> None:
    """Serve until the guard ends this process."""
    # moto holds a file open for each object of more than 5 MiB.
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    kept = None
    if settings.folder is not None:
        kept = KeptObjects(settings.folder)
        kept.load()
    app = _OneAtATime(DomainDispatcherApplication(create_backend_app), settings, kept)
    make_server(
        "127.0.0.1", port, app, threaded=True, request_handler=_QuietHandler
    ).serve_forever()


if __name__ == "__main__":
    main(int(sys.argv[1]), S3AppSettings.read(os.environ))
