"""Where datasets may lie: what is inside of a store, and the corpora of what is not."""

import pytest
from pydantic import ValidationError

from inference.store_settings import StoreSettings
from inference.stores import Place, PlaceRefused, Stores
from tests.inference.forged_addresses import ALLOWED, TRAVERSALS, ssrf

STORES = Stores({"lake": [ALLOWED], "disk": ["/srv/lake/"], "night": ["s3://lake/flights/night"]})


@pytest.mark.parametrize(
    ("uri", "place"),
    [
        ("s3://lake/flights/", Place("lake", "s3://lake/flights/")),
        ("s3://lake/flights", Place("lake", "s3://lake/flights")),
        ("s3://lake/flights/date=2026-05-03/", Place("lake", "s3://lake/flights/date=2026-05-03/")),
        (
            "s3://lake/flights/a=b%20c/é.parquet",
            Place("lake", "s3://lake/flights/a=b%20c/é.parquet"),
        ),
        ("s3://lake/flights/night/x", Place("night", "s3://lake/flights/night/x")),
        ("s3://lake/flights/nights", Place("lake", "s3://lake/flights/nights")),
        ("/srv/lake/x y", Place("disk", "/srv/lake/x y")),
        ("file:///srv/lake/x", Place("disk", "/srv/lake/x")),
    ],
)
def test_what_is_inside_has_its_store(uri: str, place: Place) -> None:
    """The longest prefix decides; the slash at the end stays, for it says folder."""
    assert STORES.place(uri) == place


@pytest.mark.parametrize("uri", TRAVERSALS)
def test_what_leads_out_is_refused(uri: str) -> None:
    """Without the address in the words: a log or a page may show them."""
    with pytest.raises(PlaceRefused) as refused:
        STORES.place(uri)
    assert len(uri) < 12 or uri in ALLOWED or uri not in str(refused.value)


def test_what_leads_elsewhere_is_refused() -> None:
    """Sixty addresses by which a library could be sent to another host."""
    corpus = list(ssrf("127.0.0.1:7"))
    assert len(corpus) == len(set(corpus)) == 60
    for uri in corpus:
        with pytest.raises(PlaceRefused):
            STORES.place(uri)


def test_without_a_store_nothing_is_inside() -> None:
    """Whoever asks is told what to configure."""
    with pytest.raises(PlaceRefused, match=r"no store is configured: .* NIGHTSHIFT_STORES"):
        Stores({}).place("s3://lake/flights/")


@pytest.mark.parametrize("prefix", ["lake/", "http://lake/", "s3://lake/../x", "/"])
def test_a_prefix_that_is_no_address_is_told_at_once(prefix: str) -> None:
    """When the settings are read, and not by the first job."""
    with pytest.raises(ValidationError):
        StoreSettings(prefixes=(prefix,))
