"""Read an output from scratch to find whatever is wrong with it.

Shares no code with what writes outputs: it knows the layout, Parquet and JSON. `inspect` says what
the objects of an output hold, wherever `tests.chaos.objects` read them from.
"""

import io
import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from tests.chaos.objects import Found

MANIFEST, MARKER, REPORT = "_manifest.json", "_SUCCESS", "_report.html"
FOOTER_KEY = b"nightshift.part"
State = Literal["nothing", "parts", "manifest", "published"]
"""What a reader finds: no part, parts alone, parts with their manifest, the marker as well."""

_OF_THE_COPY = frozenset({"bytes", "etag", "write_id", "attempt", "written_at", "timings"})
"""What two attempts at a part may say differently."""


@dataclass(frozen=True, slots=True)
class Expected:
    """What a job's output must hold."""

    scored: pa.Table
    """Every row that gets a score, with every column of the parts; one column is `id`."""
    quarantined: pa.Table
    """Every row that must be set aside, as it is in the dataset; one column is `id`."""
    files: Mapping[str, int]
    """Rows of each input file, by its path below the dataset's root."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What an output holds."""

    state: State
    """How far its publication is."""
    shards: frozenset[int]
    """Those that have a part."""
    lost: int
    """Rows in neither a part nor the quarantine, once the manifest is there; 0 before."""
    duplicated: int
    """Rows too many: each is there more than once."""
    wrong: int
    """Rows with another value than they must have, or where they do not belong."""
    damage: tuple[str, ...]
    """Everything else that must never be, in words."""
    stale: tuple[str, ...]
    """Parts of which the manifest describes another copy: possible only on a store that ignores
    conditional writes."""
    leftovers: tuple[str, ...]
    """Objects that count for nothing: legal until the job has published."""

    @property
    def is_clean(self) -> bool:
        """Whether nothing is wrong; leftovers and stale descriptions are judged by the caller."""
        return not (self.lost or self.duplicated or self.wrong or self.damage)


def inspect(objects: Mapping[str, Found], expected: Expected) -> Verdict:
    """Say what an output holds; the caller judges whether that may be at this moment."""
    return _Inspection(objects, expected).verdict()


