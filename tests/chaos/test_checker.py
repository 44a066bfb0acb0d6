"""Check that the checker finds each kind of damage: one that cannot fail proves nothing."""

import io
import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import boto3
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from flows.shards.object_store import open_store
from flows.shards.settings import S3Settings
from tests.chaos.checker import Expected, Verdict, inspect
from tests.chaos.objects import Found, read_bucket, read_folder
from tests.flows.shards.jobs import Job, dataset_at, write_lake
from tests.servers.s3 import S3Endpoint

FILES = {"month=1/a.parquet": 120, "month=2/a.parquet": 0, "month=3/a.parquet": 130}
IDS = range(250)
CLEAN = Verdict("published", frozenset(range(4)), 0, 0, 0, (), (), ())
"""Shards: rows 0 to 100 and 100 to 120 of one file, 0 to 100 and 100 to 130 of the other; every
tenth row is in the quarantine."""


class Output(dict[str, Found]):
    """A published output, to be damaged."""

    def part(self, shard: int) -> str:
        """Name a shard's part."""
        return next(key for key in self if key.startswith(f"part-{shard:05}"))

    def quarantine(self, shard: int) -> str:
        """Name a shard's quarantine object."""
        return next(key for key in self if key.startswith(f"_quarantine/part-{shard:05}"))

    def write(self, key: str, data: bytes) -> None:
        """Put other bytes in place, under the old identity if there is one."""
        self[key] = Found(data, self[key].etag if key in self else "")

    def rewrite(self, key: str, change: Callable[[pa.Table], pa.Table], **footer: Any) -> None:
        """Write other rows, or another footer, into a Parquet object that is whole."""
        with pq.ParquetFile(io.BytesIO(self[key].data)) as file:
            table, metadata = change(file.read()), dict(file.metadata.metadata)
        told = json.loads(metadata.get(b"nightshift.part", b"{}"))
        sink = io.BytesIO()
        with pq.ParquetWriter(sink, table.schema.remove_metadata()) as writer:
            writer.write_table(table.replace_schema_metadata())
            writer.add_key_value_metadata({"nightshift.part": json.dumps(told | footer)})
        self.write(key, sink.getvalue())

    def tell(self, change: Callable[[dict[str, Any]], object]) -> None:
        """Change what the manifest says."""
        manifest = json.loads(self["_manifest.json"].data)
        change(manifest)
        self.write("_manifest.json", json.dumps(manifest).encode())


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> Output:
    """What the platform writes."""
    folder = tmp_path_factory.mktemp("published")
    lake = write_lake(folder / "lake", FILES)
    store = open_store(str(folder / "scores"), S3Settings())
    Job(dataset_at(lake), store, folder / "scratch").run()
    return Output(read_folder(folder / "scores"))


@pytest.fixture(scope="module")
def expected() -> Expected:
    """What it must be, without its help."""
    scored = [i for i in IDS if i % 10]
    bad = [i for i in IDS if i % 10 == 0]
    return Expected(
        scored=pa.table({"id": scored, "score": [float(i) for i in scored]}),
        quarantined=pa.table(
            {
                "id": bad,
                "delay": pa.nulls(len(bad), pa.float64()),
                "tail": [f"N{i}" for i in bad],
                "month": [1 if i < 120 else 3 for i in bad],
            }
        ),
        files=FILES,
    )


def test_a_sound_output_is_clean(published: Output, expected: Expected) -> None:
    """Rows, footers, manifest and marker agree."""
    assert inspect(published, expected) == CLEAN


def without(output: Output, *keys: str) -> None:
    for key in keys:
        del output[key]


def value(table: pa.Table) -> pa.Table:
    """Change one score by one bit."""
    scores = table["score"].to_pylist()
    scores[7] = float.fromhex("0x1.0000000000001p3")
    return table.set_column(1, "score", pa.array(scores))


def flipped(data: bytes, at: int) -> bytes:
    return data[:at] + bytes([data[at] ^ 0x10]) + data[at + 1 :]


@dataclass(frozen=True, slots=True)
class Damage:
    """One way in which an output can be wrong."""

    do: Callable[[Output], object]
    """Does it."""
    finds: str
    """What the checker must say."""
    lost: int = 0
    duplicated: int = 0
    wrong: int = 0


