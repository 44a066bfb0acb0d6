"""Play an inference server in memory, with the faults that a script asks for."""

import asyncio
import hashlib
from collections import Counter, deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from inference.errors import (
    DeadlineExceeded,
    InferenceError,
    ModelNotReady,
    RequestRejected,
    ServerUnfit,
    ServerUnreachable,
    SignatureMismatch,
    UnknownModel,
)
from inference.server import ModelMetadata, ModelStatistics, RepositoryEntry
from inference.tensors import Array, InferAnswer, InferRequest, RawTensor, datatype_of
from inference.wire import tensor_bytes, tensor_from_bytes
from registry.domain import Signature, TensorSpec


@dataclass(frozen=True, slots=True)
class ScriptedModel:
    """A model of a scripted server."""

    signature: Signature
    """What it says it takes and gives."""
    answer: Callable[[Mapping[str, Array]], Mapping[str, Array]]
    """What it computes."""


DOUBLES = ScriptedModel(
    Signature((TensorSpec("x", "FP32", (-1, 1)),), (TensorSpec("y", "FP32", (-1, 1)),)),
    lambda inputs: {"y": inputs["x"] * 2},
)
"""As tests/models/faulty: `y = 2 x`."""


async def until(condition: Callable[[], bool]) -> None:
    """Wait until something has happened, however slow the machine is; pytest's limit ends it."""
    while not condition():
        await asyncio.sleep(0.001)


class ScriptedServer:
    """The in-memory twin of `TritonServer`."""

    def __init__(self, url: str, models: Mapping[str, ScriptedModel] | None = None) -> None:
        self.url = url
        self.models = dict(models or {"faulty": DOUBLES})
        self.loaded = set(self.models)
        self.faults: deque[InferenceError] = deque()
        """Raised by the next requests, one each."""
        self.always: InferenceError | None = None
        """Raised by every request."""
        self.away = False
        """Refuse connections."""
        self.stuck = False
        """Take requests and never answer them; readiness is answered."""
        self.hung: set[str] = set()
        """Models whose requests are never answered."""
        self.stateful: set[str] = set()
        """Models that may not be asked twice at once."""
        self.lacks: tuple[str, ...] = ()
        """Parts of the protocol that it does not have."""
        self.silent = False
        """Take everything, readiness included, and answer when this is over."""
        self.probe_timeout_s = 2.0
        """Time after which a probe that is not answered counts as missed."""
        self.delay_s = 0.0
        """Time that an answer takes."""
        self.gate: asyncio.Event | None = None
        """Answers wait until it is set."""
        self.asked: list[InferRequest] = []
        self.answered: Counter[str] = Counter()
        self.described = 0
        """Questions for a model's metadata."""
        self.running = 0
        self.most_running = 0
        self.cancelled = 0
        self.closed = False

    async def infer(self, request: InferRequest, *, timeout_s: float) -> InferAnswer:
        self._check_reachable()
        self.asked.append(request)
        self.running += 1
        self.most_running = max(self.most_running, self.running)
        try:
            async with asyncio.timeout(timeout_s):
                await asyncio.sleep(
                    3600 if self.stuck or request.model in self.hung else self.delay_s
                )
                while self.silent:
                    await asyncio.sleep(0.01)
                if self.gate is not None:
                    await self.gate.wait()
        except TimeoutError:
            raise DeadlineExceeded(f"{self.url}: no answer", server=self.url) from None
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        finally:
            self.running -= 1
        return self._answer(request)

    async def model_ready(self, model: str, version: str) -> bool:
        return await self._heard() and model in self.loaded and version in ("", "1")

    async def live(self) -> bool:
        return await self._heard() and not self.lacks

    async def greet(self) -> None:
        if not await self._heard():
            raise ServerUnreachable(f"{self.url}: connection refused", server=self.url)
        if self.lacks:
            raise ServerUnfit(self.url, self.lacks)

    async def signature(self, model: str, version: str) -> Signature:
        signature = self._served(model, version).signature
        if any(spec.shape[:1] != (-1,) for spec in signature.inputs + signature.outputs):
            raise SignatureMismatch(f"{model} cannot be fed rows", server=self.url)
        return signature

    async def metadata_digest(self, model: str, version: str) -> str:
        said = repr((model, version, self._served(model, version).signature))
        return f"metadata-sha256:{hashlib.sha256(said.encode()).hexdigest()}"

    async def statistics(self, model: str, version: str) -> ModelStatistics:
        self._served(model, version)
        spent_s = self.answered[model] * self.delay_s
        return ModelStatistics(self.answered[model], spent_s, 0.0, spent_s, 1)

    async def metadata(self, model: str, version: str) -> ModelMetadata:
        self.described += 1
        await self._heard()
        said = self._served(model, version).signature
        return ModelMetadata(
            model,
            ("1",),
            "scripted",
            said.inputs,
            said.outputs,
            said.max_batch_size,
            repeatable=model not in self.stateful,
        )

    async def config(self, model: str, version: str) -> Mapping[str, Any]:
        most = self._served(model, version).signature.max_batch_size
        return {"name": model, "max_batch_size": most}

    async def counts(self, model: str, version: str) -> Sequence[Mapping[str, Any]]:
        if model:
            self._served(model, version)
        return [
            {
                "name": name,
                "version": "1",
                "inference_stats": {"success": {"count": self.answered[name]}},
            }
            for name in ([model] if model else sorted(self.loaded))
        ]

    async def load(self, model: str) -> None:
        self._check_reachable()
        if model not in self.models:
            raise UnknownModel(f"{self.url} has no model {model}", server=self.url)
        self.loaded.add(model)

    async def unload(self, model: str) -> None:
        self._check_reachable()
        self.loaded.discard(model)

    async def repository_index(self) -> tuple[RepositoryEntry, ...]:
        self._check_reachable()
        return tuple(
            RepositoryEntry(name, "1", "READY" if name in self.loaded else "UNAVAILABLE")
            for name in sorted(self.models)
        )

    async def close(self) -> None:
        self.closed = True

    async def _heard(self) -> bool:
        if self.silent:
            await asyncio.sleep(self.probe_timeout_s)
        return not (self.away or self.silent)

    def _check_reachable(self) -> None:
        if self.away:
            raise ServerUnreachable(f"{self.url}: connection refused", server=self.url)

    def _served(self, model: str, version: str) -> ScriptedModel:
        self._check_reachable()
        if model not in self.loaded or version not in ("", "1"):
            raise ModelNotReady(f"{self.url}: unknown model {model}", server=self.url)
        return self.models[model]

    def _answer(self, request: InferRequest) -> InferAnswer:
        model = self._served(request.model, request.version)
        if self.always is not None:
            raise self.always
        if self.faults:
            raise self.faults.popleft()
        inputs = dict(request.inputs) or {
            each.name: tensor_from_bytes(bytes(each.content), each.datatype, each.shape, each.name)
            for each in request.raw
        }
        if set(inputs) != {spec.name for spec in model.signature.inputs}:
            raise RequestRejected(f"{self.url}: unexpected input", server=self.url)
        self.answered[request.model] += 1
        outputs = model.answer(inputs)
        if not request.raw:
            return InferAnswer(outputs, self.url)
        return InferAnswer({}, self.url, raw=tuple(map(_raw, outputs.items())), version="1")


def _raw(output: tuple[str, Array]) -> RawTensor:
    name, array = output
    datatype = datatype_of(array.dtype)
    return RawTensor(name, datatype, array.shape, bytes(tensor_bytes(array, datatype)))
