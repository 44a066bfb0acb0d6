"""Start every server of a platform, watch them, stop them in order."""

import signal
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import contextmanager, suppress
from pathlib import Path
from types import FrameType

from cli.stack.errors import StackError
from cli.up import order
from cli.up.errors import PrefectRefused
from cli.up.identity import Identity
from cli.up.platform import Platform, client_environment
from cli.up.record import Record, Running

_LOOK_S = 0.5
"""Time between two looks whether each server still runs."""

Say = Callable[[str], None]


class _Ending(StackError):
    """A server is not started because all of them are about to be stopped."""


class Supervisor:
    """Runs one platform; to be used in the main thread."""

    def __init__(
        self, platform: Platform, *, record: Path, logs: Callable[[str], Path], say: Say
    ) -> None:
        self._platform = platform
        self._record = record
        self._logs = logs
        self._say = say
        self._ending = threading.Event()
        self._hurry = threading.Event()
        me = Identity.of(threading.get_native_id())
        assert me is not None
        self._me = me

    def start(self) -> dict[str, float]:
        """Start everything, each server as soon as what it needs is ready.

        Returns the seconds after which each was ready. Raises the first error; `stop` is due then
        as well.
        """
        self._note(ready=False)
        actions = self._platform.actions()
        waiting = order.Waiting(order.needs(self._platform.workers))
        began, took = time.monotonic(), dict[str, float]()
        running: dict[Future[None], str] = {}
        with ThreadPoolExecutor(len(actions)) as threads:
            try:
                while len(took) < len(actions):
                    for name in waiting.next():
                        running[threads.submit(self._do, actions[name])] = name
                    for future in wait(running, return_when=FIRST_COMPLETED).done:
                        name = running.pop(future)
                        future.result()
                        waiting.done(name)
                        took[name] = time.monotonic() - began
                        self._note(ready=False)
            except BaseException:
                # What threads wait for has to end, so that they do.
                self._ending.set()
                self._stop_processes()
                raise
        self._note(ready=True)
        return took

    def watch(self) -> None:
        """Tell of each server that ends, until a signal raises `KeyboardInterrupt`."""
        gone: set[str] = set()
        while True:
            time.sleep(_LOOK_S)
            for name, server in self._platform.servers.items():
                status = server.status()
                if status is not None and name not in gone:
                    gone.add(name)
                    self._say(f"{name} ended with status {status}; its log: {self._logs(name)}")

    def stop(self, *, patience_s: float) -> None:
        """Stop everything in order; a signal meanwhile ends the waiting for runs.

        Runs that still go on after the patience are stopped: what they committed stays.
        """
        self._ending.set()
        with _signals_are(self._hurried):
            first, workers, *others = order.stop_order(self._platform.workers)
            self._stop(first)
            self._let_runs_end(patience_s)
            self._stop(workers)
            self._settle_runs()
            for group in others:
                self._stop(group)
            # One that was only just being started when the others were stopped.
            self._stop_processes()
        self._record.unlink(missing_ok=True)

    def _do(self, action: Callable[[], object]) -> None:
        if self._ending.is_set():
            raise _Ending("not started: the platform is being stopped")
        action()

    def _let_runs_end(self, patience_s: float) -> None:
        """Wait for runs, if there may be any: where no worker runs, none is."""
        if not any(self._runs(worker) for worker in self._platform.workers):
            return
        with suppress(PrefectRefused):  # a server that is gone has nothing to be told
            left = self._platform.close_pool(patience_s=0, hurry=self._hurry.is_set)
            if left:
                plural = "run" if left == 1 else f"{left} runs"
                self._say(f"waiting up to {patience_s:g} s for {plural}; Ctrl-C stops at once")
                self._platform.close_pool(patience_s=patience_s, hurry=self._hurry.is_set)

    def _settle_runs(self) -> None:
        if self._runs(order.PREFECT):
            with suppress(PrefectRefused):
                stopped = self._platform.crash_runs()
                if stopped:
                    self._say(f"{stopped} stopped; what was committed stays")

    def _runs(self, name: str) -> bool:
        server = self._platform.servers[name]
        try:
            return server.pid > 0 and server.status() is None
        except RuntimeError:  # never started
            return False

    def _stop(self, names: tuple[str, ...]) -> None:
        if not names:
            return
        with ThreadPoolExecutor(len(names)) as threads:
            list(threads.map(lambda name: self._platform.servers[name].stop(), names))

    def _stop_processes(self) -> None:
        self._stop(tuple(self._platform.servers))

    def _hurried(self, number: int, frame: FrameType | None) -> None:
        self._hurry.set()

    def _note(self, *, ready: bool) -> None:
        Record(
            supervisor=self._me,
            ready=ready,
            servers=tuple(self._running()),
            environment=client_environment(self._platform),
        ).write(self._record)

    def _running(self) -> Iterator[Running]:
        for name, (address, port) in self._platform.addresses().items():
            if self._runs(name):
                process = Identity.of(self._platform.servers[name].pid)
                if process is not None:
                    yield Running(name, address, port, process, str(self._logs(name)))


@contextmanager
def interruptible() -> Iterator[None]:
    """Have TERM and a closed terminal do what Ctrl-C does, also where a shell had it ignored."""
    with _signals_are(signal.default_int_handler):
        yield


@contextmanager
def _signals_are(handler: Callable[[int, FrameType | None], object]) -> Iterator[None]:
    heard = [signal.SIGINT, signal.SIGTERM]
    if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:  # as `nohup` has it
        heard.append(signal.SIGHUP)
    before = {number: signal.signal(number, handler) for number in heard}
    try:
        yield
    finally:
        for number, outside in before.items():
            signal.signal(number, outside)
