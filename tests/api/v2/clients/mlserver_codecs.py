"""Talk to the gateway with MLServer's types and codecs: `… URL AUTHORIZATION`."""

import json
import sys

import httpx
import numpy as np
from mlserver.codecs import NumpyCodec, StringCodec
from mlserver.types import InferenceRequest, InferenceResponse, MetadataModelResponse

ROWS = np.linspace(-1, 1, 128, dtype=np.float32).reshape(2, 64)


def main(url: str, authorization: str) -> None:
    """Print what came of each call, by name."""
    told: dict[str, object] = {}
    headers = {"Authorization": authorization}
    with httpx.Client(base_url=url, headers=headers, timeout=60) as client:

        def infer(model: str, *inputs: object) -> InferenceResponse:
            asked = InferenceRequest(inputs=list(inputs))
            # Nulls and all, as its types write themselves.
            answer = client.post(f"/v2/models/{model}/infer", content=asked.model_dump_json())
            answer.raise_for_status()
            return InferenceResponse.model_validate_json(answer.content)

        answered = infer("scores", NumpyCodec.encode_input("features", ROWS))
        told["numbers"] = NumpyCodec.decode_output(answered.outputs[0]).ravel().tolist()
        told["version"] = answered.model_version
        for use_bytes in (True, False):
            sent = StringCodec.encode_input("BYTES", ["a", "é"], use_bytes=use_bytes)
            sent.shape = sent.shape[:1]
            text = infer("echo", sent)
            told[f"text, bytes {use_bytes}"] = StringCodec.decode_output(text.outputs[0])
        metadata = client.get("/v2/models/scores").content
        told["metadata"] = MetadataModelResponse.model_validate_json(metadata).name
    sys.stdout.write(json.dumps(told))


main(*sys.argv[1:])
