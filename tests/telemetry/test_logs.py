"""Logs: one JSON object a line, whatever is logged."""

import json
import logging
from datetime import datetime
from pathlib import Path

import pytest

from telemetry.logs import JsonLine, logged_to, logger, noted, tell

log = logging.getLogger("tests.telemetry")


def lines(file: Path) -> list[dict[str, object]]:
    """Read the file; its time is checked and left out."""
    found = [json.loads(line) for line in file.read_text().splitlines()]
    assert all(datetime.fromisoformat(line.pop("time")).tzinfo for line in found)
    return found


def test_each_record_is_a_line(tmp_path: Path) -> None:
    """With its fields as members, except where they would hide what every line has."""
    file = tmp_path / "logs" / "api.jsonl"
    with logged_to(file):
        log.info("%d rows\nof %s", 3, "\x00 é")
        log.warning("lost", extra={"fields": {"path": Path("x"), "level": "mine"}})
        log.debug("not written")
    assert lines(file) == [
        {"level": "info", "logger": log.name, "message": "3 rows\nof \x00 é"},
        {"level": "warning", "logger": log.name, "message": "lost", "path": "x"},
    ]


def test_half_a_character_can_be_written() -> None:
    """A name that is not UTF-8 on disk reaches a message as a lone surrogate."""
    record = logging.LogRecord("x", logging.INFO, __file__, 1, "of %s", ("\ud800",), None)
    written = JsonLine().format(record)
    assert written.encode("utf-8")
    assert json.loads(written)["message"] == "of \ud800"


def test_a_traceback_is_a_member(tmp_path: Path) -> None:
    """The line stays one line."""
    file = tmp_path / "api.jsonl"
    with logged_to(file):
        try:
            raise ZeroDivisionError("why")
        except ZeroDivisionError:
            log.exception("odd")
    (line,) = lines(file)
    assert (line["level"], line["message"]) == ("error", "odd")
    assert str(line["error"]).endswith("ZeroDivisionError: why")


def test_the_process_is_left_as_it_was(tmp_path: Path) -> None:
    """A second block appends; outside of both nothing is written."""
    root = logging.getLogger()
    before = (root.level, list(root.handlers))
    file = tmp_path / "api.jsonl"
    for number in (1, 2):
        with logged_to(file):
            log.info("in %d", number)
        assert (root.level, list(root.handlers)) == before
        log.warning("out")
    assert [line["message"] for line in lines(file)] == ["in 1", "in 2"]


def test_a_log_that_cannot_be_written_is_an_error(tmp_path: Path) -> None:
    """Told before the process does anything."""
    (tmp_path / "logs").touch()
    with pytest.raises(OSError, match="logs"), logged_to(tmp_path / "logs" / "api.jsonl"):
        pass


def test_values_that_json_does_not_know_are_text() -> None:
    """A log line never fails."""
    record = logging.LogRecord("a", logging.INFO, "", 0, "x", (), None)
    record.fields = {"set": {1}, 2: object}
    line = json.loads(JsonLine().format(record))
    assert (line["set"], line["2"]) == ("{1}", "<class 'object'>")


def test_fields_and_notes_are_members(tmp_path: Path) -> None:
    """What a block notes is on each line in it, the library's too; secrets are masked."""
    file = tmp_path / "api.jsonl"
    told = logger("tests.telemetry.told")
    with logged_to(file):
        with noted(request_id="r1"), noted(trace_id="t1"):
            told.warning("50% of %s lost", rows=3, token="eyJabc", nested={"password": "x"})
            log.info("plain")
        told.info("after", url="redis://u:pw@h/0")
    assert lines(file) == [
        {
            "level": "warning",
            "logger": "tests.telemetry.told",
            "message": "50% of %s lost",
            "request_id": "r1",
            "trace_id": "t1",
            "rows": 3,
            "token": "[secret]",
            "nested": {"password": "[secret]"},
        },
        {
            "level": "info",
            "logger": log.name,
            "message": "plain",
            "request_id": "r1",
            "trace_id": "t1",
        },
        {
            "level": "info",
            "logger": "tests.telemetry.told",
            "message": "after",
            "url": "redis://[secret]@h/0",
        },
    ]


def test_an_exception_is_told_by_the_logger_as_well(tmp_path: Path) -> None:
    """With its traceback, on one line."""
    file = tmp_path / "api.jsonl"
    with logged_to(file):
        try:
            raise ZeroDivisionError("why")
        except ZeroDivisionError:
            logger("tests.telemetry.told").exception("odd", rows=1)
    (line,) = lines(file)
    assert (line["level"], line["rows"]) == ("error", 1)
    assert str(line["error"]).endswith("ZeroDivisionError: why")


def test_one_logger_has_a_file_of_its_own(tmp_path: Path) -> None:
    """What it says is nowhere else, so that it cannot push out the rest."""
    with logged_to(tmp_path / "all.jsonl"), logged_to(tmp_path / "own.jsonl", of="tests.own"):
        logger("tests.own").info("mine")
        log.info("ours")
    assert [line["message"] for line in lines(tmp_path / "own.jsonl")] == ["mine"]
    assert [line["message"] for line in lines(tmp_path / "all.jsonl")] == ["ours"]


def test_a_full_file_is_followed_by_another(tmp_path: Path) -> None:
    """Nothing is lost, and the file that is written to stays small."""
    file = tmp_path / "api.jsonl"
    with logged_to(file):
        for _ in range(11):
            log.info("x" * (1 << 20))
    assert file.stat().st_size < 2 << 20
    assert (tmp_path / "api.jsonl.1").stat().st_size > 10 << 20


def test_what_happens_at_every_request_is_told_alike(tmp_path: Path) -> None:
    """With what the block notes, without secrets, and only where somebody listens."""
    file = tmp_path / "access.jsonl"
    source = logging.getLogger("tests.telemetry.access")
    with logged_to(file, of=source.name), noted(request_id="r1"):
        tell(source, "answered", {"status": 200, "path": "/eyJhbGciOiJIUzI1NiJ9.x", "client": None})
    tell(source, "not written", {})
    assert lines(file) == [
        {
            "level": "info",
            "logger": source.name,
            "message": "answered",
            "request_id": "r1",
            "status": 200,
            "path": "/[secret]",
            "client": None,
        }
    ]
