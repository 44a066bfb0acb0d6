"""Ask every server of a pool what it says of a model."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

from inference.errors import (
    InferenceError,
    ModelNotReady,
    PoolUnavailable,
    SignatureMismatch,
    UnknownModel,
)
from inference.server import Server
from inference.settings import InferenceSettings
from registry.domain import Signature

_T = TypeVar("_T")


class Survey:
    """One question to all servers at once, whose answers must agree."""

    def __init__(self, servers: Sequence[Server], settings: InferenceSettings) -> None:
        self._servers = servers
        self._settings = settings

    async def signature(self, model: str, version: str) -> Signature:
        """See `Pool.signature`."""
        return await self._agreed(model, version, lambda each: each.signature(model, version))

    async def metadata_digest(self, model: str, version: str) -> str:
        """See `Pool.metadata_digest`."""
        return await self._agreed(model, version, lambda each: each.metadata_digest(model, version))

    async def _agreed(
        self, model: str, version: str, question: Callable[[Server], Awaitable[_T]]
    ) -> _T:
        """Return the answer that all give who serve the model."""
        async with asyncio.TaskGroup() as group:
            asked = [group.create_task(_ask(question, server)) for server in self._servers]
        answers: list[tuple[Server, _T]] = []
        errors: list[InferenceError] = []
        for server, task in zip(self._servers, asked, strict=True):
            answer = task.result()
            if isinstance(answer, InferenceError):
                errors.append(answer)
            else:
                answers.append((server, answer))
        if not answers:
            raise await self._nobody(model, version, errors)
        self._check_agreement(model, answers)
        return answers[0][1]

    @staticmethod
    def _check_agreement(model: str, answers: Sequence[tuple[Server, _T]]) -> None:
        first, said = answers[0]
        for server, other in answers[1:]:
            if other != said:
                raise SignatureMismatch(
                    f"model {model!r} is not the same on {first.url} ({said}) and on "
                    f"{server.url} ({other}): serve one model under one name and version",
                    server=server.url,
                )

    async def _nobody(
        self, model: str, version: str, errors: Sequence[InferenceError]
    ) -> InferenceError:
        mismatch = next((each for each in errors if isinstance(each, SignatureMismatch)), None)
        if mismatch is not None:
            return mismatch
        if not any(isinstance(error, ModelNotReady) for error in errors):
            told = "; ".join(str(error) for error in errors)
            return PoolUnavailable(
                f"no server of the pool answers: start it, or set NIGHTSHIFT_TRITON_URLS ({told})",
                retry_after_s=self._settings.breaker_open_s,
            )
        wanted = f"model {model!r}" + (f" version {version}" if version else "")
        served = ", ".join(await self._served()) or "none"
        return UnknownModel(f"no server of the pool serves {wanted}; ready are: {served}")

    async def _served(self) -> list[str]:
        async with asyncio.TaskGroup() as group:
            asked = [
                group.create_task(_ask(lambda each: each.repository_index(), server))
                for server in self._servers
            ]
        lists = [task.result() for task in asked]
        return sorted(
            {
                entry.name
                for entries in lists
                if not isinstance(entries, InferenceError)
                for entry in entries
                if entry.state == "READY"
            }
        )


async def _ask(question: Callable[[Server], Awaitable[_T]], server: Server) -> _T | InferenceError:
    try:
        return await question(server)
    except InferenceError as error:
        return error
