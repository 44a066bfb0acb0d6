"""Start processes that have imported what they need already."""

import multiprocessing

FORKS = multiprocessing.get_context("forkserver")
"""They are forked from one that has imported it all; without it the imports of sixteen processes
take longer than a short race. pyarrow imports pandas when it first converts something."""
FORKS.set_forkserver_preload(
    [
        "tests.chaos.committer",
        "tests.chaos.scorer",
        "flows.shards.object_store_local",
        "flows.shards.object_store_s3",
        "pandas",
    ]
)
