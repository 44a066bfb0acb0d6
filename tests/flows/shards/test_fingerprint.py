"""A fingerprint is the same for the same job, differs for another, and says why."""

import itertools
import subprocess
import sys
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from flows.shards.fingerprint import Fingerprint, ModelIdentity, differences, fingerprint_of
from flows.shards.types import InputFile, RowGroup


def file(key: str = "a.parquet", etag: str = "e", size: int = 9, rows: int = 5) -> InputFile:
    """A pinned file of one row group."""
    return InputFile(key, etag, size, (RowGroup(rows, 1),), {})


def make(**changes: Any) -> Fingerprint:
    """A job's fingerprint with some components changed."""
    components: dict[str, Any] = {
        "input_uri": "s3://lake/flights",
        "files": [file("a.parquet"), file("b.parquet")],
        "model": ModelIdentity(name="flights", version=3, digest="sha256:1"),
        "mapping": {"inputs": {"x": ["distance"]}, "casts": []},
        "output_schema": [("id", "int64"), ("score", "float")],
    }
    return fingerprint_of(**{**components, **changes})


texts = st.text(max_size=8)
identities = st.builds(
    InputFile,
    key=texts,
    etag=texts,
    size=st.integers(0, 99),
    row_groups=st.lists(st.builds(RowGroup, st.integers(0, 9), st.integers(0, 9)), max_size=3).map(
        tuple
    ),
    partitions=st.just({}),
)
fingerprints = st.builds(
    fingerprint_of,
    input_uri=texts,
    files=st.lists(identities, max_size=3, unique_by=lambda found: found.key),
    model=st.builds(ModelIdentity, name=texts, version=st.integers(1, 3), digest=texts),
    mapping=st.dictionaries(texts, st.lists(texts, max_size=2), max_size=3),
    output_schema=st.lists(st.tuples(texts, texts), max_size=3, unique_by=lambda pair: pair[0]),
)


@given(fingerprints, fingerprints)
def test_digest_tells_jobs_apart(one: Fingerprint, other: Fingerprint) -> None:
    """Two digests are equal exactly when every component is, and then nothing differs."""
    assert (one.digest == other.digest) == (one == other) == (differences(one, other) == [])


@given(fingerprints)
def test_survives_json(one: Fingerprint) -> None:
    """A fingerprint read back from a manifest is the same."""
    again = Fingerprint.model_validate_json(one.model_dump_json())
    assert (again, again.digest) == (one, one.digest)


@given(st.permutations([file("a"), file("b"), file("c", rows=7)]))
def test_order_of_files_does_not_matter(files: list[InputFile]) -> None:
    """Stores may list files in any order."""
    assert make(files=files).digest == make(files=sorted(files, key=lambda f: f.key)).digest


def test_same_digest_in_another_process() -> None:
    """Nothing in the digest depends on the process, such as its hash seed."""
    code = "from tests.flows.shards.test_fingerprint import make; print(make().digest)"
    answer = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert answer.stdout.strip() == make().digest
    assert make().short == make().digest[:12]


def test_uncompressed_sizes_do_not_count() -> None:
    """Which columns are read changes the bytes of a row group and not what it holds."""
    wide = InputFile("a.parquet", "e", 9, (RowGroup(5, 999),), {})
    assert make(files=[file()]).digest == make(files=[wide]).digest


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({}, []),
        ({"input_uri": "s3://lake/x"}, ["input s3://lake/flights → s3://lake/x"]),
        ({"files": [file("a.parquet")]}, ["input file removed: b.parquet"]),
        (
            {"files": [file("a.parquet", etag="f"), file("b.parquet"), file("c"), file("d")]},
            ["2 input files added: c, d", "input file changed: a.parquet"],
        ),
        (
            {"files": [file(f"{name}.parquet") for name in "abcdefg"]},
            ["5 input files added: c.parquet, d.parquet, e.parquet, …"],
        ),
        (
            {"model": ModelIdentity(name="flights", version=4, digest="sha256:2")},
            ["model flights@3 → flights@4"],
        ),
        (
            {"model": ModelIdentity(name="flights", version=3, digest="sha256:2")},
            ["digest of model flights@3 sha256:1 → sha256:2"],
        ),
        (
            {"mapping": {"inputs": {"x": ["distance"]}, "casts": ["lossy"], "keep": "all"}},
            ['mapping of casts: [] → ["lossy"]', 'mapping of keep: nothing → "all"'],
        ),
        (
            {"mapping": {str(index): index for index in range(5)}},
            [
                "mapping of 0: nothing → 0",
                "mapping of 1: nothing → 1",
                "mapping of 2: nothing → 2",
                "4 more differences of the mapping",
            ],
        ),
        (
            {"output_schema": [("id", "int32"), ("delay", "float")]},
            [
                "output column added: delay",
                "output column removed: score",
                "output column retyped: id (int64 → int32)",
            ],
        ),
        (
            {"output_schema": [("score", "float"), ("id", "int64")]},
            ["order of the output columns"],
        ),
    ],
)
def test_differences_in_words(changes: dict[str, Any], words: list[str]) -> None:
    """Each kind of difference is said in words, and none is missed."""
    assert differences(make(), make(**changes)) == words
    assert (make().digest == make(**changes).digest) == (words == [])


def test_any_two_changes_differ() -> None:
    """No two of these jobs share a digest."""
    jobs = [
        make(),
        make(input_uri="x"),
        make(files=[]),
        make(mapping={}),
        make(output_schema=[]),
        make(files=[file("a.parquet", rows=6), file("b.parquet")]),
    ]
    for one, other in itertools.combinations(jobs, 2):
        assert one.digest != other.digest


@given(fingerprints, fingerprints)
def test_a_job_over_another_has_names_of_its_own(one: Fingerprint, other: Fingerprint) -> None:
    """Over its own output a job is what it was; back over another's it never is."""
    assume(one != other)
    assert one.over(None) == one
    assert one.over(one) == one
    second = other.over(one)
    assert (second.replaced, second.over(second)) == (one.digest, second)
    back = one.over(second)
    seen = {each.short for each in (one, other, second, back, other.over(back))}
    assert len(seen) == 5
    assert one.over(back) == back
