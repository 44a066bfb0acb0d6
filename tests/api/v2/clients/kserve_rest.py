"""Talk to the gateway with KServe's REST client: `python kserve_rest.py URL AUTHORIZATION`."""

import asyncio
import json
import sys
from typing import Any

import httpx
import numpy as np
from kserve import InferenceRESTClient, InferInput, InferRequest, RESTConfig

ROWS = np.linspace(-1, 1, 128, dtype=np.float32).reshape(2, 64)


def request(model: str, name: str, array: Any, datatype: str, *, binary: bool) -> InferRequest:
    """Return a request with one input."""
    made = InferInput(name, list(np.shape(array)), datatype)
    made.set_data_from_numpy(array, binary_data=binary)
    return InferRequest(model, [made])


async def main(url: str, authorization: str) -> None:
    """Print what came of each call, by name."""
    told: dict[str, object] = {}
    client = InferenceRESTClient(RESTConfig(protocol="v2"))

    def headers() -> dict[str, str]:
        return {"Authorization": authorization}

    async def refused(call: object) -> str:
        try:
            await call  # type: ignore[misc]  # any of the client's coroutines
        except httpx.HTTPStatusError as error:
            return str(error)
        return "answered"

    async with client:
        told["live"] = await client.is_server_live(url)
        told["ready"] = await client.is_server_ready(url)
        told["model ready"] = await client.is_model_ready(url, "scores", headers=headers())
        for binary in (False, True):
            asked = request("scores", "features", ROWS, "FP32", binary=binary)
            answer = await client.infer(url, asked, model_name="scores", headers=headers())
            key = "binary" if binary else "json"
            told[key] = answer.outputs[0].as_numpy().ravel().tolist()
            told[f"{key} version"] = answer.model_version
        words = np.array(["a", "é"], dtype=object)
        asked = request("echo", "BYTES", words, "BYTES", binary=False)
        answer = await client.infer(url, asked, model_name="echo", headers=headers())
        told["text"] = answer.outputs[0].data
        wrong = request("scores", "other", ROWS, "FP32", binary=False)
        told["no token"] = await refused(client.infer(url, wrong, model_name="scores"))
        told["misfit"] = await refused(
            client.infer(url, wrong, model_name="scores", headers=headers())
        )
        told["unknown"] = await refused(
            client.infer(url, wrong, model_name="absent", headers=headers())
        )
    sys.stdout.write(json.dumps(told))


asyncio.run(main(*sys.argv[1:]))
