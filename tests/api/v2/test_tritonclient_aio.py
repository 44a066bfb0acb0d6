"""Triton's stock client for asyncio, unchanged, against the gateway."""

from typing import Any

import numpy as np
import pytest
import tritonclient.http.aio as triton_aio
from tritonclient.utils import InferenceServerException

from tests.api import tokens
from tests.api.v2.service import ROWS, Service, scores_of


def features(*, binary: bool) -> Any:
    """Return the input of the model `scores`."""
    made = triton_aio.InferInput("features", list(ROWS.shape), "FP32")
    made.set_data_from_numpy(ROWS, binary_data=binary)
    return made


@pytest.mark.parametrize("compression", [None, "gzip", "deflate"])
@pytest.mark.parametrize("sent", [True, False])
async def test_it_infers(service: Service, sent: bool, compression: str | None) -> None:
    """It sends octet-stream for JSON as well, and undoes compression in answers alone."""
    async with triton_aio.InferenceServerClient(service.address) as client:
        result = await client.infer(
            "scores@champion",
            [features(binary=sent)],
            headers=tokens.bearer(),
            request_compression_algorithm=compression,
            response_compression_algorithm=compression,
        )
    np.testing.assert_allclose(result.as_numpy("score"), scores_of(ROWS), rtol=1e-5)


async def test_it_finds_out_what_there_is(service: Service) -> None:
    """Its library accepts gzip by itself and it undoes none here: nothing but answers is packed."""
    async with triton_aio.InferenceServerClient(service.address) as client:
        assert await client.is_server_live()
        assert await client.is_server_ready()
        assert await client.is_model_ready("scores", headers=tokens.bearer())
        assert (await client.get_server_metadata(headers=tokens.bearer()))["name"] == "nightshift"
        assert (await client.get_model_metadata("scores", headers=tokens.bearer()))[
            "name"
        ] == "scores"
        assert await client.get_model_repository_index(headers=tokens.bearer())
        assert await client.get_model_config("linear", headers=tokens.bearer())
        assert await client.get_inference_statistics("linear", headers=tokens.bearer())


async def test_it_reads_refusals(service: Service) -> None:
    """Of the gateway and of the engine, uncompressed."""
    async with triton_aio.InferenceServerClient(service.address) as client:
        with pytest.raises(InferenceServerException, match="needs a token"):
            await client.infer("scores", [features(binary=True)])
        with pytest.raises(InferenceServerException, match="unknown model 'absent'"):
            await client.infer("absent", [features(binary=True)], headers=tokens.bearer())
        with pytest.raises(InferenceServerException, match="unknown model 'absent'"):
            await client.get_model_metadata("absent", headers=tokens.bearer())
