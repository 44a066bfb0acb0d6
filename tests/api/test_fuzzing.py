"""Schemathesis asks every operation everything that its description allows, and what it forbids."""

import hashlib
import json
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from string import Template

import httpx
import pytest

from api.v2.kinds import POOL_AWAY, POOL_BUSY
from api.v2.metadata import NOT_READY
from api.v2.repository import LOAD_FAILED
from cli.stack.prefect_server import LocalPrefect
from cli.stack.process import LOOPBACK, GuardedProcess, free_ports
from tests.api import churn, tokens
from tests.api.asked import Asked, read
from tests.chaos.seeds import Chaos
from tests.conftest import ROOT, TritonFactory

CONFIG = Path(__file__).with_name("schemathesis.toml")
LONG_S = 600
SAMPLES = (
    ("models", "health"),
    ("aliases", "placements"),
    ("routing",),
    ("pools", "health"),
    ("servers",),
    ("jobs",),
)
"""Tags of which the sample asks one row; links lead from one operation of a row to another."""
CHECKS = (
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_schema_conformance",
    "use_after_free",
    "unsupported_method",
)
"""Not `ensure_resource_availability`: a create that is repeated under its key is answered as the
first time, also when what it created was deleted since."""
PHASES = ("examples", "coverage", "fuzzing", "stateful")
WAITING = {POOL_AWAY.type, POOL_BUSY.type}
"""Kinds of 503 that say when to ask again: no server has what was registered on the way."""
NOT_DONE = {"ready": NOT_READY.type, "load": LOAD_FAILED.type, "unload": LOAD_FAILED.type}
"""Kinds of 503 by the end of a path: what the protocol calls not ready, and what no server has."""
MODELS = ("churn", "fraud", "flights", "text", "prices")
"""The last one has no alias, so that it may be deleted."""


@pytest.mark.chaos
@pytest.mark.triton
@pytest.mark.timeout(LONG_S + 900)
def test_nothing_that_is_asked_is_a_fault(
    chaos: Chaos,
    postgres_url: str,
    triton_factory: TritonFactory,
    request: pytest.FixtureRequest,
    tmp_path: Path,
) -> None:
    """All phases on real servers: no answer is a fault, or differs from its shape.

    An answer of 503 is none where it tells of a model that no server has ready. The long form asks
    every operation for ten minutes; the sample asks some of them, a few times in each phase.
    """
    triton = triton_factory(churn.lay_out(tmp_path / "models"), models=[churn.SERVED])
    settings = {
        "NIGHTSHIFT_DATABASE_URL": postgres_url,
        "NIGHTSHIFT_STORES": json.dumps({"lake": {"prefixes": ["s3://lake/"]}}),
        "NIGHTSHIFT_TRITON_URLS": triton.grpc_url,
        "PREFECT_API_URL": f"http://{LOOPBACK}:9/api",
    }
    if chaos.scale is not None:
        prefect: LocalPrefect = request.getfixturevalue("prefect_api")
        settings |= prefect.client_environment()
    with _api(tmp_path, settings) as url:
        known = _registered(url, triton.grpc_url)
        turns, described = _share(chaos, url)
        asked = [each for turn in turns for each in _ask(url, turn, chaos, tmp_path, known)]
    assert [each for each in asked if each.status >= 500 and not _says_when(each)] == []
    phases = Counter(each.phase for each in asked)
    assert set(phases) == set(PHASES)
    assert described - {each.operation for each in asked} == set()
    chaos.tell(_told(asked, phases, described))


def _says_when(asked: Asked) -> bool:
    """Say whether a refusal tells of a model that no server has ready."""
    kind = asked.problem["type"] if asked.problem else None
    if asked.status != 503:
        return False
    if kind in WAITING:
        return int(asked.headers["retry-after"]) >= 1
    return kind == NOT_DONE.get(asked.operation.rpartition("/")[2])


def _told(asked: list[Asked], phases: Counter[str], described: set[str]) -> str:
    well = {each.operation for each in asked if each.status < 300}
    tags = Counter(each.status for each in asked if "if-match" in each.sent_headers)
    return (
        f"{len(asked)} requests ({dict(phases)}), {len(described)} operations, "
        f"{len(well & described)} of them with success; "
        f"{sum(each.status >= 500 for each in asked)} × 503 of models that no server had; "
        f"with If-Match {dict(sorted(tags.items()))}; without success: {sorted(described - well)}"
    )


