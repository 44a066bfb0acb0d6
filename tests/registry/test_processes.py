"""Check that processes that write at once lose nothing."""

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier

from registry.catalog import Catalog
from registry.settings import RegistrySettings
from registry.store import open_store

PROCESSES = 4
ROUNDS = 5

WRITER = """
import sys
from registry.catalog import Catalog
from registry.domain import Signature, TensorSpec
from registry.settings import RegistrySettings
from registry.store import open_store

url, me, rounds = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
signature = Signature((TensorSpec("x", "FP32", (-1, 1)),), (TensorSpec("y", "FP32", (-1, 1)),))
print("ready", flush=True)
sys.stdin.readline()
catalog = Catalog(open_store(RegistrySettings(database_url=url)))
for turn in range(rounds):
    for digest in (me * rounds + turn + 1, 10**6 + turn):
        version = catalog.register(
            "flights",
            signature=signature,
            digest=f"sha256:{digest:064x}",
            served_name="flights",
            served_version="1",
            by=str(me),
        )
        catalog.set_alias("flights", "champion", version.version, by=str(me))
"""


def test_processes_register_and_move_without_loss(tmp_path: Path) -> None:
    """Four processes on a database that none has made yet.

    Every version of their own is there once, each shared one once for all, numbers have no gap,
    and the alias's history is one chain that ends where the alias points.
    """
    url = f"sqlite:///{tmp_path}/registry.db"
    writers = [
        subprocess.Popen(
            [sys.executable, "-c", WRITER, url, str(number), str(ROUNDS)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for number in range(PROCESSES)
    ]
    for writer in writers:
        assert writer.stdout is not None
        assert writer.stdout.readline() == "ready\n"
    for writer in writers:
        assert writer.stdin is not None
        writer.stdin.write("go\n")
        writer.stdin.flush()
    assert [writer.communicate(timeout=60)[1] for writer in writers] == [""] * PROCESSES

    store = open_store(RegistrySettings(database_url=url))
    catalog = Catalog(store)
    versions = catalog.versions("flights").items
    expected = PROCESSES * ROUNDS + ROUNDS
    assert [version.version for version in versions] == list(range(expected, 0, -1))
    assert len({version.digest for version in versions}) == expected
    moves = catalog.moves("flights", "champion")[::-1]
    assert [move.from_version for move in moves] == [None, *(m.to_version for m in moves[:-1])]
    (alias,) = catalog.aliases("flights").items
    assert alias.version == moves[-1].to_version
    store.close()


def test_a_new_database_is_opened_by_many_at_once(tmp_path: Path) -> None:
    """Who is second to switch its journal waits, where SQLite itself would give up at once."""
    for number in range(20):
        settings = RegistrySettings(database_url=f"sqlite:///{tmp_path}/{number}.db")
        together = Barrier(8)

        def opened(settings: RegistrySettings = settings, together: Barrier = together) -> int:
            together.wait()
            store = open_store(settings)
            try:
                return len(Catalog(store).models().items)
            finally:
                store.close()

        with ThreadPoolExecutor(8) as pool:
            found = [each.result() for each in [pool.submit(opened) for _ in range(8)]]
        assert found == [0] * 8
