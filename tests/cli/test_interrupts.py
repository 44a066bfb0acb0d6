"""Check what Ctrl-C does while a command finishes."""

import signal

import pytest

from cli.interrupts import finishing, telling


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


def test_the_first_is_answered_at_once(capfd: pytest.CaptureFixture[str]) -> None:
    """Then it does what it did outside, as does every other one."""
    before = signal.getsignal(signal.SIGINT)
    with telling():
        for _ in range(2):
            with pytest.raises(KeyboardInterrupt):
                press()
        assert capfd.readouterr().err == "stopping…\n"
    with telling():
        pass
    assert signal.getsignal(signal.SIGINT) is before


def test_where_it_is_ignored_it_stays_so() -> None:
    """As in a background shell."""
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with telling():
            press()
            assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGINT, before)
