"""Serve a model with MLServer's gRPC until it is killed: `python mlserver_grpc.py PORT MODEL`."""

import asyncio
import sys

from mlserver import MLModel, ModelSettings, Settings
from mlserver.grpc import GRPCServer
from mlserver.handlers import DataPlane, ModelRepositoryHandlers
from mlserver.registry import MultiModelRegistry
from mlserver.repository.factory import ModelRepositoryFactory
from mlserver.types import InferenceRequest, InferenceResponse


class Silent(MLModel):  # type: ignore[misc]  # MLServer publishes no types
    """A model that is ready, and answers without any output."""

    async def predict(self, payload: InferenceRequest) -> InferenceResponse:
        """Answer nothing."""
        return InferenceResponse(model_name=self.name, outputs=[])


async def main(port: str, model: str) -> None:
    """Serve it, without MLServer's REST, which is made for other versions of what we have."""
    settings = Settings(host="127.0.0.1", grpc_port=int(port), parallel_workers=0)
    models = MultiModelRegistry()
    repository = ModelRepositoryFactory.resolve_model_repository(settings)
    server = GRPCServer(
        settings,
        DataPlane(settings=settings, model_registry=models),
        ModelRepositoryHandlers(repository=repository, model_registry=models),
    )
    await models.load(ModelSettings(name=model, implementation=Silent))
    await server.start()


asyncio.run(main(*sys.argv[1:]))