@dataclass(slots=True)
class _Inspection:
    objects: Mapping[str, Found]
    expected: Expected
    damage: list[str] = field(default_factory=list)
    stale: list[str] = field(default_factory=list)
    used: set[str] = field(default_factory=set)
    footers: dict[str, dict[str, Any]] = field(default_factory=dict)
    scored: list[pa.Table] = field(default_factory=list)
    quarantined: list[pa.Table] = field(default_factory=list)

    def verdict(self) -> Verdict:
        manifest = self._manifest()
        visible = {key for key in self.objects if _is_visible(key)}
        keys = visible if manifest is None else self._listed(manifest, visible)
        for key in sorted(keys):
            self._part(key)
        self._check_footers()
        if manifest is not None:
            self._check_manifest(manifest)
            self._check_coverage()
        lost, duplicated, wrong = self._count_rows(complete=manifest is not None)
        return Verdict(
            state=self._state(manifest),
            shards=frozenset(footer["shard"] for footer in self.footers.values()),
            lost=lost,
            duplicated=duplicated,
            wrong=wrong,
            damage=tuple(self.damage),
            stale=tuple(self.stale),
            leftovers=tuple(sorted(self.objects.keys() - self.used)),
        )

    def _state(self, manifest: Mapping[str, Any] | None) -> State:
        if manifest is None:
            return "parts" if self.footers else "nothing"
        return "published" if MARKER in self.objects else "manifest"

    def _manifest(self) -> dict[str, Any] | None:
        """Read the manifest, with the marker beside it."""
        self.used |= {MANIFEST, MARKER, REPORT} & self.objects.keys()
        marker = self.objects.get(MARKER)
        if MANIFEST not in self.objects:
            if marker is not None:
                self.damage.append(f"{MARKER} without {MANIFEST}")
            return None
        try:
            manifest: dict[str, Any] = json.loads(self.objects[MANIFEST].data)
        except ValueError as error:
            self.damage.append(f"{MANIFEST} cannot be read: {error}")
            return None
        if marker is not None and marker.data.decode().strip() != manifest["fingerprint"]:
            self.damage.append(f"{MARKER} names another job than {MANIFEST}")
        return manifest

    def _listed(self, manifest: Mapping[str, Any], visible: set[str]) -> set[str]:
        """Return the parts of the manifest that are there."""
        times = Counter(part["key"] for part in manifest["parts"])
        self.damage += [f"{key} is listed {n} times" for key, n in times.items() if n > 1]
        self.damage += [f"{key} is listed and not there" for key in sorted(times.keys() - visible)]
        self.damage += [f"{key} is visible, not listed" for key in sorted(visible - times.keys())]
        return times.keys() & visible

    def _part(self, key: str) -> None:
        """Read a part whole, with the quarantine object that it names."""
        self.used.add(key)
        try:
            rows, metadata = _read(self.objects[key].data)
            footer = json.loads(metadata[FOOTER_KEY])
        except (pa.ArrowException, OSError, ValueError, KeyError) as error:
            self.damage.append(f"{key} is no whole part: {error}")
            return
        self.footers[key] = footer
        self.scored.append(rows)
        if rows.num_rows != footer["rows_ok"]:
            self.damage.append(f"{key} holds {rows.num_rows} rows, its footer {footer['rows_ok']}")
        self._quarantine(key, footer)

    def _quarantine(self, key: str, footer: Mapping[str, Any]) -> None:
        name, count = footer["quarantine"], footer["rows_quarantined"]
        if name is None:
            if count:
                self.damage.append(f"{key} names no quarantine object for {count} rows")
            return
        if name not in self.objects:
            self.damage.append(f"{key} names {name}, which is not there")
            return
        self.used.add(name)
        try:
            rows, _ = _read(self.objects[name].data)
        except (pa.ArrowException, OSError) as error:
            self.damage.append(f"{name} cannot be read: {error}")
            return
        self.quarantined.append(rows)
        if rows.num_rows != count:
            self.damage.append(f"{name} holds {rows.num_rows} rows, {key} says {count}")

    def _check_footers(self) -> None:
        for key, footer in self.footers.items():
            if footer["rows_in"] != footer["rows_ok"] + footer["rows_quarantined"]:
                self.damage.append(f"{key} does not account for its rows")
            if sum(footer["reasons"].values()) != footer["rows_quarantined"]:
                self.damage.append(f"{key} does not give a reason for each quarantined row")
        for name in ("fingerprint", "model_digest"):
            if len({footer[name] for footer in self.footers.values()}) > 1:
                self.damage.append(f"parts of more than one {name}")
        shards = Counter(footer["shard"] for footer in self.footers.values())
        self.damage += [f"shard {shard} has {n} parts" for shard, n in shards.items() if n > 1]

    def _check_manifest(self, manifest: Mapping[str, Any]) -> None:
        """Compare each entry with the part's footer, and the sums."""
        for part in manifest["parts"]:
            footer = self.footers.get(part["key"])
            if footer is None:
                continue
            found = self.objects[part["key"]]
            told = {**footer, "bytes": len(found.data), "etag": found.etag}
            other = {name for name in part.keys() & told.keys() if part[name] != told[name]}
            if other & _OF_THE_COPY:
                self.stale.append(part["key"])
            for name in sorted(other - _OF_THE_COPY - {"quarantine"}):
                self.damage.append(f"{name} of {part['key']} is not what {MANIFEST} says")
            if footer["fingerprint"] != manifest["fingerprint"]:
                self.damage.append(f"{part['key']} is a part of another job")
        for name in ("rows_in", "rows_ok", "rows_quarantined"):
            total = sum(footer[name] for footer in self.footers.values())
            if manifest[name] != total:
                self.damage.append(f"{MANIFEST} counts {manifest[name]} {name}, its parts {total}")

    def _check_coverage(self) -> None:
        """The parts must cover each input file from its first row to its last, once."""
        ranges = defaultdict(list)
        for footer in self.footers.values():
            ranges[footer["source"]].append((footer["row_start"], footer["rows_in"]))
        for source in sorted(ranges.keys() | self.expected.files.keys()):
            stop = 0
            for start, rows in sorted(ranges[source]):
                if start != stop:
                    self.damage.append(f"{source}: rows {stop} to {start} have no one part")
                stop = start + rows
            if stop != self.expected.files.get(source):
                self.damage.append(f"{source}: the parts end at row {stop}")

    def _count_rows(self, *, complete: bool) -> tuple[int, int, int]:
        """Count rows lost, duplicated and wrong."""
        scored = _ids(self.scored)
        quarantined = _ids(self.quarantined)
        there, times = np.unique(np.concatenate([scored, quarantined]), return_counts=True)
        duplicated = int((times - 1).sum())
        wanted = np.concatenate([_ids([self.expected.scored]), _ids([self.expected.quarantined])])
        lost = len(np.setdiff1d(wanted, there)) if complete else 0
        wrong = sum(_differing(table, self.expected.scored) for table in self.scored)
        wrong += sum(_differing(table, self.expected.quarantined) for table in self.quarantined)
        return lost, duplicated, wrong


def _is_visible(key: str) -> bool:
    """Whether a reader of a folder of Parquet files takes the object for data."""
    return not any(step.startswith(("_", ".")) for step in key.split("/"))


def _read(data: bytes) -> tuple[pa.Table, dict[bytes, bytes]]:
    """Read every page, checksums included; origin columns of the quarantine are left out."""
    with pq.ParquetFile(io.BytesIO(data), page_checksum_verification=True) as file:
        table = file.read()
        names = [name for name in table.column_names if not name.startswith("_")]
        return table.select(names), dict(file.metadata.metadata or {})


def _ids(tables: Iterable[pa.Table]) -> np.ndarray[Any, np.dtype[np.int64]]:
    columns = [table["id"].to_numpy() for table in tables]
    return np.concatenate([np.empty(0, np.int64), *columns]).astype(np.int64)


def _differing(table: pa.Table, expected: pa.Table) -> int:
    """Count the rows that are not, value for value, the expected rows with their ids."""
    if set(table.column_names) != set(expected.column_names):
        return int(table.num_rows)
    ids, wanted = _ids([table]), _ids([expected])
    order = np.argsort(wanted)
    places = np.searchsorted(wanted[order], ids)
    known = places < len(wanted)
    known[known] = wanted[order][places[known]] == ids[known]
    same = np.ones(int(known.sum()), bool)
    rows, likes = table.filter(pa.array(known)), expected.take(pa.array(order[places[known]]))
    for name in table.column_names:
        same &= _equal(rows[name].to_pylist(), likes[name].to_pylist())
    return int(table.num_rows - same.sum())


def _equal(found: list[Any], wanted: list[Any]) -> np.ndarray[Any, np.dtype[np.bool_]]:
    """Compare values; NaN equals NaN, a number equals no number of another type."""
    pairs = zip(found, wanted, strict=True)
    return np.array(
        [type(a) is type(b) and (a == b or (a != a and b != b)) for a, b in pairs], dtype=bool
    )
