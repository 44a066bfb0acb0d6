"""Plain heads: read as h11 reads them, and everything else left to it."""

import h11
import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.plain_heads import PlainHead, answer_head, plain_head


def test_a_head_is_read() -> None:
    """Names are in lower case, values without the blanks around them."""
    head = (
        b"POST /v2/models/a%20b/infer?x=1 HTTP/1.1\r\nHost: here\r\nX-A:\t one two \t\r\n"
        b"Empty:\r\nContent-Length: 12\r\nConnection: Keep-Alive\r\n\r\n"
    )
    assert plain_head(head) == PlainHead(
        "POST",
        b"/v2/models/a%20b/infer?x=1",
        [
            (b"host", b"here"),
            (b"x-a", b"one two"),
            (b"empty", b""),
            (b"content-length", b"12"),
            (b"connection", b"Keep-Alive"),
        ],
        12,
    )


@pytest.mark.parametrize(
    "head",
    [
        b"GET / HTTP/1.1\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
        b"GET / HTTP/1.0\r\nHost: a\r\n\r\n",
        b"GET http://a/ HTTP/1.1\r\nHost: a\r\n\r\n",
        b"HEAD / HTTP/1.1\r\nHost: a\r\n\r\n",
        b"OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n",
        b"GET /a b HTTP/1.1\r\nHost: a\r\n\r\n",
        b"GET / HTTP/1.1\nHost: a\n\n",
        b"\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\nX : b\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\nX: b\r\n c\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\nX: b\0c\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\nX: b\rc\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\nX: b\nc\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\nX: \xe4\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: +1\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1, 1\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nExpect: 100-continue\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
    ],
)
def test_what_is_not_plain_is_left(head: bytes) -> None:
    """Whatever is wrong, unusual or changes how the rest is to be read is for h11."""
    assert plain_head(head) is None


_NAMES = st.sampled_from(["Host", "Content-Length", "X-A", "Connection", "TE", "X A", "", "X\t"])
_VALUES = st.text(st.sampled_from("a1 ,:\t\r\n\0\x7fä"), max_size=6) | st.sampled_from(["5", "a"])


@given(
    target=st.text(st.sampled_from("/a?%20 #\t\r"), max_size=6),
    fields=st.lists(st.tuples(_NAMES, _VALUES), max_size=5),
)
def test_a_plain_head_is_what_h11_reads(target: str, fields: list[tuple[str, str]]) -> None:
    """Whatever is taken as plain h11 takes, and says the same of it."""
    lines = [f"POST {target} HTTP/1.1", "Host: a", *(f"{name}:{value}" for name, value in fields)]
    head = ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")
    found = plain_head(head)
    if found is None:
        return
    connection = h11.Connection(h11.SERVER)
    connection.receive_data(head)
    theirs = connection.next_event()
    assert isinstance(theirs, h11.Request)
    assert found == PlainHead(
        theirs.method.decode(),
        theirs.target,
        list(theirs.headers),
        int(dict(theirs.headers).get(b"content-length", b"0")),
    )


def test_an_answer_is_told() -> None:
    """A status without a phrase has none."""
    assert (
        answer_head(200, [(b"a", b"b"), (b"c", b"")]) == b"HTTP/1.1 200 OK\r\na: b\r\nc: \r\n\r\n"
    )
    assert answer_head(299, []) == b"HTTP/1.1 299 \r\n\r\n"


@pytest.mark.parametrize("value", [b"b\r\nc: d", b"b\nc", b"b\rc", b"b\0c"])
def test_a_field_ends_no_line(value: bytes) -> None:
    """What would begin another field, or an answer, is refused."""
    with pytest.raises(ValueError, match="end of a line"):
        answer_head(200, [(b"a", value)])
