"""Have something go wrong at every microbatch: no partial object, and the next run completes."""

import functools
from collections.abc import Callable
from pathlib import Path

import pytest

from cli.stack.triton import LocalTriton
from flows.errors import BudgetExceeded
from inference.errors import ContractViolation, ServerFault
from inference.settings import InferenceSettings
from inference.tensors import InferAnswer, InferRequest
from inference.triton import TritonServer
from tests.chaos.checker import inspect
from tests.chaos.jobs.lake import Lake, write_lake
from tests.chaos.jobs.scoring import MICROBATCH_ROWS, SHARD_ROWS, ask, connected, score
from tests.chaos.jobs.witness import Witness
from tests.chaos.objects import Found
from tests.chaos.places import Place
from tests.chaos.seeds import Chaos

pytestmark = [pytest.mark.triton, pytest.mark.chaos]

SHARDS, MICROBATCHES = 3, 15
"""Of the whole job."""


class NobodyExpectsThis(Exception):
    """An error that no part of the product knows."""


class Interrupted(TritonServer):
    """A real server; one of the requests to it ends in an error of ours instead of being sent."""

    def __init__(self, url: str, *, at: int, settings: InferenceSettings) -> None:
        super().__init__(url, settings=settings)
        self._left = at

    async def infer(self, request: InferRequest, *, timeout_s: float) -> InferAnswer:
        """Ask the server, unless it is time."""
        self._left -= 1
        if self._left == -1:
            raise NobodyExpectsThis
        return await super().infer(request, timeout_s=timeout_s)


@pytest.fixture(scope="module")
def lake_root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("data") / "lake"


@pytest.fixture(scope="module")
def lake(lake_root: Path) -> Lake:
    """Three shards of five microbatches."""
    return write_lake(lake_root, files=1, rows=SHARDS * SHARD_ROWS, group_rows=SHARD_ROWS)


@pytest.fixture(autouse=True)
def reached(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """Jobs reach the bucket of this test."""
    if place.endpoint is not None:
        monkeypatch.setenv("NIGHTSHIFT_S3_ENDPOINT_URL", place.endpoint.url)
        monkeypatch.setenv("NIGHTSHIFT_S3_ACCESS_KEY", place.endpoint.access_key)
        monkeypatch.setenv("NIGHTSHIFT_S3_SECRET_KEY", place.endpoint.secret_key)
        monkeypatch.setenv("NIGHTSHIFT_S3_REGION", place.endpoint.region)


FAULTS: dict[str, tuple[type[Exception], ...]] = {
    "ours": (NobodyExpectsThis,),
    "raises": (ServerFault, BudgetExceeded),
    "short": (ContractViolation,),
    "nan": (BudgetExceeded,),
}
"""What goes wrong, with the errors that may end the job: in this process before the request is
sent, or in the real server's model."""


@pytest.mark.parametrize("fault", FAULTS)
async def test_an_error_at_every_microbatch(
    fault: str,
    place: Place,
    witnessed: LocalTriton,
    witness: Witness,
    lake_root: Path,
    lake: Lake,
    chaos: Chaos,
) -> None:
    """What was committed is whole; the rest is scored by the next run, and all of it is right."""
    indices = chaos.random().sample(range(MICROBATCHES), chaos.count(MICROBATCHES, sample=1))
    expected = lake.expected()
    adopted = 0
    for index in indices:
        job = ask(lake_root, f"{place.root}/scores/{index}")
        server: Callable[..., TritonServer] = TritonServer
        if fault == "ours":
            server = functools.partial(Interrupted, at=index)
        else:
            witness.order(fault=fault, rows=[index * MICROBATCH_ROWS + 1])
        async with connected(witnessed.grpc_url, server=server) as bench:
            with pytest.raises(FAULTS[fault]):
                await score(bench, job)
        left = inspect(output(place, index), expected)
        assert left.is_clean, left
        assert left.state in {"nothing", "parts"}
        assert index // (MICROBATCHES // SHARDS) not in left.shards or fault == "ours"
        assert [key for key in left.leftovers if not key.startswith("_job-")] == []
        witness.order()
        async with connected(witnessed.grpc_url) as bench:
            done = await score(bench, job)
        whole = inspect(output(place, index), expected)
        assert (whole.state, whole.leftovers, whole.is_clean) == ("published", (), True), whole
        assert len(done) == SHARDS - len(left.shards)
        adopted += len(left.shards)
    chaos.tell(
        f"{fault} at {len(indices)} of {MICROBATCHES} microbatches: 0 partial objects, "
        f"{adopted} parts of failed runs kept, every output whole after the next run"
    )


def output(place: Place, index: int) -> dict[str, Found]:
    """Take every object of one output; a lock that nobody holds is none."""
    prefix = f"{index}/"
    return {
        key.removeprefix(prefix): found
        for key, found in place.objects().items()
        if key.startswith(prefix) and not key.endswith(".lock")
    }
