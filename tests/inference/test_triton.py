"""One real Triton: what it is sent, what it answers and how it refuses."""

import asyncio
from collections.abc import AsyncIterator

import numpy as np
import pytest
import pytest_asyncio

from cli.stack.process import free_ports
from cli.stack.triton import LocalTriton
from inference import errors
from inference.microbatch import infer_rows
from inference.pool import Pool
from inference.proof import Proof
from inference.settings import InferenceSettings
from inference.shared_memory import BufferPool
from inference.tensors import Array, InferRequest
from inference.triton import TritonServer
from registry.domain import Signature, TensorSpec
from tests.inference.scripted import DOUBLES

SETTINGS = InferenceSettings(triton_urls=("unused",))
INVALID, INTERNAL, UNKNOWN, UNSUPPORTED, NOT_FOUND, UNAVAILABLE, EXISTS, CANCELLED = range(
    -1, -9, -1
)
RAISES, OUT_OF_MEMORY = -10, -12
SHORT, FLOAT64, WIDE, EMPTY = -20, -21, -22, -23
NAN, INFINITE = -30, -31
SLEEPS_200_MS, SLEEPS_A_MINUTE = -1_200, -61_000


@pytest_asyncio.fixture
async def server(triton: LocalTriton) -> AsyncIterator[TritonServer]:
    """A connection to the shared Triton."""
    made = TritonServer(triton.grpc_url, settings=SETTINGS)
    yield made
    await made.close()


@pytest_asyncio.fixture
async def pool(server: TritonServer) -> AsyncIterator[Pool]:
    """A pool of the shared Triton alone."""
    async with Pool([server], SETTINGS) as made:
        yield made


def numbers(*values: float, model: str = "faulty") -> InferRequest:
    """Return rows for `faulty` or `limited`."""
    x = np.array(values, dtype=np.float32).reshape(-1, 1)
    return InferRequest(model, "1", {"x": x}, ("y",), len(values))


def sleeps(model: str, seconds: float) -> InferRequest:
    """Return a request that keeps `crowded` or `impatient` busy."""
    return InferRequest(model, "1", {"seconds": np.full((1, 1), seconds, np.float32)}, (), 1)


TENSORS: dict[str, Array] = {
    "BOOL": np.array([True, False, True]),
    **{
        name: np.array([np.iinfo(name.lower()).min, 0, np.iinfo(name.lower()).max], name.lower())
        for name in ("UINT8", "UINT16", "UINT32", "UINT64", "INT8", "INT16", "INT32", "INT64")
    },
    "FP16": np.array([0.5, -65504, np.inf], np.float16),
    "FP32": np.array([0.1, -3.4e38, np.nan], np.float32),
    "FP64": np.array([0.1, -1.7e308, np.inf], np.float64),
    "BYTES": np.array([b"", b"a\x00b", "naïve".encode()], object),
    "MATRIX": np.arange(18, dtype=np.float32).reshape(3, 2, 3),
}


@pytest.mark.parametrize("name", TENSORS)
async def test_every_datatype_comes_back_bit_for_bit(server: TritonServer, name: str) -> None:
    """Extremes, infinities, zero bytes and several dimensions."""
    sent = TENSORS[name]
    request = InferRequest("echo", "1", {name: sent}, (f"{name}_OUT",), 3)
    back = (await server.infer(request, timeout_s=60)).outputs[f"{name}_OUT"]
    assert (back.dtype, back.shape) == (sent.dtype, sent.shape)
    np.testing.assert_array_equal(back, sent)


async def test_several_tensors_travel_in_one_request(server: TritonServer) -> None:
    """Each under its own name, with all outputs when none is named."""
    inputs = {name: TENSORS[name] for name in ("BYTES", "FP16", "MATRIX")}
    answer = await server.infer(InferRequest("echo", "1", inputs, (), 3), timeout_s=60)
    assert set(answer.outputs) == {"BYTES_OUT", "FP16_OUT", "MATRIX_OUT"}


async def test_scores_are_the_models(server: TritonServer) -> None:
    """4,096 rows of 64 features, with a priority that the model does not know."""
    x = np.random.default_rng(0).standard_normal((4096, 64), dtype=np.float32)
    request = InferRequest("linear", "", {"features": x}, ("score",), 4096, "id", priority=3)
    score = (await server.infer(request, timeout_s=60)).outputs["score"]
    weights = np.linspace(-1, 1, 64, dtype=np.float32)[:, None]
    assert score.dtype == np.float32
    np.testing.assert_allclose(score.astype(np.float32), x @ weights, rtol=1e-4, atol=1e-4)


async def test_messages_beyond_the_grpc_default_pass_both_ways(server: TritonServer) -> None:
    """Channel arguments replace tritonclient's, and gRPC's own limit is 4 MiB."""
    sent = np.arange(1_000_000, dtype=np.float64)
    request = InferRequest("echo", "1", {"FP64": sent}, ("FP64_OUT",), len(sent))
    back = (await server.infer(request, timeout_s=60)).outputs["FP64_OUT"]
    np.testing.assert_array_equal(back, sent)


