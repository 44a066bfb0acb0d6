"""Take the body of an inference request off the wire, put that of its answer onto it."""

from collections.abc import Sequence

from fastapi import Request, Response
from starlette.types import Receive, Scope, Send

from api.gateway.body_room import hold_more
from api.gateway.headers import field
from api.online.port import Description, OnlineAnswer
from api.v2 import headers
from api.v2.compression import compressed, decompressed, decompressed_bytes, wanted_coding
from api.v2.json_data import json_form
from api.v2.offload import Offload
from api.v2.raw_requests import read_raw_request
from api.v2.reading import check_binary, read_head, split
from api.v2.requests import InferenceRequest
from api.v2.writing import outputs_of, write_answer

LARGE_BYTES = 1 << 18
"""Bodies from this size on wait for their turn; smaller ones take less than what waiting does."""

_JSON = "application/json"
_BINARY = "application/octet-stream"
_WORTH_A_THREAD = 65_536
"""Bytes that are compressed, or walked through, in about a millisecond."""
_ONE_PIECE = 65_536
"""Up to so many bytes are copied together: cheaper than another write to the socket."""


def announced_bytes(request: Request) -> int:
    """Return how large the body says that it is, as it is sent; 0 where it does not say."""
    length = field(request.scope, b"content-length") or ""
    return int(length) if length.isdecimal() else 0


async def plain_body(request: Request, offload: Offload, *, max_bytes: int) -> bytes | memoryview:
    """Return the body without its content coding, which counts as held; raises `Refused`."""
    body = whole([piece async for piece in request.stream() if piece])
    coding = (field(request.scope, b"content-encoding") or "").lower()
    if coding in ("", "identity"):
        return body
    # What was small may become large: it is always done beside.
    size = await offload.in_thread(decompressed_bytes, body, coding, max_bytes)
    hold_more(request.scope, size)
    return await offload.in_thread(decompressed, body, coding)


def whole(pieces: Sequence[bytes | memoryview]) -> bytes | memoryview:
    """Return a body of these pieces: without a copy where they are all of one memory, in order."""
    if len(pieces) == 1:
        return pieces[0]
    first = pieces[0] if pieces else b""
    if isinstance(first, memoryview):
        memory = memoryview(first.obj)
        if memory.nbytes == sum(map(len, pieces)) and all(
            isinstance(piece, memoryview) and piece.obj is first.obj for piece in pieces
        ):
            return memory
    return b"".join(pieces)


async def read_request(
    body: bytes | memoryview, json_bytes: int | None, model: Description, offload: Offload
) -> InferenceRequest:
    """Return the request in the body; see `read_head`."""
    if json_bytes == 0:
        return read_raw_request(body, model)
    text, behind = split(body, json_bytes)
    if offload.is_large(len(text)):
        head = await offload.in_process(read_head, bytes(text), len(behind), model)
    else:
        head = read_head(text, len(behind), model)
    request = head.complete(behind)
    for tensor, size in zip(request.inputs, head.binary_bytes, strict=True):
        if tensor.datatype != "BYTES" or size is None:
            continue
        if size > _WORTH_A_THREAD:
            await offload.in_thread(check_binary, tensor)
        else:
            check_binary(tensor)
    return request


async def write_response(
    request: InferenceRequest, answer: OnlineAnswer, accepted: str | None, offload: Offload
) -> Response:
    """Return the answer as it goes out; `accepted` is the caller's `Accept-Encoding`."""
    json_of: dict[str, bytes] = {}
    for tensor in outputs_of(request, answer):
        if request.is_binary(tensor.name):
            continue
        large = offload.is_large(len(tensor.content))
        written = await offload.in_process(json_form, tensor) if large else json_form(tensor)
        json_of[tensor.name] = written
    body = write_answer(request, answer, json_of)
    told: dict[str, str] = {}
    if body.json_bytes is not None:
        told[headers.JSON_BYTES] = str(body.json_bytes)
    pieces = [bytes(piece) for piece in body.pieces]
    coding = wanted_coding(accepted)
    if coding is not None:
        told |= {"Content-Encoding": coding, "Vary": "Accept-Encoding"}
        pieces = [await offload.in_thread(compressed, b"".join(pieces), coding)]
    return _Pieces(pieces, told, _JSON if body.json_bytes is None else _BINARY)


class _Pieces(Response):
    """An answer whose parts are sent one after the other, so that they need not be joined."""

    def __init__(self, pieces: Sequence[bytes], told: dict[str, str], media_type: str) -> None:
        size = sum(map(len, pieces))
        super().__init__(headers=told | {"Content-Length": str(size)}, media_type=media_type)
        self._parts = [b"".join(pieces)] if size <= _ONE_PIECE else [p for p in pieces if p]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the answer."""
        start = {"type": "http.response.start", "status": 200, "headers": self.raw_headers}
        await send(start)
        last = len(self._parts) - 1
        for place, part in enumerate(self._parts):
            more = place < last
            await send({"type": "http.response.body", "body": part, "more_body": more})
