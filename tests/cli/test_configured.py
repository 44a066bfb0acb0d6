"""Check how servers are looked for that the environment names."""

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread

import pytest

from cli.configured import check_prefect, check_triton
from cli.stack.errors import NotAnswering, StackError, WrongAddress
from cli.stack.process import free_ports


@contextmanager
def answering(status: int, body: bytes) -> Iterator[str]:
    """Give the address of a web server that answers every question so."""

    class Answer(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Answer) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/api"
        finally:
            server.shutdown()
            thread.join()


@pytest.mark.parametrize(("status", "body"), [(200, b"true"), (401, b""), (403, b"")])
def test_a_prefect_that_answers(status: int, body: bytes) -> None:
    """Whether it lets us in is between its client and itself."""
    with answering(status, body) as url:
        check_prefect(url)


@pytest.mark.parametrize(("status", "body"), [(404, b""), (200, b"<html>"), (200, b"false")])
def test_something_else_than_prefect(status: int, body: bytes) -> None:
    """Its page, for example, where `/api` was forgotten."""
    with answering(status, body) as url, pytest.raises(WrongAddress, match="with /api at its end"):
        check_prefect(url)


def test_a_prefect_that_is_away() -> None:
    """The setting is named, with all that can be done."""
    (port,) = free_ports(1)
    with pytest.raises(NotAnswering) as caught:
        check_prefect(f"http://127.0.0.1:{port}/api")
    assert str(caught.value) == (
        f"no server answers for Prefect at http://127.0.0.1:{port}/api (Connection refused): start "
        "it, correct PREFECT_API_URL, or unset it: then the command starts one of its own"
    )


@pytest.mark.parametrize("url", ["127.0.0.1:4200/api", "banana", ""])
def test_what_is_no_web_address(url: str) -> None:
    """It says how one is written."""
    with pytest.raises(WrongAddress, match=r"PREFECT_API_URL .* write http://HOST:4200/api"):
        check_prefect(url)


def test_one_triton_is_enough_to_score() -> None:
    """Registering needs every one of them."""
    (away,) = free_ports(1)
    with socket.create_server(("127.0.0.1", 0)) as there:
        urls = [f"127.0.0.1:{away}", f"grpc://localhost:{there.getsockname()[1]}"]
        check_triton(urls)
        check_triton(urls[1:], every=True)
        with pytest.raises(NotAnswering, match=rf"at 127\.0\.0\.1:{away} \(connection refused\):"):
            check_triton(urls, every=True)
    with pytest.raises(NotAnswering, match="NIGHTSHIFT_TRITON_URLS"):
        check_triton(urls[:1])


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1:8001", "127.0.0.1", "127.0.0.1:", "127.0.0.1:99999", "a b:1", ":1"]
)
def test_what_is_no_address_of_triton(url: str) -> None:
    """It says how one is written."""
    with pytest.raises(StackError, match="write HOST:PORT of Triton's gRPC endpoint") as caught:
        check_triton([url])
    assert ("without http://" in str(caught.value)) == url.startswith("http")
