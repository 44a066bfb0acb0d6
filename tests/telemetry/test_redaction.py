"""Redaction: what looks like a secret is not written, whatever it is called."""

import pytest

from telemetry.redaction import MASK, redacted_fields, redacted_text

JWT = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJhIn0.c2lnbmF0dXJl"


@pytest.mark.parametrize(
    ("text", "written"),
    [
        (f"Authorization: Bearer {JWT}", f"Authorization: {MASK}"),
        ("basic dXNlcjpwYXNzd29yZA==", MASK),
        (f"token {JWT} was refused", f"token {MASK} was refused"),
        ("postgresql://u:p%40ss@db/x", f"postgresql://{MASK}@db/x"),
        ("redis://:pw@host:6379/0", f"redis://{MASK}@host:6379/0"),
        ("GET /a?x=1&token=abc&y=2", f"GET /a?x=1&{MASK}&y=2"),
        ("s3://b/k?X-Amz-Signature=abc", f"s3://b/k?{MASK}"),
    ],
)
def test_secrets_in_text_are_masked(text: str, written: str) -> None:
    """What is around them stays readable."""
    assert redacted_text(text) == written


@pytest.mark.parametrize(
    "text",
    ["basic", "http://127.0.0.1:8080/v1/models", '"url": "redis://h:1/0", "x": "me@home"', "eyJ"],
)
def test_what_is_no_secret_stays(text: str) -> None:
    """Addresses with ports and words that secrets begin with are written as they are."""
    assert redacted_text(text) == text


def test_what_is_called_like_a_secret_is_masked_at_any_depth() -> None:
    """The name counts wherever it is, and however it is written; a number of tokens is no token."""
    fields = {
        "jwt_secret": "x",
        "headers": [{"Authorization": "x", "accept": "y"}],
        "apiKey": "x",
        "max_tokens": 3,
        "rows": (1, 2),
    }
    assert redacted_fields(fields) == {
        "jwt_secret": MASK,
        "headers": [{"Authorization": MASK, "accept": "y"}],
        "apiKey": MASK,
        "max_tokens": 3,
        "rows": [1, 2],
    }
