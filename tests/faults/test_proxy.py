"""The fault proxy spoils what its rules say, and nothing else."""

import http.client
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from cli.stack.process import free_ports
from tests.faults.http_messages import NotUnderstood
from tests.faults.proxy import (
    DROPPED_ANSWER,
    LOST_REQUEST,
    Fault,
    FaultProxy,
    Gate,
    Rule,
)

BODY = b"0123456789" * 100


class Server(ThreadingHTTPServer):
    """A real server that remembers what it was asked, and answers with the body it got."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.asked: list[tuple[str, str, bytes, str | None]] = []

    @property
    def url(self) -> str:
        """Its address."""
        return f"http://127.0.0.1:{self.server_port}"


class Handler(BaseHTTPRequestHandler):
    """Method, path, body and one header of each request are kept."""

    protocol_version = "HTTP/1.1"
    server: Server

    def handle_one(self) -> None:
        """Answer with the body."""
        body = self.rfile.read(int(self.headers["Content-Length"] or 0))
        self.server.asked.append((self.command, self.path, body, self.headers["If-None-Match"]))
        self.send_response(200)
        if self.path.endswith("chunks"):
            self.send_header("Transfer-Encoding", "chunked")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    do_GET = do_HEAD = do_PUT = handle_one  # noqa: N815 - the names that http.server looks for

    def log_message(self, *args: object) -> None:
        """Say nothing."""


@pytest.fixture
def server() -> Iterator[Server]:
    """A server, and its end."""
    running = Server()
    thread = threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield running
    running.shutdown()
    thread.join()
    running.server_close()


@pytest.fixture
def proxy(server: Server) -> Iterator[FaultProxy]:
    """A proxy before it, without rules."""
    with FaultProxy(server.url) as running:
        yield running


@pytest.fixture
def client(proxy: FaultProxy) -> Iterator[http.client.HTTPConnection]:
    """A client of the proxy."""
    connection = http.client.HTTPConnection(proxy.url.removeprefix("http://"), timeout=60)
    yield connection
    connection.close()


def put(
    client: http.client.HTTPConnection, path: str = "/a", method: str = "PUT"
) -> tuple[int, bytes]:
    """Send a request; returns status and body."""
    client.request(method, path, BODY, {"If-None-Match": "*"})
    answer = client.getresponse()
    return answer.status, answer.read()


LOST = (http.client.RemoteDisconnected, ConnectionError)
ASKED = ("PUT", "/a", BODY, "*")


def test_without_rules_all_passes(
    server: Server, proxy: FaultProxy, client: http.client.HTTPConnection
) -> None:
    """Bodies, headers and several requests on one connection come through as they are."""
    assert put(client) == (200, BODY)
    assert put(client, "/b", "GET") == (200, BODY)
    assert put(client, "/c", "HEAD") == (200, b"")
    assert server.asked == [ASKED, ("GET", "/b", BODY, "*"), ("HEAD", "/c", BODY, "*")]
    assert [(one.method, one.target, one.status) for one in proxy.passages()] == [
        ("PUT", "/a", 200),
        ("GET", "/b", 200),
        ("HEAD", "/c", 200),
    ]
    assert proxy.harmed() == []


def test_rules_choose_by_method_target_and_number(
    server: Server, proxy: FaultProxy, client: http.client.HTTPConnection
) -> None:
    """The second and third PUT below /x/ are refused, nothing else."""
    rule = Rule(Fault(refuse=503), "PUT", r"^/x/", skip=1, times=2)
    proxy.add(rule)
    asked = [("PUT", "/x/1"), ("PUT", "/y/x/"), ("GET", "/x/2"), *[("PUT", "/x/3")] * 3]
    assert [put(client, path, method)[0] for method, path in asked] == [
        200,
        200,
        200,
        503,
        503,
        200,
    ]
    assert [(one.target, one.rule) for one in proxy.harmed()] == [("/x/3", rule)] * 2
    assert len(server.asked) == 4


def test_dropped_answer(
    server: Server, proxy: FaultProxy, client: http.client.HTTPConnection
) -> None:
    """The server has done it, the client hears nothing; the next try is answered."""
    proxy.add(Rule(DROPPED_ANSWER))
    with pytest.raises(LOST):
        put(client)
    client.close()
    assert server.asked == [ASKED]
    assert put(client) == (200, BODY)
    assert proxy.harmed()[0].status == 200


def test_answer_in_the_place_of_the_servers(
    server: Server, proxy: FaultProxy, client: http.client.HTTPConnection
) -> None:
    """The server has done it, the client is told that it failed."""
    proxy.add(Rule(Fault(answer_status=500)))
    assert put(client)[0] == 500
    assert server.asked == [ASKED]
    assert [passage.status for passage in proxy.harmed()] == [200]


def test_lost_request(
    server: Server, proxy: FaultProxy, client: http.client.HTTPConnection
) -> None:
    """The server never hears of it."""
    proxy.add(Rule(LOST_REQUEST))
    with pytest.raises(LOST):
        put(client)
    assert server.asked == []
    assert proxy.harmed()[0].status is None


def test_request_cut_in_its_body(
    server: Server, proxy: FaultProxy, client: http.client.HTTPConnection
) -> None:
    """The server gets the first half of the body, then the connection ends."""
    proxy.add(Rule(Fault(request_share=0.5)))
    with pytest.raises(LOST):
        put(client)
    deadline = time.monotonic() + 60
    while not server.asked and time.monotonic() < deadline:
        time.sleep(0.01)
    assert server.asked == [("PUT", "/a", BODY[:500], "*")]


def test_answer_cut_in_its_body(proxy: FaultProxy, client: http.client.HTTPConnection) -> None:
    """The client gets the beginning of the body."""
    proxy.add(Rule(Fault(answer_share=0.9)))
    with pytest.raises(http.client.IncompleteRead) as caught:
        put(client)
    assert BODY.startswith(caught.value.partial)
    assert 0 < len(caught.value.partial) < len(BODY)


def test_stripped_header(
    server: Server, proxy: FaultProxy, client: http.client.HTTPConnection
) -> None:
    """The server does not see the header."""
    proxy.add(Rule(Fault(strip="If-None-Match"), times=None))
    assert put(client) == put(client) == (200, BODY)
    assert server.asked == [("PUT", "/a", BODY, None)] * 2


def test_late_request_arrives_without_its_client(server: Server, proxy: FaultProxy) -> None:
    """The client gives up; its request reaches the server all the same."""
    gate = Gate()
    proxy.add(Rule(Fault(request_gate=gate)))
    address = proxy.url.removeprefix("http://")
    hasty = http.client.HTTPConnection(address, timeout=0.2)
    with pytest.raises(TimeoutError):
        put(hasty)
    hasty.close()
    assert gate.reached.wait(30)
    assert server.asked == []
    gate.opened.set()
    proxy.settle()
    assert server.asked == [ASKED]


def test_late_answer(server: Server, proxy: FaultProxy) -> None:
    """The server has done it while the client still waits."""
    gate = Gate()
    proxy.add(Rule(Fault(answer_gate=gate, request_delay_s=0.05, answer_delay_s=0.05)))
    address = proxy.url.removeprefix("http://")
    hasty = http.client.HTTPConnection(address, timeout=0.2)
    with pytest.raises(TimeoutError):
        put(hasty)
    hasty.close()
    assert gate.reached.wait(30)
    assert server.asked == [ASKED]
    with pytest.raises(TimeoutError, match="1 requests on their way"):
        proxy.settle(within_s=0.01)
    gate.opened.set()
    proxy.settle()


def test_throttled_answer(proxy: FaultProxy, client: http.client.HTTPConnection) -> None:
    """The answer comes whole, no faster than the rule says."""
    proxy.add(Rule(Fault(bytes_per_s=5000)))
    begin = time.monotonic()
    assert put(client) == (200, BODY)
    assert time.monotonic() - begin > 0.15


def test_server_that_is_away() -> None:
    """Nobody listens: the client's connection ends, the proxy lives on."""
    (port,) = free_ports(1)
    with FaultProxy(f"http://127.0.0.1:{port}") as proxy:
        client = http.client.HTTPConnection(proxy.url.removeprefix("http://"), timeout=60)
        for _ in range(2):
            with pytest.raises(LOST):
                put(client)
            client.close()
        assert [one.status for one in proxy.passages()] == [None, None]


def test_what_it_does_not_understand(server: Server) -> None:
    """A test that needs more of HTTP than the proxy knows fails, rather than pass by luck."""
    with pytest.raises(NotUnderstood, match="chunks"), FaultProxy(server.url) as proxy:
        client = http.client.HTTPConnection(proxy.url.removeprefix("http://"), timeout=60)
        with pytest.raises(LOST):
            put(client, "/chunks")
        client.close()
