"""The arithmetic of shares: who answers a key, and who keeps it while shares grow."""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from registry.errors import InvalidRegistration
from registry.routes import WHOLE, Share, canary_at, check_split, drawn, point_of

SHARES = st.lists(st.integers(1, WHOLE // 4), min_size=1, max_size=4).map(
    lambda sizes: tuple(Share(version, share) for version, share in enumerate(sizes, start=2))
)
POINTS = st.integers(0, WHOLE - 1)


@given(SHARES, POINTS, st.data())
def test_who_has_seen_a_canary_keeps_off_the_old_version(
    before: tuple[Share, ...], point: int, data: st.DataObject
) -> None:
    """Whatever grows: no point goes back from a canary to the alias's version."""
    after = tuple(
        Share(each.version, data.draw(st.integers(each.share, WHOLE // 4))) for each in before
    )
    if canary_at(before, point) is not None:
        assert canary_at(after, point) is not None


@given(st.integers(1, WHOLE), st.integers(0, WHOLE), POINTS)
def test_one_canary_keeps_its_points_while_it_grows(share: int, more: int, point: int) -> None:
    """With a single canary nobody who got it gets anything else."""
    grown = Share(2, min(WHOLE, share + more))
    if canary_at([Share(2, share)], point) is not None:
        assert canary_at([grown], point) == grown


def test_every_point_has_its_share() -> None:
    """Counted over the whole line each version has exactly its part."""
    canaries = (Share(2, 1000), Share(5, 250))
    found = Counter(canary_at(canaries, point) for point in range(WHOLE))
    assert found == {None: 8750, canaries[0]: 1000, canaries[1]: 250}


def test_keys_lie_evenly_and_always_the_same() -> None:
    """A tenth of the keys gets a tenth's canary, another tenth for another alias."""
    keys = [f"user-{number}" for number in range(20_000)]
    first = [point_of("flights@champion", key) < 1000 for key in keys]
    other = [point_of("flights@next", key) < 1000 for key in keys]
    assert 1800 < sum(first) < 2200
    assert 120 < sum(a and b for a, b in zip(first, other, strict=True)) < 280
    assert point_of("flights@champion", "user-7") == 5669
    assert {point_of("a@b", key) < WHOLE for key in ("", "\0", "ü" * 1000)} == {True}


@given(SHARES, st.floats(0, 1, exclude_max=True))
def test_chance_is_a_point_too(canaries: tuple[Share, ...], chance: float) -> None:
    """A request without a key gets whoever is at the point that chance names."""
    assert drawn(canaries, chance) == canary_at(canaries, int(chance * WHOLE))


@pytest.mark.parametrize(
    ("canaries", "shadow", "words"),
    [
        ([], None, "names no version"),
        ([Share(2, 6000), Share(3, 4001)], None, "shares of a route do not fit"),
        ([Share(2, 0)], None, "shares of a route do not fit"),
        ([], Share(2, 10_001), "shares of a route do not fit"),
        ([Share(2, 1), Share(2, 1)], None, "each once"),
        ([Share(number, 1) for number in range(2, 11)], None, "at most 8"),
    ],
)
def test_what_does_not_fit_is_refused(
    canaries: list[Share], shadow: Share | None, words: str
) -> None:
    """In words that say what would."""
    with pytest.raises(InvalidRegistration, match=words):
        check_split(canaries, shadow)


def test_canaries_are_put_in_order() -> None:
    """By version, so that everybody lays them out alike; a shadow may have all requests."""
    split = check_split([Share(3, 1), Share(2, 9999)], Share(4, WHOLE))
    assert split == (Share(2, 9999), Share(3, 1))
