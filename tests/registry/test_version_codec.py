"""Check that versions survive JSON, and that nothing else is believed."""

import json
from datetime import UTC
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from registry.domain import ModelVersion, Signature, TensorSpec
from registry.version_codec import Malformed, decode_version, encode_version, read_json
from tests.contracts.test_store import FIRST

texts = st.text(max_size=20)
specs = st.builds(TensorSpec, texts, texts, st.lists(st.integers(-1, 2**31)).map(tuple))
tensors = st.lists(specs, max_size=3).map(tuple)
versions = st.builds(
    ModelVersion,
    name=texts,
    version=st.integers(1),
    signature=st.builds(Signature, tensors, tensors, st.integers(0)),
    digest=texts,
    served_name=texts,
    served_version=texts,
    columns=st.dictionaries(texts, st.lists(texts).map(tuple), max_size=3),
    artifact=st.none() | texts,
    description=texts,
    created_at=st.none() | st.datetimes(timezones=st.just(UTC)),
    created_by=texts,
    tags=st.dictionaries(texts, texts, max_size=3),
)
anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=8,
)
places = st.sampled_from(sorted(encode_version(FIRST)))


@given(versions)
def test_a_version_survives(version: ModelVersion) -> None:
    """Every field comes back as it was."""
    written = json.dumps(encode_version(version)).encode()
    assert decode_version(read_json(written)) == version


@given(places, anything)
def test_a_field_is_of_its_type_or_refused(place: str, value: Any) -> None:
    """Whatever stands in a field's place is either a version's or nonsense, never another error."""
    said = encode_version(FIRST) | {place: value}
    try:
        found = decode_version(json.loads(json.dumps(said)))
    except Malformed:
        return
    assert json.loads(json.dumps(encode_version(found)))[place] == value


@pytest.mark.parametrize("place", sorted(set(encode_version(FIRST)) - {"created_at"}))
def test_a_missing_field_is_refused(place: str) -> None:
    """A version with a hole is none."""
    said = json.loads(json.dumps(encode_version(FIRST)))
    del said[place]
    with pytest.raises(Malformed, match=place):
        decode_version(said)


@given(st.binary(max_size=50))
def test_bytes_are_an_object_or_refused(value: bytes) -> None:
    """Nothing but a JSON object is read."""
    try:
        found = read_json(value)
    except Malformed:
        return
    assert isinstance(found, dict)
