"""The model `wide` for MLServer, run by its own Python."""

import numpy as np
from mlserver import MLModel
from mlserver.codecs import NumpyCodec
from mlserver.types import InferenceRequest, InferenceResponse


class Wide(MLModel):
    """`features` FP32[n, 64] gives `score` FP32[n, 1]."""

    async def load(self) -> bool:
        """Set the weights, as Triton's has them."""
        self._weights = np.linspace(-1.0, 1.0, 64, dtype=np.float32)[:, None]
        return True

    async def predict(self, payload: InferenceRequest) -> InferenceResponse:
        """Score a request."""
        features = NumpyCodec.decode_input(payload.inputs[0])
        score = NumpyCodec.encode_output("score", features @ self._weights)
        return InferenceResponse(model_name=self.name, outputs=[score])