async def test_signatures_are_what_the_models_say(server: TritonServer) -> None:
    """The rows come first; a limit on them is told."""
    assert await server.signature("faulty", "1") == DOUBLES.signature
    limited = Signature(
        (TensorSpec("x", "FP32", (-1, 1)),), (TensorSpec("y", "FP32", (-1, 1)),), max_batch_size=8
    )
    assert await server.signature("limited", "1") == limited
    with pytest.raises(errors.SignatureMismatch, match="first dimension"):
        await server.signature("rowless", "1")


async def test_digests_tell_models_apart(server: TritonServer) -> None:
    """Same names and shapes, another limit: another digest."""
    digests = [await server.metadata_digest(name, "1") for name in ("faulty", "limited", "linear")]
    assert len(set(digests)) == 3
    assert digests[0] == await server.metadata_digest("faulty", "1")


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        (INVALID, errors.RequestRejected),
        (NOT_FOUND, errors.RequestRejected),
        (UNSUPPORTED, errors.RequestRejected),
        (EXISTS, errors.RequestRejected),
        (INTERNAL, errors.ServerFault),
        (UNKNOWN, errors.ServerFault),
        (CANCELLED, errors.ServerFault),
        (RAISES, errors.ServerFault),
        (UNAVAILABLE, errors.ServerUnreachable),
    ],
)
async def test_each_status_of_triton_is_its_error(
    server: TritonServer, code: int, kind: type[errors.InferenceError]
) -> None:
    """Raised by a model, so carried by the real server; the message is one line."""
    with pytest.raises(kind) as caught:
        await server.infer(numbers(1, code), timeout_s=60)
    assert caught.value.server == server.url
    assert "\n" not in str(caught.value)


async def test_more_rows_than_the_models_limit_are_too_many(server: TritonServer) -> None:
    """Triton calls it an invalid argument, but eight of the nine rows would pass."""
    with pytest.raises(errors.MicrobatchTooLarge, match="must be <= 8"):
        await server.infer(numbers(*range(9), model="limited"), timeout_s=60)


async def test_a_request_beyond_the_message_limit_is_not_sent(triton: LocalTriton) -> None:
    """Found out before bytes travel, and on the way back by gRPC's RESOURCE_EXHAUSTED."""
    small = SETTINGS.model_copy(update={"max_message_bytes": 600_000, "first_rows": 10**6})
    server = TritonServer(triton.grpc_url, settings=small)
    with pytest.raises(errors.MicrobatchTooLarge, match=r"800,0.. bytes, more than the 600,000"):
        await server.infer(numbers(*[1] * 200_000), timeout_s=60)
    with pytest.raises(errors.MicrobatchTooLarge, match="RESOURCE_EXHAUSTED") as caught:
        await server.infer(numbers(WIDE, *[1] * 99_999), timeout_s=60)
    assert caught.value.server == server.url
    await server.close()


async def test_microbatches_are_halved_to_the_message_limit(triton: LocalTriton) -> None:
    """200,000 rows through messages that hold 150,000."""
    small = SETTINGS.model_copy(update={"max_message_bytes": 600_000, "first_rows": 10**6})
    async with Pool([TritonServer(triton.grpc_url, settings=small)], small) as pool:
        answer = await infer_rows(
            pool,
            numbers(*range(200_000)),
            signature=DOUBLES.signature,
            max_rejected=0,
            allow_non_finite=False,
            proof=Proof(),
        )
        assert pool.health().requests == 3
    np.testing.assert_array_equal(answer.outputs["y"].ravel(), np.arange(200_000) * 2)


@pytest.mark.parametrize("model", ["faulty", "limited"])
async def test_microbatches_are_cut_to_memory_and_to_the_models_limit(
    pool: Pool, model: str
) -> None:
    """`faulty` says that it is out of memory above four rows, `limited` takes eight."""
    values = [float(value) for value in range(20)]
    if model == "faulty":
        values = [OUT_OF_MEMORY] * 20
    answer = await infer_rows(
        pool,
        numbers(*values, model=model),
        signature=await pool.signature(model, "1"),
        max_rejected=0,
        allow_non_finite=False,
        proof=Proof(),
    )
    assert answer.outputs["y"].ravel().tolist() == [2 * value for value in values]


async def test_rows_at_fault_are_found_whatever_the_fault(pool: Pool) -> None:
    """An invalid argument, an error inside, an exception and non-finite scores."""
    values = [float(value) for value in range(64)]
    bad = {3: INVALID, 17: INTERNAL, 40: RAISES, 50: NAN, 63: INFINITE}
    for row, code in bad.items():
        values[row] = code
    answer = await infer_rows(
        pool,
        numbers(*values),
        signature=DOUBLES.signature,
        max_rejected=None,
        allow_non_finite=False,
        proof=Proof(),
    )
    assert {row.row: (row.stage, row.reason) for row in answer.rejected} == {
        3: ("model", "rejected by the model"),
        17: ("model", "the model failed on the row"),
        40: ("model", "the model failed on the row"),
        50: ("answer", "non-finite y"),
        63: ("answer", "non-finite y"),
    }
    good = [2 * value for row, value in enumerate(values) if row not in bad]
    assert answer.outputs["y"].ravel().tolist() == good
    assert {server.breaker.value for server in pool.health().servers} == {"closed"}


