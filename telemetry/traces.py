"""Carry the W3C trace context from whoever asks to whoever is asked.

https://www.w3.org/TR/trace-context/. A trace that the caller began goes on; without one, or with
one that is malformed, a new one begins. Spans are recorded when the process has an OpenTelemetry
SDK; the identifiers are there without.
"""

import random
from collections.abc import Mapping

from opentelemetry import context, trace
from opentelemetry.trace import NonRecordingSpan, SpanContext
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

_PROPAGATOR = TraceContextTextMapPropagator()


class continued:  # noqa: N801  # used as the function that `contextmanager` would make, which is slower
    """Be part of the trace that `headers`, with names in lower case, tell of, or of a new one."""

    __slots__ = ("_span", "_token")

    def __init__(self, headers: Mapping[str, str]) -> None:
        self._span = _span(headers)

    def __enter__(self) -> SpanContext:
        self._token = context.attach(trace.set_span_in_context(self._span))
        return self._span.get_span_context()

    def __exit__(self, *_: object) -> None:
        context.detach(self._token)


def outgoing() -> dict[str, str]:
    """Return the headers that make whoever is asked part of the trace; none outside of one."""
    headers: dict[str, str] = {}
    _PROPAGATOR.inject(headers)
    return headers


def trace_id(span: SpanContext) -> str:
    """Return the name of the trace, 32 hexadecimal digits."""
    return trace.format_trace_id(span.trace_id)


def _span(headers: Mapping[str, str]) -> trace.Span:
    """Return the span of this process.

    1. An SDK has begun one around us: that.
    2. The caller's trace is valid: a span of our own in it, sampled if the caller's is.
    3. Else a span in a new trace, which nobody has asked to record.
    """
    current = trace.get_current_span()
    if current.get_span_context().is_valid:
        return current
    caller = _caller(headers)
    if caller is None:
        return NonRecordingSpan(SpanContext(_identifier(16), _identifier(8), is_remote=False))
    return NonRecordingSpan(
        SpanContext(
            caller.trace_id,
            _identifier(8),
            is_remote=False,
            trace_flags=caller.trace_flags,
            trace_state=caller.trace_state,
        )
    )


def _caller(headers: Mapping[str, str]) -> SpanContext | None:
    """Return the span that the caller tells of, if it is valid."""
    carrier = {name: headers[name] for name in _PROPAGATOR.fields if name in headers}
    if not carrier:
        return None
    found = trace.get_current_span(_PROPAGATOR.extract(carrier)).get_span_context()
    return found if found.is_valid else None


def _identifier(size: int) -> int:
    """Return a random number of `size` bytes; 0 means none in a trace context."""
    return random.getrandbits(8 * size) or 1
