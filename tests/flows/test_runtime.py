"""Check what a scoring process opens."""

import gc

from flows.runtime import uncollected


async def test_what_is_there_is_not_collected_for_a_while() -> None:
    """It is passed over inside the block, and not after it."""
    assert gc.get_freeze_count() == 0
    async with uncollected():
        assert gc.get_freeze_count() > 10_000
    assert gc.get_freeze_count() == 0


async def test_what_another_keeps_is_left_to_him() -> None:
    """A program that froze its objects finds them frozen."""
    gc.freeze()
    try:
        async with uncollected():
            pass
        assert gc.get_freeze_count() > 0
    finally:
        gc.unfreeze()
