"""Room for submissions: bounded, and who finds none comes again spread over time."""

from contextlib import ExitStack

import pytest

from api.jobs.room import Room
from api.problems import Refused


def refused(room: Room) -> str:
    """Return when somebody who finds no room shall come again."""
    with pytest.raises(Refused) as told:
        room.require()
    return told.value.headers["Retry-After"]


def test_who_finds_no_room_comes_again_later_than_others() -> None:
    """A second later for each fifty; from the first second again once nobody was inside."""
    room = Room(most=2)
    for _ in range(2):
        with ExitStack() as inside:
            for _ in range(2):
                assert not room.is_full
                inside.enter_context(room.one_more())
            assert room.is_full
            assert [refused(room) for _ in range(101)] == ["1"] * 50 + ["2"] * 50 + ["3"]
        assert not room.is_full


def test_who_does_not_come_in_takes_no_room() -> None:
    """Whoever leaves makes some."""
    room = Room(most=1)
    with room.one_more():
        with pytest.raises(Refused), room.one_more():
            raise AssertionError("there was no room")
        assert room.is_full
    assert not room.is_full
