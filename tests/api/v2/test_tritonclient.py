"""Triton's stock HTTP client, unchanged, against the gateway."""

import warnings
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from inference.tensors import Array
from tests.api import tokens
from tests.api.v2.service import ROWS, Service, scores_of

with warnings.catch_warnings():
    # gevent patches what geventhttpclient imports, and says so.
    warnings.simplefilter("ignore")
    import tritonclient.http as triton_http
    from tritonclient.utils import InferenceServerException

COMPRESSIONS = [None, "gzip", "deflate"]
ECHOED: dict[str, list[Any]] = {
    "BOOL": [True, False],
    "UINT8": [0, 255],
    "UINT16": [0, 65_535],
    "UINT32": [0, 2**32 - 1],
    "UINT64": [0, 2**64 - 1],
    "INT8": [-128, 127],
    "INT16": [-32_768, 32_767],
    "INT32": [-(2**31), 2**31 - 1],
    "INT64": [-(2**63), 2**63 - 1],
    "FP16": [-0.5, 65_504],
    "FP32": [-0.1, 3e38],
    "FP64": [-0.1, 1e308],
    "BYTES": [b"", "ünïcode".encode()],
}


# The client writes into the headers that it is given: each call has its own.
@pytest.fixture
def client(service: Service) -> Iterator[Any]:
    """A client; headers are given with each call."""
    with triton_http.InferenceServerClient(service.address) as opened:
        yield opened


def tensor(name: str, array: Array, datatype: str = "FP32", *, binary: bool = True) -> Any:
    """Return an input as the client sends it."""
    made = triton_http.InferInput(name, list(array.shape), datatype)
    made.set_data_from_numpy(array, binary_data=binary)
    return made


def test_it_finds_out_what_there_is(client: Any) -> None:
    """Everything that it asks besides answers; health needs no token."""
    assert client.is_server_live()
    assert client.is_server_ready()
    about = client.get_server_metadata(headers=tokens.bearer())
    assert "binary_tensor_data" in about["extensions"]
    assert client.is_model_ready("linear", headers=tokens.bearer())
    assert client.is_model_ready("scores", "1", headers=tokens.bearer())
    assert not client.is_model_ready("absent", headers=tokens.bearer())
    assert client.get_model_config("scores", headers=tokens.bearer())["max_batch_size"] == 0
    stats = client.get_inference_statistics(headers=tokens.bearer())["model_stats"]
    assert {"echo", "linear"} <= {each["name"] for each in stats}
    (own,) = client.get_inference_statistics("linear", "1", headers=tokens.bearer())["model_stats"]
    assert own["name"] == "linear"


def test_metadata_is_of_the_registered_version(client: Any) -> None:
    """An alias says which version it means now, with the signature that was registered."""
    found = client.get_model_metadata("scores@champion", headers=tokens.bearer())
    assert found == {
        "name": "scores",
        "versions": found["versions"],
        "platform": found["platform"],
        "inputs": [{"name": "features", "datatype": "FP32", "shape": [-1, 64]}],
        "outputs": [{"name": "score", "datatype": "FP32", "shape": [-1, 1]}],
    }
    assert found["versions"] == ["1", "2"]
    assert client.get_model_metadata("scores", "2", headers=tokens.bearer())["name"] == "scores"


def test_the_index_is_asked_for_with_an_empty_body(client: Any) -> None:
    """It is a bare array, with registered models and with those that a pool serves."""
    index = client.get_model_repository_index(headers=tokens.bearer())
    ready = {(each["name"], each["version"]) for each in index if each["state"] == "READY"}
    assert {("echo", "1"), ("scores", "1"), ("scores", "2")} <= ready


@pytest.mark.parametrize("compression", COMPRESSIONS)
@pytest.mark.parametrize("wanted", [None, True, False])
@pytest.mark.parametrize("sent", [True, False])
def test_it_infers(client: Any, sent: bool, wanted: bool | None, compression: str | None) -> None:
    """JSON or binary in, unnamed, JSON or binary out, plain or compressed both ways.

    Without outputs it asks for binary ones, with JSON inputs as well.
    """
    output = wanted is not None and [triton_http.InferRequestedOutput("score", binary_data=wanted)]
    result = client.infer(
        "scores",
        [tensor("features", ROWS, binary=sent)],
        outputs=output or None,
        request_id="seven",
        headers=tokens.bearer(),
        request_compression_algorithm=compression,
        response_compression_algorithm=compression,
    )
    np.testing.assert_allclose(result.as_numpy("score"), scores_of(ROWS), rtol=1e-5)
    told = result.get_response()
    assert (told["model_name"], told["id"]) == ("scores", "seven")
    assert ("data" in told["outputs"][0]) == (wanted is False)


@pytest.mark.parametrize(
    ("model", "version", "answers"),
    [
        ("scores", "2", "2"),
        ("scores@champion", "", "1"),
        ("scores@2", "", "2"),
        ("linear", "", "1"),
        ("linear", "1", "1"),
    ],
)
def test_the_answer_says_which_version_it_is_of(
    client: Any, model: str, version: str, answers: str
) -> None:
    """Pinned in the path, by an alias, by a number, and of a model that is not registered."""
    result = client.infer(model, [tensor("features", ROWS)], version, headers=tokens.bearer())
    told = result.get_response()
    assert (told["model_name"], told["model_version"]) == (model.partition("@")[0], answers)


