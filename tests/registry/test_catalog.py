"""Check the registry's rules."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from registry.catalog import Catalog, utc_now
from registry.domain import (
    Alias,
    AliasMove,
    InvalidName,
    Model,
    ModelRef,
    ModelVersion,
    Signature,
    TensorSpec,
)
from registry.errors import InvalidRegistration, UnknownAlias, UnknownModel, UnknownVersion
from tests.registry.conftest import START, Clock

Register = Callable[..., ModelVersion]


@pytest.fixture
def register(catalog: Catalog, signature: Signature) -> Register:
    """Register with defaults for all that a test does not care about."""

    def call(name: str = "flights", **given: Any) -> ModelVersion:
        defaults: dict[str, Any] = {
            "signature": signature,
            "digest": "sha256:" + "0" * 64,
            "served_name": name,
            "served_version": "1",
        }
        return catalog.register(name, **{**defaults, **given})

    return call


def digest(number: int) -> str:
    return f"sha256:{number:064x}"


def test_a_version_is_registered_whole(catalog: Catalog, signature: Signature) -> None:
    """A version comes back with all that was given, its number, and when and by whom."""
    version = catalog.register(
        "flights",
        signature=signature,
        digest=digest(1),
        served_name="flights-1",
        served_version="7",
        columns={"features": ("a", "b", "c")},
        artifact="flights.onnx",
        description="trees",
        by="ada",
    )
    assert version == ModelVersion(
        name="flights",
        version=1,
        signature=signature,
        digest=digest(1),
        served_name="flights-1",
        served_version="7",
        columns={"features": ("a", "b", "c")},
        artifact="flights.onnx",
        description="trees",
        created_at=START + timedelta(minutes=1),
        created_by="ada",
    )
    assert catalog.versions("flights").items == (version,)
    assert catalog.models().items == (catalog.model("flights"),)
    at = START + timedelta(minutes=1)
    assert catalog.model("flights") == Model("flights", "trees", 1, at, "ada", {}, (), 2, at)


def test_the_same_content_is_the_same_version(register: Register) -> None:
    """Registering identical bytes, signature and columns again adds nothing."""
    first = register(digest=digest(1))
    second = register(digest=digest(2))
    again = register(digest=digest(1), description="other words", served_version="9")
    assert (first.version, second.version) == (1, 2)
    assert again == first


def test_other_content_is_another_version(register: Register) -> None:
    """Bytes, signature and columns each make a version of their own, counted per model."""
    shape = TensorSpec("features", "FP32", (-1, 4))
    other = Signature((shape,), (TensorSpec("delay", "FP32", (-1, 1)),))
    versions = [
        register(),
        register(digest=digest(2)),
        register(signature=other),
        register(columns={"features": ("a", "b", "c")}),
        register(columns={"features": ("c", "b", "a")}),
        register("planes"),
    ]
    assert [version.version for version in versions] == [1, 2, 3, 4, 5, 1]


def test_without_bytes_the_serving_place_is_part_of_the_content(register: Register) -> None:
    """Two served models with the same metadata may differ in their weights."""
    metadata = "metadata-" + digest(1)
    first = register(digest=metadata)
    assert register(digest=metadata) == first
    assert register(digest=metadata, served_version="2").version == 2
    assert register(digest=metadata, served_name="other").version == 3


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"digest": "sha256:abc"}, "digest 'sha256:abc' is not 'sha256:'"),
        ({"served_version": "latest"}, "cannot serve 'flights' version 'latest'"),
        ({"served_name": ""}, "cannot serve '' version '1'"),
        ({"signature": Signature((), ())}, r"its inputs are \[\]: at least one is needed"),
        ({"columns": {"features": ()}}, "input 'features' needs at least one named column"),
        ({"columns": {"features": ("a", "")}}, "input 'features' needs at least one named column"),
        ({"columns": {"feature": ("a",)}}, "has no input 'feature' to feed columns to; its inputs"),
        ({"columns": {"features": ("a", "b")}}, "2 columns cannot feed input features FP32"),
    ],
)
def test_what_cannot_be_a_version_is_refused(
    catalog: Catalog, register: Register, given: dict[str, Any], message: str
) -> None:
    """A refusal names the model and what is wrong, and leaves nothing behind."""
    with pytest.raises(InvalidRegistration, match=f"^model 'flights'.*{message}"):
        register(**given)
    assert catalog.models().items == ()


def test_a_model_name_must_be_safe(register: Register) -> None:
    """A name that no V2 client can send is refused."""
    with pytest.raises(InvalidName, match="model name 'a/b'"):
        register("a/b")


def test_one_list_column_feeds_a_vector(register: Register) -> None:
    """One column may carry a whole row, whatever its width."""
    assert register(columns={"features": ("vector",)}).columns == {"features": ("vector",)}


def test_an_alias_is_moved_with_its_history(catalog: Catalog, register: Register) -> None:
    """Each move is a line with who, when, from, to and why; no move, no line."""
    register(digest=digest(1))
    register(digest=digest(2))
    first = catalog.set_alias("flights", "champion", 1, by="ada", why="the first")
    assert catalog.set_alias("flights", "champion", 1, by="bob") == first
    moved = catalog.set_alias("flights", "champion", 2, by="bob", why="better")
    assert moved == Alias("flights", "champion", 2, moved.moved_at, 5)
    assert catalog.aliases("flights").items == (moved,)
    history = (
        AliasMove("flights", "champion", moved.moved_at, "bob", 1, 2, "better"),
        AliasMove("flights", "champion", first.moved_at, "ada", None, 1, "the first"),
    )
    assert catalog.moves("flights") == history
    assert catalog.moves("flights", "champion") == history
    assert catalog.moves("flights", "challenger") == ()


def test_an_alias_cannot_look_like_a_version(catalog: Catalog, register: Register) -> None:
    """Digits alone would be read as a version number."""
    register()
    with pytest.raises(InvalidName, match="alias name '2'"):
        catalog.set_alias("flights", "2", 1)


def test_aliases_point_to_versions_that_exist(catalog: Catalog, register: Register) -> None:
    """An alias of nothing is refused, by name."""
    register()
    with pytest.raises(UnknownVersion, match="no version 2; known: 1;"):
        catalog.set_alias("flights", "champion", 2)
    with pytest.raises(UnknownModel, match="unknown model 'flight'; known: flights;"):
        catalog.set_alias("flight", "champion", 1)


def test_references_resolve(catalog: Catalog, register: Register) -> None:
    """An alias follows its version, a number is pinned."""
    first, second = register(digest=digest(1)), register(digest=digest(2))
    catalog.set_alias("flights", "champion", 1)
    assert catalog.resolve(ModelRef.parse("flights@champion")) == first
    catalog.set_alias("flights", "champion", 2)
    assert catalog.resolve(ModelRef.parse("flights@champion")) == second
    assert catalog.resolve(ModelRef.parse("flights@1")) == first


def test_unknown_references_list_the_known(catalog: Catalog, register: Register) -> None:
    """Model, version and alias each have their own error."""
    register()
    catalog.set_alias("flights", "champion", 1)
    with pytest.raises(UnknownModel, match="known: flights"):
        catalog.resolve(ModelRef.parse("planes@champion"))
    with pytest.raises(UnknownVersion, match="known: 1"):
        catalog.resolve(ModelRef.parse("flights@99999999999999999999"))
    with pytest.raises(UnknownAlias, match="known: champion"):
        catalog.resolve(ModelRef.parse("flights@live"))


def test_lists_of_an_unknown_model_are_errors(catalog: Catalog) -> None:
    """An empty list would hide a typing error."""
    for ask in (catalog.model, catalog.versions, catalog.aliases, catalog.moves):
        with pytest.raises(UnknownModel, match="there is none yet"):
            ask("flights")


def test_the_clock_is_utc() -> None:
    """Times are kept with their zone."""
    assert utc_now().utcoffset() == Clock()().utcoffset()
