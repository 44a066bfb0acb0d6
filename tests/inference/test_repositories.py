"""Loading on a pool: each server's outcome, whatever becomes of the others."""

from inference.errors import ModelNotReady, ServerUnfit, ServerUnreachable, UnknownModel
from inference.repositories import Outcome, load_everywhere, unload_everywhere
from tests.inference.scripted import DOUBLES, ScriptedServer


def servers() -> list[ScriptedServer]:
    """Return one that has the model, one that has another, one that is away."""
    made = [ScriptedServer("a"), ScriptedServer("b", {"other": DOUBLES}), ScriptedServer("c")]
    made[0].loaded.clear()
    made[2].away = True
    return made


def kinds(outcomes: tuple[Outcome, ...]) -> list[tuple[str, type | None]]:
    """Return the servers with the kind of their errors."""
    return [(each.server, type(each.error) if each.error else None) for each in outcomes]


async def test_a_failure_on_one_does_not_hide_the_others() -> None:
    """The one that can, does."""
    made = servers()
    outcomes = await load_everywhere(made, "faulty", "1")
    assert kinds(outcomes) == [("a", None), ("b", UnknownModel), ("c", ServerUnreachable)]
    assert made[0].loaded == {"faulty"}


async def test_loading_means_that_the_version_is_served() -> None:
    """A repository without the version is found out."""
    assert kinds(await load_everywhere(servers()[:1], "faulty", "7")) == [("a", ModelNotReady)]


async def test_a_server_without_parts_of_the_protocol_is_told_apart() -> None:
    """It is not told to load anything, and not taken for one that is away."""
    made = ScriptedServer("a")
    made.loaded.clear()
    made.lacks = ("model_repository",)
    assert kinds(await load_everywhere([made], "faulty", "1")) == [("a", ServerUnfit)]
    assert made.loaded == set()


async def test_what_is_served_is_not_loaded_again() -> None:
    """Loading again would take the model away from its requests."""
    made = ScriptedServer("a")
    made.models.clear()
    assert kinds(await load_everywhere([made], "faulty", "1")) == [("a", None)]


async def test_unloading_says_who_could_not_be_asked() -> None:
    """Safe to repeat."""
    made = [ScriptedServer("a"), ScriptedServer("b")]
    made[1].away = True
    for _ in range(2):
        outcomes = await unload_everywhere(made, "faulty")
        assert kinds(outcomes) == [("a", None), ("b", ServerUnreachable)]
    assert made[0].loaded == set()
