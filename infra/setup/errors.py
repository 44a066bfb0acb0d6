"""Say in one line why a set-up step failed, with the remedy."""

import re

# The first line that matches names the cause; the order is from the surest to the vaguest.
_REMEDIES = (
    (r"no space left on device|disk quota exceeded", "the disk is full: free some space"),
    (
        r"hash mismatch|do not match the hashes",
        "a package is not the one that was locked: clear the cache (`uv cache clean`), "
        "and if it stays so do not install it",
    ),
    (
        r"certificate|unknownissuer",
        "the registry's TLS certificate is not trusted here: set SSL_CERT_FILE to the "
        "authorities that your network uses",
    ),
    (
        r"dns error|name or service not known|name resolution|getaddrinfo|connection refused"
        r"|connection reset|network is unreachable|error sending request|request failed"
        r"|timed out|proxyerror|newconnectionerror|max retries exceeded|unsupported scheme",
        "the package registry cannot be reached: check the network, or HTTPS_PROXY",
    ),
    (
        r"not found in the package registry|no matching distribution|could not find a version"
        r"|has no wheels|no solution found|40[134]|50[0234]",
        "the package registry does not give a locked package for this machine: "
        "check the index that is configured, and that this is Linux on x86-64",
    ),
)
_LONG_LINE = 160
_CREDENTIALS = re.compile(r"://[^/@\s]+@")


class SetUpError(Exception):
    """A set-up step that failed, in one line with the remedy."""


def explain(step: str, output: str) -> str:
    """Return one line that says why `step` failed, from what the program it ran wrote."""
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    lines = [line for line in lines if not line.startswith("hint:")]
    for pattern, remedy in _REMEDIES:
        for line in reversed(lines):
            match = re.search(pattern, line, re.IGNORECASE)
            if match:
                cause = line if len(line) <= _LONG_LINE else line[match.start() :]
                return f"{step} failed: {remedy}, then run the same command again ({_plain(cause)})"
    return f"{step} failed: {_plain(lines[-1]) if lines else 'it said nothing'}"


def _plain(line: str) -> str:
    plain = _CREDENTIALS.sub("://", line.removeprefix("cause: ").removeprefix("error: "))
    return plain if len(plain) <= _LONG_LINE else f"{plain[:_LONG_LINE]}…"
