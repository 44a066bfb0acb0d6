"""Score a dataset as one would write it down: read, ask, write, batch after batch.

Uses Triton's HTTP client, which is faster than its gRPC client for requests of this size.
`python -m benchmarks.cases.plain_loop DATASET OUTPUT HTTP_URL ROWS_PER_REQUEST`
"""

import json
import sys
import time
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from tritonclient.http import InferenceServerClient, InferInput


def main(dataset: Path, output: Path, url: str, rows_per_request: int) -> None:
    """Print rows and seconds as JSON."""
    output.mkdir(parents=True)
    client = InferenceServerClient(url.removeprefix("http://"))
    rows = 0
    start = time.perf_counter()
    for path in sorted(dataset.glob("*.parquet")):
        writer = None
        for batch in pq.ParquetFile(path).iter_batches(rows_per_request):
            features = batch.column("features").flatten().to_numpy().reshape(-1, 64)
            asked = InferInput("features", features.shape, "FP32")
            asked.set_data_from_numpy(features)
            scores = client.infer("wide", [asked]).as_numpy("score")
            scored = pa.table({"id": batch.column("id"), "score": np.ravel(scores)})
            if writer is None:
                writer = pq.ParquetWriter(output / path.name, scored.schema, compression="zstd")
            writer.write_table(scored)
            rows += len(scored)
        if writer is not None:
            writer.close()
    print(json.dumps({"rows": rows, "seconds": time.perf_counter() - start}))


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3], int(sys.argv[4]))
