"""Cursors: carried unread, refused where they do not belong."""

import base64

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.pagination import BAD_CURSOR, cursor_of, key_of, list_name
from api.problems import Refused

NAME = list_name("/v1/models", {"alias": "champion"})


@given(st.text(st.characters(codec="utf-8"), max_size=20), st.integers(0, 2**53))
def test_a_cursor_carries_its_key(text: str, number: int) -> None:
    """Whatever the key's parts are."""
    assert key_of(NAME, cursor_of(NAME, (text, number)), (str, int)) == (text, number)


def test_the_first_page_has_none() -> None:
    """No cursor is no key."""
    assert key_of(NAME, None, (str,)) is None


@given(st.text(max_size=60))
def test_anything_else_is_refused(cursor: str) -> None:
    """A problem, never a fault."""
    with pytest.raises(Refused) as caught:
        key_of(NAME, cursor, (str,))
    assert caught.value.kind is BAD_CURSOR


@pytest.mark.parametrize(
    "told",
    [
        [NAME],
        [NAME, 3],
        [NAME, "a", "b"],
        [NAME, True],
        {"list": NAME},
        [list_name("/v1/models", {}), "a"],
        [list_name("/v1/pools", {"alias": "champion"}), "a"],
    ],
)
def test_another_lists_cursor_is_refused(told: object) -> None:
    """Another path, other filters or another kind of key would give a page of nothing."""
    forged = base64.urlsafe_b64encode(orjson.dumps(told)).rstrip(b"=").decode()
    with pytest.raises(Refused):
        key_of(NAME, forged, (str,))


def test_filters_name_the_list_in_any_order() -> None:
    """The same filters are the same list."""
    assert list_name("/v1/models", {"a": 1, "b": 2}) == list_name("/v1/models", {"b": 2, "a": 1})