@pytest.mark.parametrize(
    ("datatype", "binary"),
    [(name, binary) for name in ECHOED for binary in (True, False) if binary or name != "FP16"],
)
def test_every_datatype_comes_back(client: Any, datatype: str, binary: bool) -> None:
    """At the ends of its range."""
    held = {"BYTES": np.object_, "BOOL": np.bool_}.get(datatype) or np.dtype(
        datatype.lower().replace("fp", "float")
    )
    sent = np.array(ECHOED[datatype], dtype=held)
    output = [triton_http.InferRequestedOutput(f"{datatype}_OUT", binary_data=binary)]
    result = client.infer(
        "echo",
        [tensor(datatype, sent, datatype, binary=binary)],
        outputs=output,
        headers=tokens.bearer(),
    )
    came = result.as_numpy(f"{datatype}_OUT")
    if datatype == "BYTES" and not binary:
        came = np.array([text.encode() for text in came], dtype=object)
    np.testing.assert_array_equal(came, sent)


def test_half_floats_have_no_json(client: Any) -> None:
    """The client sends them all the same; the protocol has none."""
    sent = tensor("FP16", np.array([1], np.float16), "FP16", binary=False)
    with pytest.raises(InferenceServerException, match="no FP16 in JSON, send it as binary"):
        client.infer("echo", [sent], headers=tokens.bearer())


def test_what_is_not_finite_is_null_in_json(client: Any) -> None:
    """Its own reader takes null for NaN; binary keeps what it is."""
    sent = np.array([np.nan, 1.5], np.float32)
    inputs = [tensor("FP32", sent, binary=True)]
    for binary in (True, False):
        output = [triton_http.InferRequestedOutput("FP32_OUT", binary_data=binary)]
        result = client.infer("echo", inputs, outputs=output, headers=tokens.bearer())
        np.testing.assert_array_equal(result.as_numpy("FP32_OUT"), sent)


@pytest.mark.parametrize(
    ("status", "words", "call"),
    [
        ("401", "needs a token", {"headers": None}),
        ("403", "lacks inference:run", {"headers": tokens.bearer(["models:read"])}),
        ("404", "unknown model 'absent'", {"model_name": "absent"}),
        ("404", "9", {"model_name": "scores", "model_version": "9"}),
        ("400", "expected features FP32", {"inputs": [tensor("other", ROWS)]}),
        ("422", "path/version", {"model_version": "new"}),
    ],
)
def test_every_refusal_has_words_that_it_can_read(
    client: Any, status: str, words: str, call: dict[str, Any]
) -> None:
    """Whoever refuses, the gateway, the edge or the engine; without `error` the client breaks."""
    asked = {
        "model_name": "scores",
        "inputs": [tensor("features", ROWS)],
        "headers": tokens.bearer(),
    }
    with pytest.raises(InferenceServerException, match=words) as raised:
        client.infer(**(asked | call))
    assert raised.value.status() == status


def test_models_are_loaded_and_let_go(client: Any) -> None:
    """By who may. What another version shares stays; a model that is not registered is unknown."""
    client.load_model("scores@champion", headers=tokens.bearer())
    client.load_model("scores@2", headers=tokens.bearer())
    client.unload_model("scores@2", headers=tokens.bearer())
    assert client.is_model_ready("scores", "1", headers=tokens.bearer())
    with pytest.raises(InferenceServerException, match="absent"):
        client.load_model("absent", headers=tokens.bearer())
    with pytest.raises(InferenceServerException, match="pools:write"):
        client.load_model("scores@2", headers=tokens.bearer(["inference:run"]))


def test_its_priority_and_time_are_heard(client: Any) -> None:
    """Both travel as parameters; a microsecond is over before the request is read."""
    asked = {"model_name": "scores", "inputs": [tensor("features", ROWS)], "priority": 1}
    result = client.infer(**asked, timeout=60_000_000, headers=tokens.bearer())
    np.testing.assert_allclose(result.as_numpy("score"), scores_of(ROWS), rtol=1e-5)
    with pytest.raises(InferenceServerException, match="the caller allows 1e-06 s") as raised:
        client.infer(**asked, timeout=1, headers=tokens.bearer())
    assert raised.value.status() == "504"


def test_sequences_are_refused(client: Any) -> None:
    """Their state lies in one server, and the next request may go to another."""
    sequence = {"sequence_id": 7, "sequence_start": True, "headers": tokens.bearer()}
    with pytest.raises(InferenceServerException, match="sequences are not offered") as raised:
        client.infer("scores", [tensor("features", ROWS)], **sequence)
    assert raised.value.status() == "400"


def test_shared_memory_is_not_offered(client: Any) -> None:
    """It lies on one machine, the servers do not; nor is there a trace to set."""
    with pytest.raises(InferenceServerException, match="not offered") as raised:
        client.get_system_shared_memory_status(headers=tokens.bearer())
    assert raised.value.status() == "501"
    with pytest.raises(InferenceServerException, match="not offered"):
        client.get_trace_settings(headers=tokens.bearer())
    with pytest.raises(InferenceServerException, match="not offered"):
        client.get_log_settings(headers=tokens.bearer())
