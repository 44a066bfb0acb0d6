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

READINESS = {
    "/v2/health/live": {"live": True},
    "/v2/health/ready": {"live": True, "ready": True},
    "/v2/models/scores/ready": {"name": "scores", "ready": True},
    "/v2/models/scores/versions/2/ready": {"name": "scores", "ready": True},
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


@pytest.mark.parametrize("binary", [False, True])
def test_the_answer_says_which_form_it_has(service: Service, binary: bool) -> None:
    """The length of the JSON is told where bytes follow it, and nowhere else."""
    body = {"inputs": [FEATURES], "parameters": {"binary_data_output": binary}}
    headers = service.post("/v2/models/scores/infer", body).headers
    media = "application/octet-stream" if binary else "application/json"
    assert headers["content-type"] == media
    assert ("Inference-Header-Content-Length" in headers) == binary


def test_health_and_readiness_have_bodies(service: Service) -> None:
    """Clients read them, though the status says it all."""
    read = {path: service.client.get(path).json() for path in READINESS}
    assert read == READINESS


def test_a_version_is_pinned_by_who_may(service: Service) -> None:
    """It needs a scope of its own."""
    body = {"inputs": [FEATURES]}
    status, told = service.infer("scores@champion", body, X_Pin_Version="1")
    assert (status, told["model_version"]) == (200, "1")
    status, told = service.infer("scores@champion", body, X_Pin_Version="2")
    assert (status, "version 2 cannot be pinned" in told["error"]) == (400, True)
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


def test_prometheus_is_told_of_the_pool(service: Service) -> None:
    """Requests, retries and second requests; what is in flight by server."""
    assert service.infer("scores", {"inputs": [FEATURES]})[0] == 200
    told = service.client.get("/metrics").text
    for name in ("requests", "retries", "hedges", "hedges_won"):
        assert f'nightshift_pool_{name}_total{{pool="default"}} ' in told
    assert 'nightshift_server_left_alone{pool="default",server="127.0.0.1:' in told
    assert 'nightshift_pool_requests_total{pool="default"} 0.0' not in told


@pytest.mark.parametrize(
    "wrong",
    [{"name": "x"}, {"datatype": "FP64"}, {"shape": [2, 63]}, {"shape": [128]}, {"data": [1]}],
)
def test_what_does_not_fit_reaches_no_server(service: Service, wrong: dict[str, Any]) -> None:
    """A wrong name, datatype, shape or number of elements costs the pool nothing."""
    before = _asked_of_the_pool(service)
    status, told = service.infer("scores", {"inputs": [FEATURES | wrong]})
    assert (status, bool(told["error"])) == (400, True)
    assert _asked_of_the_pool(service) == before


def _asked_of_the_pool(service: Service) -> str:
    (line,) = [
        line
        for line in service.client.get("/metrics").text.splitlines()
        if line.startswith("nightshift_pool_requests_total{")
    ]
    return line
