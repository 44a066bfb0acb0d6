"""Addresses that no store may be opened for: each would lead a library somewhere else."""

from collections.abc import Iterator

ALLOWED = "s3://lake/flights/"
"""The one prefix that the corpora are refused beside."""


def ssrf(host: str) -> Iterator[str]:
    """Give addresses that would have `host`, `HOST:PORT`, connected to, 60 of them."""
    name, port = host.split(":")
    schemes = ("http", "https", "ftp", "gs", "abfs", "hdfs", "webhdfs", "sftp", "ssh", "smb")
    yield from (f"{scheme}://{host}/flights" for scheme in schemes)
    chains = ("simplecache", "filecache", "blockcache", "zip", "tar", "cached", "dask", "reference")
    yield from (f"{chain}::http://{host}/flights" for chain in chains)
    yield from (f"s3://lake/flights/{chain}::http://{host}/x" for chain in chains[:4])
    queries = (
        f"endpoint_override={host}",
        f"endpoint_override={host}&scheme=http",
        f"scheme=http&endpoint_override=http%3A%2F%2F{host}",
        f"proxy={host}",
        f"role_arn=x&endpoint_override={host}",
        f"region=x&endpoint_url=http://{host}",
    )
    yield from (f"s3://lake/flights/?{query}" for query in queries)
    yield from (f"s3://lake/flights#{query}" for query in queries[:3])
    buckets = (
        host,
        f"{name}",
        f"user:key@{host}",
        f"key@{name}:{port}",
        f"lake@{host}",
        f"lake:{port}",
        f"lake.{name}.nip.io:{port}",
        "169.254.169.254",
        f"[::1]:{port}",
        "0x7f000001",
        "2130706433",
        "localhost",
        f"localhost:{port}",
    )
    yield from (f"s3://{bucket}/flights" for bucket in buckets)
    yield from (f"S3://{host}/x", f"s3a://{host}/x", f"s3n://{host}/x", f"s3:/{host}/x")
    yield from (f"//{host}/x", f"\\\\{name}@{port}\\x", f"file://{host}/x", f"file:////{host}/x")
    yield from (
        f"http:{host}",
        f" s3://lake/flights/ http://{host}",
        f"s3://lake/flights/\nhttp://{host}",
        f"s3://lake/flights/\x00http://{host}",
        f"gopher://{host}/_x",
        f"jdbc:postgresql://{host}/x",
        f"data:text/plain,{host}",
        f"http://lake@{host}/flights/",
    )


TRAVERSALS = (
    "",
    " ",
    "/",
    "//",
    ".",
    "..",
    "~",
    "~root/x",
    "relative/path",
    "../s3://lake/flights/",
    "/etc/passwd",
    "file:///etc/passwd",
    "file://localhost/etc/passwd",
    "/srv/lake/../etc/passwd",
    "/srv/lake/./x",
    "/srv/lake//x",
    "/srv/lake/..",
    "/srv/lakes",
    "/srv/lake/\x00",
    "/srv/lake/x\\..\\..\\y",
    "file:///srv/lake/%2e%2e/etc",
    "file:///srv/lake/%2E%2E/etc",
    "s3://",
    "s3:///flights/",
    "s3://lake",
    "s3://lake/",
    "s3://lake/other/",
    "s3://lake/flight",
    "s3://lake/flights0",
    "s3://lake/flights/../secret",
    "s3://lake/flights/..",
    "s3://lake/flights/./x",
    "s3://lake/flights//x",
    "s3://lake/flights/%2e%2e/secret",
    "s3://lake/flights/%2E%2e/secret",
    "s3://lake/flights/x%2fy",
    "s3://lake/flights/x%5cy",
    "s3://lake/flights/x%00",
    "s3://lake/flights/x\\..\\y",
    "s3://lake/flights/\x7f",
    "s3://lake/flights/x\u0085y",
    "s3://lake\\@other/flights/",
    "s3://LAKE/flights/",
    "s3://la..ke/flights/",
    "s3://lake/flights/" + "x" * 1024,
)
"""Addresses outside of `s3://lake/flights/` and `/srv/lake/`, most of which would end there for
whoever compares beginnings only."""
