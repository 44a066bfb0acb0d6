"""Preconditions: strong tags for changes, weak ones for reading."""

import pytest

from api.preconditions import CHANGED, MISSING, etag, require, unchanged
from api.problems import Refused

PRESENT = etag(7)


@pytest.mark.parametrize("sent", ['"7"', '"6", "7"', "*", ' "7" ', 'W/"7", "7"'])
def test_the_present_state_may_be_changed(sent: str) -> None:
    """One of several tags is enough; `*` is any state."""
    require(sent, PRESENT, "the model")


@pytest.mark.parametrize("sent", ['"6"', 'W/"7"', "7", "", '"77"', "'7'", '""'])
def test_another_state_may_not(sent: str) -> None:
    """The refusal says what the state is now; a weak tag is never enough for a change."""
    with pytest.raises(Refused) as caught:
        require(sent, PRESENT, "the model")
    assert caught.value.kind is CHANGED
    assert caught.value.headers == {"ETag": PRESENT}


def test_a_change_says_what_it_applies_to() -> None:
    """Without the header nothing is compared."""
    with pytest.raises(Refused) as caught:
        require(None, PRESENT, "the model")
    assert caught.value.kind is MISSING


@pytest.mark.parametrize(
    ("sent", "known"),
    [
        (None, False),
        ('"7"', True),
        ('W/"7"', True),
        ('"6"', False),
        ('"6", "7"', True),
        ("*", True),
    ],
)
def test_what_the_caller_has_is_not_sent_again(sent: str | None, known: bool) -> None:
    """A weak tag is good enough to read by."""
    assert unchanged(sent, PRESENT) is known
