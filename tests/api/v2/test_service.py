"""The protocol over plain HTTP: what stock clients do not show."""

import struct
from http.client import HTTPConnection
from typing import Any

import numpy as np
import pytest

from cli.stack.triton import LocalTriton
from tests.api import tokens
from tests.api.v2.service import ROWS, Service, scores_of
from tests.cli.stack.processes import eventually

FEATURES = {
    "name": "features",
    "shape": [2, 64],
    "datatype": "FP32",
    "data": ROWS.ravel().tolist(),
}


def test_text_goes_in_and_out_as_plain_strings(service: Service) -> None:
    """As somebody with `curl` writes it."""
    words = {"name": "BYTES", "shape": [2], "datatype": "BYTES", "data": ["a", "ünïcode"]}
    assert service.infer("echo", {"inputs": [words], "id": "7"}) == (
        200,
        {
            "model_name": "echo",
            "model_version": "1",
            "id": "7",
            "outputs": [
                {
                    "name": "BYTES_OUT",
                    "shape": [2],
                    "datatype": "BYTES",
                    "data": ["a", "ünïcode"],
                }
            ],
        },
    )


def test_a_raw_body_is_one_row(service: Service) -> None:
    """Header 0: no JSON comes with it; the answer's outputs are bytes."""
    answer = service.post(
        "/v2/models/scores/infer",
        ROWS[0].tobytes(),
        Inference_Header_Content_Length="0",
    )
    assert answer.status_code == 200
    size = int(answer.headers["Inference-Header-Content-Length"])
    (score,) = struct.unpack("<f", answer.content[size:])
    assert score == pytest.approx(float(scores_of(ROWS[:1])[0, 0]), rel=1e-5)


@pytest.mark.parametrize("content_type", [None, "application/octet-stream", "text/plain"])
def test_the_media_type_says_nothing(service: Service, content_type: str | None) -> None:
    """Stock clients send none, or the wrong one."""
    address, _, port = service.address.partition(":")
    connection = HTTPConnection(address, int(port), timeout=60)
    headers = tokens.bearer() | ({"Content-Type": content_type} if content_type else {})
    words = b'{"inputs":[{"name":"BYTES","shape":[1],"datatype":"BYTES","data":["a"]}]}'
    connection.request("POST", "/v2/models/echo/infer", words, headers)
    assert connection.getresponse().status == 200
    connection.close()


@pytest.mark.parametrize("path", ["/v2", "/v2/"])
def test_both_roots_answer(service: Service, path: str) -> None:
    """A redirect would be a failure to stock clients."""
    assert service.client.get(path).json()["name"] == "nightshift"


def test_large_json_is_read_and_written_elsewhere(service: Service) -> None:
    """Thousands of rows come back as they went, in a process of its own on both ways."""
    numbers = np.arange(100_000, dtype=np.float64)
    tensor = {"name": "FP64", "shape": [100_000], "datatype": "FP64", "data": numbers.tolist()}
    status, told = service.infer("echo", {"inputs": [tensor]})
    assert status == 200
    assert told["outputs"][0]["data"] == numbers.tolist()
    tensor["data"] = [*numbers.tolist()[:-1], "odd"]
    status, told = service.infer("echo", {"inputs": [tensor]})
    assert (status, "has strings" in told["error"]) == (400, True)


def test_a_refusal_is_a_problem_with_an_error(service: Service) -> None:
    """The members of RFC 9457, and the one that stock clients read."""
    answer = service.post("/v2/models/scores/infer", {"inputs": [FEATURES | {"name": "x"}]})
    assert answer.headers["content-type"] == "application/json"
    words = answer.json()["detail"]
    assert answer.json() == {
        "error": words,
        "type": "urn:nightshift:problem:model-mismatch",
        "title": "Does not fit the model",
        "status": 400,
        "detail": words,
        "instance": "/v2/models/scores/infer",
        "expected": {"inputs": [{"name": "features", "datatype": "FP32", "shape": [-1, 64]}]},
    }


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/v2/models/scores/infer", 405),
        ("GET", "/v2/nothing", 404),
        ("GET", "/v2/models/a%2Fb", 404),
        ("POST", "/v2/models/scores/versions/x/infer", 422),
        ("POST", "/v2/models/a@b@c/infer", 422),
        ("POST", "/v2/models/scores@champion/versions/1/infer", 400),
        ("POST", "/v2/models/scores/generate", 501),
    ],
)
def test_whoever_refuses_says_error(service: Service, method: str, path: str, status: int) -> None:
    """Also what the framework refuses."""
    answer = service.client.request(method, path, json={"inputs": [FEATURES]})
    assert (answer.status_code, answer.headers["content-type"]) == (status, "application/json")
    assert isinstance(answer.json()["error"], str)


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Content_Encoding": "br"}, 415),
        ({"Content_Encoding": "gzip"}, 400),
        ({"Inference_Header_Content_Length": "-1"}, 400),
        ({"Inference_Header_Content_Length": "99999999"}, 400),
        ({"X_Request_Timeout_Ms": "soon"}, 400),
        ({"X_Request_Timeout_Ms": "0"}, 400),
        ({"X_Sticky_Key": "k" * 257}, 400),
    ],
)
def test_headers_must_make_sense(service: Service, headers: dict[str, str], status: int) -> None:
    """They are refused before any server hears of it."""
    assert service.infer("scores", {"inputs": [FEATURES]}, **headers)[0] == status


def test_a_version_is_pinned_by_who_may(service: Service) -> None:
    """It needs a scope of its own."""
    body = {"inputs": [FEATURES]}
    headers = {"X_Pin_Version": "1", **tokens.bearer(["inference:run"])}
    status, told = service.infer("scores@champion", body, **headers)
    assert (status, told["missing_scopes"]) == (403, ["inference:pin"])


def test_a_deadline_ends_the_wait(service: Service) -> None:
    """By header, or as the parameter that the protocol has, in microseconds."""
    slow = {"name": "seconds", "shape": [1, 1], "datatype": "FP32", "data": [3]}
    status, told = service.infer("crowded", {"inputs": [slow]}, X_Request_Timeout_Ms="200")
    assert status in (503, 504), told
    status, told = service.infer("crowded", {"inputs": [slow], "parameters": {"timeout": 200_000}})
    assert status in (503, 504), told


def test_a_client_that_goes_is_counted_as_gone(service: Service, triton: LocalTriton) -> None:
    """Its request is cancelled: nothing is left in flight, and the next one is answered."""
    address, _, port = service.address.partition(":")
    connection = HTTPConnection(address, int(port), timeout=60)
    slow = b'{"inputs":[{"name":"x","shape":[1,1],"datatype":"FP32","data":[-201000]}]}'
    connection.request("POST", "/v2/models/faulty/infer", slow, tokens.bearer())
    assert eventually(lambda: _in_flight(service) == 1, within_s=60)
    connection.close()
    assert eventually(lambda: _in_flight(service) == 0, within_s=60)
    assert triton.ready("faulty")


def _in_flight(service: Service) -> int:
    told: Any = service.client.get("/v1/pools/default/servers").json()["items"]
    return sum(server["health"]["outstanding"] for server in told)