DAMAGES = {
    "a part is gone": Damage(
        lambda o: without(o, o.part(1), o.quarantine(1)), "is listed and not there", lost=20
    ),
    "a part is cut short": Damage(
        lambda o: o.write(o.part(1), o[o.part(1)].data[:-100]), "is no whole part", lost=20
    ),
    "a part is empty": Damage(lambda o: o.write(o.part(1), b""), "is no whole part", lost=20),
    "a bit flipped": Damage(
        lambda o: o.write(o.part(1), flipped(o[o.part(1)].data, 60)), "is no whole part", lost=20
    ),
    "a row is gone": Damage(
        lambda o: o.rewrite(o.part(0), lambda t: t.slice(1)), "holds 89 rows", lost=1
    ),
    "a row is there twice": Damage(
        lambda o: o.rewrite(o.part(0), lambda t: pa.concat_tables([t, t.slice(5, 1)])),
        "holds 91 rows",
        duplicated=1,
    ),
    "one row stands for another": Damage(
        lambda o: o.rewrite(o.part(0), lambda t: pa.concat_tables([t.slice(1), t.slice(5, 1)])),
        "",
        lost=1,
        duplicated=1,
    ),
    "a score is another": Damage(lambda o: o.rewrite(o.part(0), value), "", wrong=1),
    "scores have another type": Damage(
        lambda o: o.rewrite(
            o.part(1), lambda t: t.set_column(1, "score", t["score"].cast("int64"))
        ),
        "",
        wrong=18,
    ),
    "a column is gone": Damage(
        lambda o: o.rewrite(o.part(1), lambda t: t.select(["id"])), "", wrong=18
    ),
    "a row that nobody asked for": Damage(
        lambda o: o.rewrite(
            o.part(1),
            lambda t: pa.concat_tables([t, pa.table({"id": [999], "score": [1.0]})]),
        ),
        "holds 19 rows",
        wrong=1,
    ),
    "a part of another shard": Damage(
        lambda o: o.write(o.part(0), o[o.part(2)].data),
        "shard 2 has 2 parts",
        lost=100,
        duplicated=100,
    ),
    "a part that nobody listed": Damage(
        lambda o: o.write("part-00009-0123456789ab.parquet", o[o.part(1)].data),
        "is visible, not listed",
    ),
    "a file that readers see": Damage(
        lambda o: o.write("report.html", b"hello"), "report.html is visible, not listed"
    ),
    "a part is listed twice": Damage(
        lambda o: o.tell(lambda m: m["parts"].append(m["parts"][0])), "is listed 2 times"
    ),
    "a part is not listed": Damage(
        lambda o: o.tell(lambda m: m["parts"].pop()), "is visible, not listed", lost=30
    ),
    "sums are wrong": Damage(
        lambda o: o.tell(lambda m: m.update(rows_ok=224)), "counts 224 rows_ok, its parts 225"
    ),
    "an entry is wrong": Damage(
        lambda o: o.tell(lambda m: m["parts"][1].update(source_etag="x")),
        "source_etag of part-00001",
    ),
    "the manifest is no JSON": Damage(
        lambda o: o.write("_manifest.json", b"{"), "_manifest.json cannot be read"
    ),
    "the manifest is gone": Damage(
        lambda o: without(o, "_manifest.json"), "_SUCCESS without _manifest.json"
    ),
    "the marker names another job": Damage(
        lambda o: o.write("_SUCCESS", b"0123\n"), "_SUCCESS names another job"
    ),
    "a footer counts wrong": Damage(
        lambda o: o.rewrite(o.part(0), lambda t: t, rows_ok=91, rows_quarantined=9),
        "holds 90 rows, its footer 91",
    ),
    "a footer does not add up": Damage(
        lambda o: o.rewrite(o.part(0), lambda t: t, rows_in=101), "does not account for its rows"
    ),
    "a footer is gone": Damage(
        lambda o: o.write(o.part(1), o[o.quarantine(1)].data), "is no whole part", lost=20
    ),
    "parts overlap": Damage(
        lambda o: o.rewrite(o.part(1), lambda t: t, row_start=90), "rows 100 to 90"
    ),
    "parts end early": Damage(
        lambda o: o.rewrite(o.part(1), lambda t: t, row_start=101), "the parts end at row 121"
    ),
    "a part of another job": Damage(
        lambda o: o.rewrite(o.part(1), lambda t: t, fingerprint="0" * 64),
        "parts of more than one fingerprint",
    ),
    "quarantined rows are gone": Damage(
        lambda o: without(o, o.quarantine(0)), "which is not there", lost=10
    ),
    "a quarantined row is gone": Damage(
        lambda o: o.rewrite(o.quarantine(0), lambda t: t.slice(1)), "holds 9 rows", lost=1
    ),
    "a quarantined row is another": Damage(
        lambda o: o.rewrite(
            o.quarantine(1), lambda t: t.set_column(2, "tail", pa.array(["N100", "N0"]))
        ),
        "",
        wrong=1,
    ),
    "a quarantined row was scored as well": Damage(
        lambda o: o.rewrite(
            o.part(1),
            lambda t: pa.concat_tables([t.slice(1), pa.table({"id": [110], "score": [110.0]})]),
        ),
        "",
        lost=1,
        duplicated=1,
        wrong=1,
    ),
    "the quarantine cannot be read": Damage(
        lambda o: o.write(o.quarantine(1), b"PAR1"), "cannot be read", lost=2
    ),
}


