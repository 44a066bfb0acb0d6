"""Speak with one Triton server over gRPC."""

from collections.abc import Awaitable, Collection, Mapping, Sequence
from typing import Any, TypeVar

import grpc
import grpc.aio
from tritonclient.grpc import service_pb2, service_pb2_grpc

from inference import v2_json, wire
from inference.abandoned import AbandonedCalls
from inference.capabilities import lacking
from inference.channel import channel_options
from inference.direct import INFER_METHOD, LAST_ANSWER_S, DirectServer
from inference.errors import (
    InferenceError,
    MicrobatchTooLarge,
    ModelNotReady,
    RequestRejected,
    ServerFault,
    ServerUnfit,
    ServerUnreachable,
    SignatureMismatch,
    TransientError,
    UnknownModel,
)
from inference.failures import failure
from inference.server import ModelMetadata, ModelStatistics, RepositoryEntry
from inference.settings import InferenceSettings
from inference.tensors import InferAnswer, InferRequest
from registry.domain import Signature, TensorSpec

_T = TypeVar("_T")

_SCHEME = "grpc://"
_LOST_REGION = "shared memory region"
"""What Triton says of a region that it does not know, as after its restart."""
_IN_USE = "currently in use"
"""What Triton says of a region whose request it still works on."""


class TritonServer:
    """One Triton server; satisfies `inference.server.Server`.

    The connection is made by the first call and belongs to that call's event loop.
    """

    def __init__(self, url: str, *, settings: InferenceSettings) -> None:
        self._url = url
        self._settings = settings
        self._channel: grpc.aio.Channel | None = None
        self._infer_method: Any = None
        self._mapped: set[str] = set()
        self._is_fit = False
        self._abandoned = AbandonedCalls(grace_s=LAST_ANSWER_S)
        self._direct = DirectServer(url, max_bytes=settings.max_message_bytes)

    @property
    def url(self) -> str:
        """The address as it was given."""
        return self._url

    async def infer(self, request: InferRequest, *, timeout_s: float) -> InferAnswer:
        """Run one request; see `Server.infer`."""
        try:
            return await self._infer(request, timeout_s=timeout_s, mapped=self._mapped)
        except RequestRejected as error:
            if request.buffer is None or _LOST_REGION not in str(error):
                raise
        self._mapped.discard(request.buffer.name)
        return await self._infer(request, timeout_s=timeout_s, mapped=frozenset())

    async def _infer(
        self, request: InferRequest, *, timeout_s: float, mapped: Collection[str]
    ) -> InferAnswer:
        pieces = wire.encode_pieces(request, mapped=mapped)
        size = sum(map(len, pieces))
        if size > self._settings.max_message_bytes:
            raise MicrobatchTooLarge(
                f"a request of {request.rows} rows takes {size:,} bytes, more than "
                f"the {self._settings.max_message_bytes:,} that fit: send fewer rows"
            )
        if not self._is_fit:
            await self._require_fit(timeout_s)
        if request.raw and self._direct.fits:
            answer = await self._direct.infer(
                pieces, timeout_s=timeout_s, traceparent=request.traceparent
            )
            response = service_pb2.ModelInferResponse.FromString(answer)
            return wire.decode(response, request, server=self._url)
        about = (("traceparent", request.traceparent),) if request.traceparent else None
        asking = self._inferring()(b"".join(pieces), timeout=timeout_s, metadata=about)
        response = await self._abandoned.answer(self._ask(asking))
        return wire.decode(response, request, server=self._url)

    async def model_ready(self, model: str, version: str) -> bool:
        """Say whether the server serves the model now; False when it cannot be asked."""
        question = service_pb2.ModelReadyRequest(name=model, version=version)
        try:
            await self._require_fit(self._settings.probe_timeout_s)
            return bool((await self._control("ModelReady", question)).ready)
        except InferenceError:
            return False

    async def live(self) -> bool:
        """Say whether the server answers, and can be asked."""
        try:
            await self.greet()
        except InferenceError:
            return False
        return True

    async def greet(self) -> None:
        """Raise why the server cannot be asked; see `Server.greet`."""
        try:
            answer = await self._control("ServerLive", service_pb2.ServerLiveRequest())
        except ServerUnreachable:
            self._is_fit = False  # who answers there next may be somebody else
            raise
        if not answer.live:
            raise ServerUnreachable(f"{self._url} says that it is not live", server=self._url)
        await self._require_fit(self._settings.probe_timeout_s)

    async def signature(self, model: str, version: str) -> Signature:
        """Read what the model takes and gives; see `Server.signature`."""
        metadata, config = await self._describe(model, version)
        signature = Signature(
            inputs=tuple(_spec(tensor) for tensor in metadata.inputs),
            outputs=tuple(_spec(tensor) for tensor in metadata.outputs),
            max_batch_size=config.max_batch_size,
        )
        for spec in signature.inputs + signature.outputs:
            if spec.shape[:1] != (-1,):
                raise SignatureMismatch(
                    f"model {model!r} cannot be fed rows: the first dimension of {spec} is not "
                    "-1; set max_batch_size, or make its first dimension -1",
                    server=self._url,
                )
        return signature

    async def metadata_digest(self, model: str, version: str) -> str:
        """Return the digest of what the server says; see `Server.metadata_digest`."""
        metadata, config = await self._describe(model, version)
        return v2_json.digest(metadata, config, version)

    async def statistics(self, model: str, version: str) -> ModelStatistics:
        """Read what the server has done with the model; see `Server.statistics`."""
        about = {"name": model, "version": version}
        # Asked first: it says of an unknown model that it is unknown, statistics that it is wrong.
        config = await self._control("ModelConfig", service_pb2.ModelConfigRequest(**about))
        question = service_pb2.ModelStatisticsRequest(**about)
        (said,) = (await self._control("ModelStatistics", question)).model_stats
        return v2_json.statistics(said, config.config)

    async def metadata(self, model: str, version: str) -> ModelMetadata:
        """Read what the model is; see `Server.metadata`."""
        said, config = await self._describe(model, version)
        return v2_json.metadata(said, config)

    async def config(self, model: str, version: str) -> Mapping[str, Any]:
        """Read the model's configuration; see `Server.config`."""
        question = service_pb2.ModelConfigRequest(name=model, version=version)
        return v2_json.as_json((await self._control("ModelConfig", question)).config)

    async def counts(self, model: str, version: str) -> Sequence[Mapping[str, Any]]:
        """Read what the server counted; see `Server.counts`."""
        about = {"name": model, "version": version}
        if model:  # As in `statistics`: it says of an unknown model that it is unknown.
            await self._control("ModelConfig", service_pb2.ModelConfigRequest(**about))
        question = service_pb2.ModelStatisticsRequest(**about)
        said = await self._control("ModelStatistics", question)
        return [v2_json.as_json(each) for each in said.model_stats]

    async def load(self, model: str) -> None:
        """Have the server load the model, or load it again; raises `UnknownModel`."""
        question = service_pb2.RepositoryModelLoadRequest(model_name=model)
        try:
            await self._control("RepositoryModelLoad", question, self._settings.load_timeout_s)
        except (ServerFault, RequestRejected, ModelNotReady) as error:
            raise UnknownModel(
                f"{self._url} cannot load model {model!r}, see that its model repository holds "
                f"it and that it runs with --model-control-mode=explicit: {error}",
                server=self._url,
            ) from error

    async def unload(self, model: str) -> None:
        """Have the server let go of the model. Safe to repeat."""
        question = service_pb2.RepositoryModelUnloadRequest(model_name=model)
        await self._control("RepositoryModelUnload", question, self._settings.load_timeout_s)

    async def repository_index(self) -> tuple[RepositoryEntry, ...]:
        """List what the server's repository holds."""
        answer = await self._control("RepositoryIndex", service_pb2.RepositoryIndexRequest())
        return tuple(
            RepositoryEntry(name=entry.name, version=entry.version, state=entry.state)
            for entry in answer.models
        )

    async def map_buffer(self, name: str, key: str, size: int) -> bool:
        """Have the server map the POSIX shared memory `key` as `name`; False if it refuses.

        Raises `TransientError` where it did not say: it may have mapped it all the same.
        """
        question = service_pb2.SystemSharedMemoryRegisterRequest(name=name, key=key, byte_size=size)
        try:
            await self._control("SystemSharedMemoryRegister", question)
        except TransientError:
            raise
        except InferenceError:
            return False
        self._mapped.add(name)
        return True

    def maps(self, name: str) -> bool:
        """Whether the server has the buffer mapped, as far as is known here."""
        return name in self._mapped

    async def mapped_buffers(self) -> tuple[str, ...]:
        """List what any client has had the server map; raises `InferenceError`."""
        question = service_pb2.SystemSharedMemoryStatusRequest()
        return tuple((await self._control("SystemSharedMemoryStatus", question)).regions)

    async def unmap_buffer(self, name: str) -> bool:
        """Have the server forget one region, never all: those of others would go as well."""
        self._mapped.discard(name)
        question = service_pb2.SystemSharedMemoryUnregisterRequest(name=name)
        try:
            await self._control("SystemSharedMemoryUnregister", question)
        except InferenceError as error:
            return _IN_USE not in str(error)
        return True

    async def close(self) -> None:
        """Give up the connection, once requests that nobody waits for had time to end.

        Safe to repeat.
        """
        await self._abandoned.wait()
        await self._direct.close()
        channel, self._channel, self._infer_method = self._channel, None, None
        if channel is not None:
            await channel.close()

    def _connected(self) -> grpc.aio.Channel:
        if self._channel is None:
            self._channel = grpc.aio.insecure_channel(
                self._url.removeprefix(_SCHEME), options=channel_options(self._settings)
            )
        return self._channel

    def _inferring(self) -> Any:
        """Return what sends a request, made once for each connection."""
        if self._infer_method is None:
            self._infer_method = self._connected().unary_unary(
                INFER_METHOD, response_deserializer=service_pb2.ModelInferResponse.FromString
            )
        return self._infer_method

    async def _require_fit(self, timeout_s: float) -> None:
        """Raise `ServerUnfit` for a server that lacks parts; asked once while it is there."""
        if self._is_fit:
            return
        question = service_pb2.ServerMetadataRequest()
        said = await self._control("ServerMetadata", question, timeout_s)
        if missing := lacking(said.extensions):
            raise ServerUnfit(self._url, missing)
        self._is_fit = True

    async def _describe(self, model: str, version: str) -> tuple[Any, Any]:
        about = {"name": model, "version": version}
        metadata = await self._control("ModelMetadata", service_pb2.ModelMetadataRequest(**about))
        config = await self._control("ModelConfig", service_pb2.ModelConfigRequest(**about))
        return metadata, config.config

    async def _control(self, method: str, question: Any, timeout_s: float | None = None) -> Any:
        stub = service_pb2_grpc.GRPCInferenceServiceStub(self._connected())
        limit_s = self._settings.probe_timeout_s if timeout_s is None else timeout_s
        return await self._ask(getattr(stub, method)(question, timeout=limit_s))

    async def _ask(self, call: Awaitable[_T]) -> _T:
        try:
            return await call
        except grpc.aio.AioRpcError as error:
            raise failure(error.code().name, error.details() or "", server=self._url) from error
        except grpc.aio.UsageError as error:
            raise ServerUnreachable(
                f"{self._url}: the connection is closed", server=self._url
            ) from error


def _spec(tensor: Any) -> TensorSpec:
    return TensorSpec(tensor.name, tensor.datatype, tuple(tensor.shape))
