"""Check names, references and signatures."""

import pytest

from registry.domain import InvalidName, ModelRef, Signature, TensorSpec, check_alias, check_name


@pytest.mark.parametrize("name", ["a", "flights", "A.b_c-9", "x" * 128])
def test_names_that_are_safe_in_a_path_are_allowed(name: str) -> None:
    """Letters, digits, '_', '-' and '.' up to 128."""
    assert check_name(name, "model") == name


@pytest.mark.parametrize("name", ["", ".", "..", "a/b", "a b", "flights\n", "é", "x" * 129])
def test_other_names_are_refused(name: str) -> None:
    """A refusal says which kind of name it is and what is allowed."""
    with pytest.raises(InvalidName, match=r"^model name .* is not allowed: use 1 to 128 letters"):
        check_name(name, "model")


def test_a_model_is_not_called_what_a_route_is() -> None:
    """Its metadata could not be asked for; a pool or an alias may be called that."""
    with pytest.raises(InvalidName, match="model name 'stats' is not allowed: requests for stat"):
        check_name("stats", "model")
    assert [check_name("stats", "pool"), check_alias("stats")] == ["stats", "stats"]


def test_an_alias_is_not_a_number() -> None:
    """Digits alone would be read as a version."""
    assert check_alias("v2") == "v2"
    with pytest.raises(InvalidName, match="alias name '2' is not allowed: digits alone"):
        check_alias("2")


@pytest.mark.parametrize(
    ("text", "ref"),
    [
        ("flights@champion", ModelRef("flights", "champion", None)),
        ("flights@3", ModelRef("flights", None, 3)),
        ("flights@3b", ModelRef("flights", "3b", None)),
    ],
)
def test_references_are_read_and_written(text: str, ref: ModelRef) -> None:
    """What a person writes is what is shown to them."""
    assert ModelRef.parse(text) == ref
    assert str(ref) == text


@pytest.mark.parametrize("text", ["flights", "flights@", "@champion", "a@b@c", "a@٣"])
def test_other_references_are_refused(text: str) -> None:
    """A name without a version, or with an impossible one, is no reference."""
    with pytest.raises(InvalidName):
        ModelRef.parse(text)


def test_a_missing_version_is_explained_with_the_name_given() -> None:
    """The remedy can be copied."""
    with pytest.raises(InvalidName, match=r"for example planes@champion\) or NAME@VERSION"):
        ModelRef.parse("planes")


def test_tensors_are_found_by_name() -> None:
    """A signature gives its inputs and outputs by name, and each its row's shape."""
    taken = TensorSpec("a", "FP32", (-1, 2, 3))
    given = TensorSpec("b", "BYTES", (-1,))
    signature = Signature((taken,), (given,))
    assert signature.input("a") is taken
    assert signature.output("b") is given
    assert (taken.row_shape, given.row_shape) == ((2, 3), ())
    assert str(taken) == "a FP32[-1, 2, 3]"
    with pytest.raises(KeyError):
        signature.input("b")
