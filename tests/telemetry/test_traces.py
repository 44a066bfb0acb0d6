"""Traces: a valid one goes on, anything else begins a new one."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from telemetry import traces

TRACE = "0af7651916cd43dd8448eb211c80319c"
SPAN = "b7ad6b7169203331"
FORM = re.compile(r"00-([0-9a-f]{32})-([0-9a-f]{16})-0[01]")


@pytest.mark.parametrize("flags", ["00", "01"])
def test_a_valid_trace_goes_on(flags: str) -> None:
    """With the caller's id, state and sampling, and a span of our own."""
    headers = {"traceparent": f"00-{TRACE}-{SPAN}-{flags}", "tracestate": "a=1,b=2"}
    with traces.continued(headers) as span:
        passed_on = traces.outgoing()
    assert traces.trace_id(span) == TRACE
    assert passed_on["tracestate"] == "a=1,b=2"
    assert passed_on["traceparent"].startswith(f"00-{TRACE}-")
    assert passed_on["traceparent"].endswith(f"-{flags}")
    assert SPAN not in passed_on["traceparent"]
    assert traces.outgoing() == {}


@pytest.mark.parametrize(
    "sent",
    [
        {},
        {"traceparent": ""},
        {"traceparent": f"00-{'0' * 32}-{SPAN}-01"},
        {"traceparent": f"00-{TRACE}-{'0' * 16}-01"},
        {"traceparent": f"ff-{TRACE}-{SPAN}-01"},
        {"traceparent": f"00-{TRACE.upper()}-{SPAN}-01"},
        {"traceparent": f"00-{TRACE}-{SPAN}-01-extra"},
        {"traceparent": f"00-{TRACE[:-1]}-{SPAN}-01"},
        {"tracestate": "a=1"},
    ],
)
def test_anything_else_begins_a_new_trace(sent: dict[str, str]) -> None:
    """With ids that are random each time, and without the state of another trace."""
    found = set()
    for _ in range(2):
        with traces.continued(sent):
            passed_on = traces.outgoing()
        assert set(passed_on) == {"traceparent"}
        match = FORM.fullmatch(passed_on["traceparent"])
        assert match
        found.add(match[1])
    assert len(found) == 2
    assert TRACE not in found


@given(st.text(max_size=80), st.text(max_size=80))
def test_no_header_breaks_a_request(parent: str, state: str) -> None:
    """Whatever is sent, what is passed on is well formed."""
    with traces.continued({"traceparent": parent, "tracestate": state}):
        assert FORM.fullmatch(traces.outgoing()["traceparent"])
