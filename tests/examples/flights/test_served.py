"""Check that the flights model scores in a real Triton as it does in onnxruntime."""

import asyncio
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from cli.registration import Notes, lay_out_file, register_file
from cli.settings import LocalSettings
from examples.flights.train import FEATURES, OUTPUT, Trained, score
from inference.settings import InferenceSettings
from inference.tensors import InferRequest
from inference.triton import TritonServer
from registry.catalog import Catalog
from registry.domain import ModelVersion, TensorSpec
from tests.conftest import TritonFactory
from tests.contracts.memory_store import MemoryStore


@pytest.mark.triton
def test_every_score_is_that_of_onnxruntime_bit_for_bit(
    trained: Trained,
    flights: Path,
    tmp_path: Path,
    triton_env: Path,
    triton_factory: TritonFactory,
) -> None:
    """A month of flights in microbatches of 1, 100, 4,096 and all of its rows."""
    local = LocalSettings(data_dir=tmp_path, triton_env=triton_env)
    local.repository_dir.mkdir()
    server = triton_factory(local.repository_dir)
    version = register_file(
        Catalog(MemoryStore()),
        lay_out_file("flights", trained.onnx, local),
        urls=(server.grpc_url,),
        notes=Notes(columns={"features": FEATURES}, description="", by=""),
        settings=InferenceSettings(),
    )
    assert version.signature.inputs == (TensorSpec("features", "FP32", (-1, len(FEATURES))),)
    assert version.signature.outputs == (TensorSpec(OUTPUT, "FP32", (-1, 1)),)
    table = pq.ParquetFile(flights / "month=12" / "flights.parquet").read(list(FEATURES))
    columns = [table.drop_null()[name].to_numpy().astype(np.float32) for name in FEATURES]
    rows = np.stack(columns, axis=1)
    expected = score(trained.onnx.read_bytes(), rows)
    for size in (1, 100, 4_096, len(rows)):
        part = rows[: size * 50]
        found = asyncio.run(_score(server.grpc_url, version, part, size))
        assert np.array_equal(found.view(np.uint32), expected[: len(part)].view(np.uint32))


async def _score(url: str, version: ModelVersion, rows: np.ndarray, size: int) -> np.ndarray:
    server = TritonServer(url, settings=InferenceSettings())
    try:
        pieces = []
        for start in range(0, len(rows), size):
            piece = np.ascontiguousarray(rows[start : start + size])
            request = InferRequest(
                model=version.served_name,
                version=version.served_version,
                inputs={"features": piece},
                outputs=(OUTPUT,),
                rows=len(piece),
            )
            answer = await server.infer(request, timeout_s=30)
            pieces.append(answer.outputs[OUTPUT])
        return np.concatenate(pieces)
    finally:
        await server.close()
