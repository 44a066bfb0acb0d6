"""Open what a scoring process works with: registry, pool, buffers. Its composition root."""

import gc
from collections.abc import AsyncIterator, Callable
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime

import pyarrow as pa

from flows.settings import ScoringSettings
from flows.shards.settings import S3Settings, ShardSettings
from inference.pool import Pool
from inference.settings import InferenceSettings
from inference.shared_memory import BufferPool
from inference.triton import TritonServer
from registry.catalog import Catalog
from registry.job_book import Jobs
from registry.settings import RegistrySettings
from registry.store import open_store


@dataclass(frozen=True, slots=True)
class Runtime:
    """What every job of the process uses."""

    catalog: Catalog
    """The registry."""
    jobs: Jobs
    """Its jobs: where the run of one that was submitted tells how it goes."""
    pool: Pool
    """The Triton servers."""
    buffers: BufferPool
    """Memory for inputs, shared with servers on this host."""
    readers: Executor
    """Threads that decode. They are few, and the same throughout: an allocator keeps memory by
    thread, so a shard that is decoded by one thread after another touches several times as much."""
    scoring: ScoringSettings
    """How much is done at a time."""
    files: ShardSettings
    """How files are read and written."""
    s3: S3Settings
    """How S3 is reached."""
    utc_now: Callable[[], datetime]
    """The time, for records."""


@asynccontextmanager
async def open_runtime() -> AsyncIterator[Runtime]:
    """Open everything from the environment's settings for the length of the block.

    Raises `ValidationError` for a setting that is not valid, `RegistryUnavailable`.
    """
    _choose_allocator()
    store = open_store(RegistrySettings())
    inference, scoring = InferenceSettings(), ScoringSettings()
    readers = ThreadPoolExecutor(scoring.shards_in_flight, thread_name_prefix="read")
    try:
        servers = [TritonServer(url, settings=inference) for url in inference.triton_urls]
        async with uncollected(), Pool(servers, inference) as pool:
            pool.give_way()
            buffers = BufferPool(servers, enabled=inference.shared_memory)
            try:
                await buffers.open()
                yield Runtime(
                    catalog=Catalog(store),
                    jobs=Jobs(store),
                    pool=pool,
                    buffers=buffers,
                    readers=readers,
                    scoring=scoring,
                    files=ShardSettings(),
                    s3=S3Settings(),
                    utc_now=lambda: datetime.now(UTC),
                )
            finally:
                await buffers.close()
    finally:
        readers.shutdown()
        store.close()


@asynccontextmanager
async def uncollected() -> AsyncIterator[None]:
    """Have the garbage collector pass over what is there already for the length of the block.

    That is Prefect, pydantic and all else that was imported: two hundred thousand objects, which
    hold up everything for 0.15 s each time that they are looked through.
    """
    before = gc.get_freeze_count()
    gc.freeze()
    try:
        yield
    finally:
        if not before:  # else somebody keeps more than we did
            gc.unfreeze()


def _choose_allocator() -> None:
    """Have Arrow allocate from jemalloc where its wheel has it.

    Decoding allocates and frees a few large blocks over and over. The default, mimalloc, gives
    them back to the kernel in between: scoring 2 million wide rows cost twice the system time and
    a fifth more memory with it.
    """
    if "jemalloc" in pa.supported_memory_backends():
        pa.set_memory_pool(pa.jemalloc_memory_pool())
