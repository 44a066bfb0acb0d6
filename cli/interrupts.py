"""Let what is nearly done be finished when Ctrl-C is pressed."""

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

_WORDS = b"finishing; Ctrl-C again stops at once\n"
_STDERR = 2


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
        os.write(_STDERR, _WORDS)  # a stream may be in the middle of something

    try:
        yield begin
    finally:
        signal.signal(signal.SIGINT, outside)
