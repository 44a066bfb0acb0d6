"""Print how the rate of one job grows with its workers, or what many shards cost Prefect."""

import argparse
import json
import tempfile
from dataclasses import asdict
from pathlib import Path

from benchmarks.machine import machine
from benchmarks.results import replace_file
from benchmarks.scale.measures import measure_health, measure_rate
from benchmarks.scale.site import open_site
from cli.settings import LocalSettings

RESULTS = Path(__file__).parents[1] / "results" / "scale.json"
"""Where the figures are kept."""


def main() -> None:
    """Measure what the command line asks for; keep it in `results/scale.json`."""
    asked = _arguments()
    found: dict[str, object] = {"machine": machine()}
    one_at_a_time = {"shards_in_flight": 1, "microbatches_in_flight": 1}
    spread = {"shards_in_flight": 4} if asked.shards else one_at_a_time
    with (
        tempfile.TemporaryDirectory() as folder,
        open_site(Path(folder), LocalSettings(), **spread) as site,
    ):
        if asked.shards:
            health = measure_health(site, shards=asked.shards, workers=2)
            found["health"] = asdict(health)
            print(json.dumps(asdict(health), indent=1))
        else:
            rates = []
            print("workers  scoring s  share  all at once s  share  coordinator s (may take)")
            for workers in asked.workers:
                shards = max(2, asked.seconds // 5)
                rate = measure_rate(site, workers, shards=shards, shard_s=5.0)
                rates.append({**asdict(rate), "share": rate.share})
                print(
                    f"{workers:7}  {rate.scoring_s:9.1f}  {rate.share:5.2f}  "
                    f"{rate.together_s:13.1f}  {rate.together_share:5.2f}  "
                    f"{rate.coordinator_s:6.1f} ({rate.coordinator_limit_s:.1f})",
                    flush=True,
                )
            found["rates"] = rates
    if asked.keep:
        before = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
        replace_file(RESULTS, json.dumps({**before, **found}, indent=1) + "\n")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make bench-scale")
    parser.add_argument("--workers", type=int, nargs="*", default=[1, 2, 4, 8])
    parser.add_argument("--seconds", type=int, default=180, help="of sleep for each worker")
    parser.add_argument("--shards", type=int, default=0, help="measure Prefect's health instead")
    parser.add_argument("--keep", action="store_true", help="write results/scale.json")
    return parser.parse_args()


if __name__ == "__main__":
    main()
