"""What installers write becomes one line with the remedy."""

import pytest

from infra.setup.errors import explain


@pytest.mark.parametrize(
    ("output", "line"),
    [
        (
            "error: Failed to extract\n  cause: No space left on device (os error 28)\n",
            "installing failed: the disk is full: free some space, then run the same command "
            "again (No space left on device (os error 28))",
        ),
        (
            "error: Request failed after 3 retries in 8.6s\n"
            "  cause: Failed to fetch: https://someone:secret@index.example/simple/numpy/\n"
            "  cause: client error (Connect)\n"
            "  cause: dns error\n",
            "installing failed: the package registry cannot be reached: check the network, or "
            "HTTPS_PROXY, then run the same command again (dns error)",
        ),
        (
            "ERROR: Could not find a version that satisfies the requirement uv==0.13.9\n"
            "WARNING: Retrying: Connection refused\n",
            "installing failed: the package registry cannot be reached: check the network, or "
            "HTTPS_PROXY, then run the same command again (WARNING: Retrying: Connection refused)",
        ),
        (
            "  cause: invalid peer certificate: UnknownIssuer\nhint: use --system-certs\n",
            "installing failed: the registry's TLS certificate is not trusted here: set "
            "SSL_CERT_FILE to the authorities that your network uses, then run the same command "
            "again (invalid peer certificate: UnknownIssuer)",
        ),
        (
            "error: Hash mismatch for `numpy==1.26.4`\n",
            "installing failed: a package is not the one that was locked: clear the cache "
            "(`uv cache clean`), and if it stays so do not install it, then run the same command "
            "again (Hash mismatch for `numpy==1.26.4`)",
        ),
        (
            "  cause: Because nosuch was not found in the package registry and you require it\n",
            "installing failed: the package registry does not give a locked package for this "
            "machine: check the index that is configured, and that this is Linux on x86-64, then "
            "run the same command again (Because nosuch was not found in the package registry and "
            "you require it)",
        ),
        ("something\n\nodd\n", "installing failed: odd"),
        ("", "installing failed: it said nothing"),
    ],
)
def test_explains(output: str, line: str) -> None:
    """The surest cause in the output is named, whatever else is written around it."""
    assert explain("installing", output) == line


def test_shortens_a_long_line() -> None:
    """Of a line that would fill the screen, what matters is shown."""
    line = explain("installing", f"WARNING: {'x' * 300} Connection refused {'y' * 300}")
    assert line.endswith(f"again (Connection refused {'y' * 141}…)")


def test_hides_credentials() -> None:
    """A password in an index's address is not shown."""
    line = explain("installing", "cause: timed out: https://someone:secret@index.example/simple/")
    assert "secret" not in line
    assert "://index.example/simple/" in line
