"""Check what Ctrl-C does while a command finishes."""

import signal

import pytest

from cli.interrupts import finishing


def press() -> None:
    """Press Ctrl-C."""
    signal.raise_signal(signal.SIGINT)


def test_until_the_end_begins_ctrl_c_interrupts() -> None:
    """As outside the block."""
    with pytest.raises(KeyboardInterrupt), finishing():
        press()


def test_one_is_let_pass(capfd: pytest.CaptureFixture[str]) -> None:
    """With a word; the next one interrupts, and it is not let pass again."""
    with finishing() as begin:
        begin()
        press()
        assert capfd.readouterr().err == "finishing; Ctrl-C again stops at once\n"
        begin()
        with pytest.raises(KeyboardInterrupt):
            press()


def test_after_the_block_it_is_as_before() -> None:
    """Whether it was pressed or not."""
    before = signal.getsignal(signal.SIGINT)
    with finishing() as begin:
        begin()
    assert signal.getsignal(signal.SIGINT) is before