@pytest.mark.parametrize("name", DAMAGES)
def test_damage_is_found(published: Output, expected: Expected, name: str) -> None:
    """Each kind alone, with the rows that it concerns."""
    damage, output = DAMAGES[name], Output(published)
    damage.do(output)
    verdict = inspect(output, expected)
    assert not verdict.is_clean
    assert damage.finds in "; ".join(verdict.damage), verdict
    counts = (verdict.lost, verdict.duplicated, verdict.wrong)
    assert counts == (damage.lost, damage.duplicated, damage.wrong)


def test_another_copy_of_a_part_is_told_apart(published: Output, expected: Expected) -> None:
    """The same rows from another attempt: no damage, and never passed over."""
    output = Output(published)
    output.rewrite(output.part(1), lambda table: table, write_id="another")
    assert inspect(output, expected) == replace(CLEAN, stale=(output.part(1),))


@pytest.mark.parametrize(
    "left",
    ["_job-0123456789ab.json", "_probe-01", ".nightshift-scratch/01/02", "_quarantine/part-9"],
)
def test_leftovers_are_told(published: Output, expected: Expected, left: str) -> None:
    """What counts for nothing is no damage, and is named."""
    output = Output(published)
    output.write(left, b"{}")
    assert inspect(output, expected) == replace(CLEAN, leftovers=(left,))


def test_each_state_of_a_publication(published: Output, expected: Expected) -> None:
    """Nothing, some parts, all with the manifest, the marker: rows are lost only at the end."""
    output = Output(published)
    del output["_SUCCESS"]
    assert inspect(output, expected) == replace(CLEAN, state="manifest")
    without(output, "_manifest.json", output.part(3), output.quarantine(3))
    some = replace(CLEAN, state="parts", shards=frozenset({0, 1, 2}))
    assert inspect(output, expected) == some
    assert inspect({}, expected) == replace(CLEAN, state="nothing", shards=frozenset())


def test_an_unpublished_part_is_looked_at_as_well(published: Output, expected: Expected) -> None:
    """A partial object is damage before anything is published."""
    output = Output(published)
    without(output, "_manifest.json", "_SUCCESS", output.part(3), output.quarantine(3))
    output.rewrite(output.part(0), value)
    output.write(output.part(2), output[output.part(2)].data[:50])
    verdict = inspect(output, expected)
    assert (verdict.wrong, len(verdict.damage)) == (1, 1)


def test_a_bucket_is_read_whole(s3_endpoint: S3Endpoint, tmp_path: Path) -> None:
    """Objects below a prefix with their bytes and identity, as in a folder."""
    credentials = {
        "aws_access_key_id": s3_endpoint.access_key,
        "aws_secret_access_key": s3_endpoint.secret_key,
        "region_name": s3_endpoint.region,
    }
    client = boto3.client("s3", endpoint_url=s3_endpoint.url, **credentials)
    for key, data in (("scores/a/b", b"1"), ("scores/c", b"22"), ("other", b"3")):
        client.put_object(Bucket=s3_endpoint.bucket, Key=key, Body=data)
        path = tmp_path / key
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    client.close()
    bucket = read_bucket(s3_endpoint.url, s3_endpoint.bucket, "scores/", **credentials)
    folder = read_folder(tmp_path / "scores")
    assert {key: found.data for key, found in bucket.items()} == {"a/b": b"1", "c": b"22"}
    assert {key: found.data for key, found in folder.items()} == {"a/b": b"1", "c": b"22"}