@contextmanager
def _api(folder: Path, settings: dict[str, str]) -> Iterator[str]:
    """Run the API as a process; give its address."""
    (port,) = free_ports(1)
    environment = os.environ | {
        "NIGHTSHIFT_API_PORT": str(port),
        "NIGHTSHIFT_API_DRAIN_NOTICE_S": "0",
        "NIGHTSHIFT_DATA_DIR": str(folder),
        "NIGHTSHIFT_ENVIRONMENT": "production",
        "NIGHTSHIFT_JWT_SECRET": tokens.SECRET,
        "NIGHTSHIFT_QUOTA_SUBJECT": "none",
        "NIGHTSHIFT_QUOTA_ADDRESS": "none",
        "PYTHONPATH": str(ROOT),
        **settings,
    }
    command: list[str | Path] = [sys.executable, "-m", "cli.main", "serve"]
    process = GuardedProcess("the API", command, log=folder / "log", env=environment, grace_s=5)
    url = f"http://{LOOPBACK}:{port}"
    with process:
        process.await_ready(lambda: _is_ready(url), deadline_s=300)
        yield url


def _is_ready(url: str) -> bool:
    try:
        return httpx.get(f"{url}/health/ready", timeout=2).status_code == 200
    except httpx.TransportError:
        return False


def _share(chaos: Chaos, url: str) -> tuple[list[list[str]], set[str]]:
    """Return how Schemathesis is told what to ask, and the operations that it must have asked.

    What ends by itself does so; the phases that repeat have half of the time each.
    """
    paths = httpx.get(f"{url}/openapi.json", timeout=60).json()["paths"]
    tags = {
        f"{method.upper()} {path}": set(operation["tags"])
        for path, item in paths.items()
        for method, operation in item.items()
    }
    if chaos.scale is not None:
        longest = f"--max-time={chaos.count(LONG_S // 2, sample=0)}"
        repeating = [[f"--phases={phase}", longest] for phase in PHASES[2:]]
        return [[f"--phases={','.join(PHASES[:2])}"], *repeating], set(tags)
    chosen = chaos.random().choice(SAMPLES)
    told = [f"--phases={','.join(PHASES)}", "--max-examples=2"]
    told += [f"--include-tag={tag}" for tag in chosen]
    return [told], {operation for operation, its in tags.items() if its & set(chosen)}


def _registered(url: str, server: str) -> dict[str, str]:
    """Register models, versions, aliases and jobs; return what stands for `$…` in the settings.

    Every version is the one model that Triton has; its tags tell the versions apart.
    """
    with httpx.Client(base_url=url, headers=tokens.bearer(), timeout=60) as client:
        for model in MODELS:
            for number in range(1, 4):
                draft = {"served_name": churn.SERVED, "signature": churn.SIGNATURE}
                draft |= {"digest": f"sha256:{number:064x}", "columns": {"X": ["a", "b", "c"]}}
                _create(client, f"/v1/models/{model}/versions", draft)
        for model in MODELS[:-1]:
            alias = f"/v1/models/{model}/aliases/champion"
            moved = client.put(alias, json={"version": 1}, headers={"If-None-Match": "*"})
            assert moved.status_code == 200, moved.text
        _create(client, "/v1/pools", {"name": "spare"})
        job = {"model": "churn@champion", "input": "s3://lake/in/"}
        jobs = [
            _create(client, "/v1/jobs", job | {"output": f"s3://lake/out-{each}/"})["id"]
            for each in "abc"
        ]
    names = ("A_JOB", "ANOTHER_JOB", "A_THIRD_JOB")
    servers = {"A_SERVER": server, "ANOTHER_SERVER": f"{LOOPBACK}:9"}
    return servers | dict(zip(names, jobs, strict=True))


def _create(client: httpx.Client, path: str, body: Mapping[str, object]) -> dict[str, str]:
    key = {"Idempotency-Key": hashlib.sha256(json.dumps(dict(body)).encode()).hexdigest()}
    answer = client.post(path, json=dict(body), headers=key)
    assert answer.status_code == 201, answer.text
    made: dict[str, str] = answer.json()
    return made


def _ask(
    url: str, turn: list[str], chaos: Chaos, folder: Path, known: dict[str, str]
) -> list[Asked]:
    """Run some phases; return what was asked.

    Whoever asks is another one than who registered, so that approvals count.
    """
    config, report = folder / CONFIG.name, folder / "asked.ndjson"
    config.write_text(Template(CONFIG.read_text()).substitute(known))
    command: list[str | Path] = [
        Path(sys.executable).with_name("schemathesis"),
        f"--config-file={config}",
        "run",
        f"{url}/openapi.json",
        f"--header=Authorization: {tokens.bearer(subject='asker')['Authorization']}",
        f"--checks={','.join(CHECKS)}",
        *turn,
        f"--seed={chaos.seed}",
        "--request-timeout=60",
        "--continue-on-failure",
        "--report=ndjson",
        f"--report-ndjson-path={report}",
        "--no-color",
    ]
    ended = subprocess.run(
        command,
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=LONG_S + 300,
        check=False,
    )
    assert ended.returncode == 0, ended.stdout
    return list(read(report))