@pytest.mark.parametrize(
    ("code", "words"),
    [
        (SHORT, "1 rows, sent were 2"),
        (EMPTY, "0 rows, sent were 2"),
        (FLOAT64, "came as float64"),
        (WIDE, r"shape \[2, 2\]"),
    ],
)
async def test_an_answer_unlike_the_signature_is_never_used(
    pool: Pool, code: int, words: str
) -> None:
    """Triton passes all of these on, and tritonclient hands them out."""
    with pytest.raises(errors.ContractViolation, match=words):
        await infer_rows(
            pool,
            numbers(1, code),
            signature=DOUBLES.signature,
            max_rejected=None,
            allow_non_finite=False,
            proof=Proof(),
        )


async def test_a_full_queue_is_overload_and_every_request_passes_in_the_end(
    server: TritonServer, pool: Pool
) -> None:
    """Asked directly it is refused; through the pool all are answered, no breaker opens."""
    flood = [server.infer(sleeps("crowded", 0.5), timeout_s=60) for _ in range(6)]
    outcomes = await asyncio.gather(*flood, return_exceptions=True)
    refused = [each for each in outcomes if isinstance(each, BaseException)]
    assert {type(each) for each in refused} == {errors.ServerOverloaded}
    await asyncio.gather(*(pool.infer(sleeps("crowded", 0.05)) for _ in range(12)))
    health = pool.health()
    assert health.overloads > 0
    assert (health.failures, health.servers[0].breaker.value) == (0, "closed")


async def test_a_queue_time_out_is_overload(server: TritonServer) -> None:
    """The server gave up a request that waited 100 ms in its queue."""
    flood = [server.infer(sleeps("impatient", 1.0), timeout_s=60) for _ in range(3)]
    outcomes = await asyncio.gather(*flood, return_exceptions=True)
    assert errors.ServerOverloaded in {type(each) for each in outcomes}


async def test_a_call_ends_in_its_time_and_the_server_stops_working_on_it(
    server: TritonServer,
) -> None:
    """A model that would sleep for a minute; the next request finds it free."""
    with pytest.raises(errors.DeadlineExceeded):
        await server.infer(numbers(SLEEPS_A_MINUTE), timeout_s=0.3)
    await server.infer(numbers(1), timeout_s=50)


async def test_an_abandoned_request_is_cancelled_on_the_server(pool: Pool) -> None:
    """Otherwise the next request would wait for a minute."""
    abandoned = asyncio.create_task(pool.infer(numbers(SLEEPS_A_MINUTE)))
    await asyncio.sleep(0.3)
    abandoned.cancel()
    with pytest.raises(asyncio.CancelledError):
        await abandoned
    await pool.infer(numbers(1), deadline_s=50)
    assert pool.health().servers[0].outstanding == 0


async def test_where_nothing_listens_nothing_is_ready() -> None:
    """Each question ends at once, with the address in the error."""
    (port,) = free_ports(1)
    server = TritonServer(f"127.0.0.1:{port}", settings=SETTINGS)
    assert not await server.live()
    assert not await server.model_ready("faulty", "1")
    with pytest.raises(errors.ServerUnreachable, match=f":{port}: "):
        await server.infer(numbers(1), timeout_s=60)
    await server.close()


async def test_inputs_in_a_mapped_buffer_are_read_there(server: TritonServer) -> None:
    """Also pieces of them; a server that has lost the buffer is sent the bytes instead."""
    buffers = BufferPool([server], enabled=True)
    buffer = await buffers.lease(1 << 16)
    x = buffer.allocate((8, 1), np.dtype(np.float32))
    x[:, 0] = np.arange(8)
    request = InferRequest("faulty", "1", {"x": x}, ("y",), 8, buffer=buffer)
    for lost in (False, True):
        if lost:
            other = TritonServer(server.url, settings=SETTINGS)
            await other.unmap_buffer(buffer.name)
            await other.close()
        assert server.maps(buffer.name)
        answer = await server.infer(request.rows_between(2, 8), timeout_s=60)
        assert answer.outputs["y"].ravel().tolist() == [4, 6, 8, 10, 12, 14]
        assert server.maps(buffer.name) is not lost
    await server.unmap_buffer(buffer.name)
    assert not await server.map_buffer("nowhere", "/nowhere", 64)


async def test_statistics_tell_waiting_from_working(server: TritonServer) -> None:
    """One instance works for as long as the requests take; what they wait is no work."""
    before = await server.statistics("faulty", "1")
    sleep = numbers(SLEEPS_200_MS)
    await asyncio.gather(*(server.infer(sleep, timeout_s=60) for _ in range(2)))
    after = before
    while after.requests < before.requests + 2:
        after = await server.statistics("faulty", "1")
    assert after.instances == 1
    assert after.busy_s - before.busy_s >= 0.4
    waited_s = after.queue_s - before.queue_s
    assert after.inside_s - before.inside_s >= waited_s + 0.4
