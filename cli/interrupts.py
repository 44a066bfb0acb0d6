"""Answer Ctrl-C at once, and let what is nearly done be finished."""

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

INTERRUPTED_STATUS = 130
"""Exit status of a command that Ctrl-C ended: 128 + SIGINT, as shells expect it."""

_STOPPING = b"stopping\xe2\x80\xa6\n"
_FINISHING = b"finishing; Ctrl-C again stops at once\n"
_STDERR = 2


@contextmanager
def telling() -> Iterator[None]:
    """Say that the first Ctrl-C inside the block was heard, then do what it did outside.

    To be used in the main thread; inside an event loop, so that the loop's own handler is kept.
    """
    outside = signal.getsignal(signal.SIGINT)
    if not callable(outside):  # ignored, as in a background shell
        yield
        return

    def tell(number: int, frame: FrameType | None) -> None:
        signal.signal(signal.SIGINT, outside)
        os.write(_STDERR, _STOPPING)  # a stream may be in the middle of something
        outside(number, frame)

    signal.signal(signal.SIGINT, tell)
    try:
        yield
    finally:
        if signal.getsignal(signal.SIGINT) is tell:
            signal.signal(signal.SIGINT, outside)


@contextmanager
def finishing() -> Iterator[Callable[[], None]]:
    """Give a function from whose first call on one Ctrl-C is let pass, to the end of the block.

    Before the call, and for the second one, Ctrl-C does what it did outside the block. To be used
    in the main thread.
    """
    outside = signal.getsignal(signal.SIGINT)
    begun = False

    def begin() -> None:
        nonlocal begun
        if not begun:
            begun = True
            signal.signal(signal.SIGINT, let_pass)

    def let_pass(_number: int, _frame: FrameType | None) -> None:
        signal.signal(signal.SIGINT, outside)
        os.write(_STDERR, _FINISHING)

    try:
        yield begin
    finally:
        signal.signal(signal.SIGINT, outside)
