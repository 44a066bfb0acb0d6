"""Do long work where it holds up no other request."""

import asyncio
import multiprocessing
import signal
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from types import TracebackType
from typing import Self, TypeVar, TypeVarTuple, Unpack

from anyio.to_thread import run_sync

from api.problems import Refused
from api.v2.kinds import READER_DIED
from telemetry.logs import logger

_log = logger(__name__)

_A = TypeVarTuple("_A")
_T = TypeVar("_T")


class Offload:
    """Where large JSON is read and written: an async context manager for one event loop.

    The JSON reader keeps Python's lock as long as it reads, in a thread as well: 10 MB stopped
    everything for 114 ms, measured. So what is large goes to another process, which is started
    by the first of them.
    """

    def __init__(self, *, large_bytes: int, processes: int) -> None:
        """`large_bytes` of JSON, or of what becomes JSON, are worth the way to a process."""
        self._large_bytes = large_bytes
        self._processes = processes
        self._executor: ProcessPoolExecutor | None = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        executor, self._executor = self._executor, None
        if executor is not None:
            await run_sync(executor.shutdown)

    def is_large(self, size: int) -> bool:
        """Say whether so many bytes are better not worked on between other requests."""
        return size >= self._large_bytes

    async def in_process(self, work: Callable[[Unpack[_A]], _T], *args: *_A) -> _T:
        """Return what `work` returns, or raise what it raises; all of it must be picklable.

        Raises `Refused` when the process dies, as when memory runs out.
        """
        executor = self._running()
        try:
            return await asyncio.get_running_loop().run_in_executor(executor, work, *args)
        except BrokenProcessPool as error:
            if self._executor is executor:
                self._executor = None
            _log.warning("the process that reads large JSON ended", cause=str(error))
            words = "the process that reads large JSON ended: send it again, or as binary data"
            raise Refused(READER_DIED, words, headers={"Retry-After": "1"}) from error

    async def in_thread(self, work: Callable[[Unpack[_A]], _T], *args: *_A) -> _T:
        """Return what `work` returns: something that lets go of Python's lock now and then."""
        return await run_sync(work, *args)

    def _running(self) -> ProcessPoolExecutor:
        if self._executor is None:
            self._executor = ProcessPoolExecutor(
                self._processes,
                # A fork would have the threads' locks and none of the threads.
                mp_context=multiprocessing.get_context("spawn"),
                initializer=_leave_ctrl_c_to_the_api,
            )
        return self._executor


def _leave_ctrl_c_to_the_api() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
