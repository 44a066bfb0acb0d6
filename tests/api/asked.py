"""Read what Schemathesis has asked and what it was answered."""

import base64
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest


@dataclass(frozen=True, slots=True)
class Asked:
    """One request with its answer."""

    phase: str
    """`examples`, `coverage`, `fuzzing` or `stateful`."""
    operation: str
    """`METHOD path`, as the description has it; what is outside of it stands for itself."""
    status: int
    """The answer's."""
    headers: dict[str, str]
    """The answer's, by names in small letters."""
    problem: Any
    """The JSON of a refusal, None of another answer."""
    sent_headers: dict[str, str]
    """The request's, by names in small letters."""


def read(report: Path) -> Iterator[Asked]:
    """Go through a report in NDJSON, whose lines are events of Schemathesis."""
    with report.open() as lines:
        for line in lines:
            finished = json.loads(line).get("ScenarioFinished")
            if finished:
                yield from _of(finished)


def _of(finished: dict[str, Any]) -> Iterator[Asked]:
    recorder = finished["recorder"]
    for number, interaction in recorder.get("interactions", {}).items():
        answer = interaction.get("response")
        if answer is None:
            pytest.fail(f"no answer to {interaction['request']}")
        case = recorder["cases"][number]["value"]
        yield Asked(
            phase=finished["phase"],
            operation=f"{case['method']} {case['path']}",
            status=answer["status_code"],
            headers={name.lower(): values[0] for name, values in answer["headers"].items()},
            problem=_json(answer.get("content")) if answer["status_code"] >= 400 else None,
            sent_headers={
                name.lower(): values[0]
                for name, values in interaction["request"].get("headers", {}).items()
            },
        )


def _json(content: Any) -> Any:
    try:
        return json.loads(base64.b64decode(content["$base64"]))
    except (TypeError, ValueError):
        return None
