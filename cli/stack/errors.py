"""The errors of the servers that a command uses, each one line with the remedy.

StackError
├── PortTaken         a port that was asked for is in use
├── CannotListen      an address that was asked for cannot be listened on
├── ServerEnded       the server ended before it was ready
├── ServerNotReady    the server did not become ready in time
├── SetUpMissing      an environment that `make` builds is not there
├── CannotPrepare     what a server needs could not be made
├── ModelFileGone     a registered model does not lie where a server would look for it
├── NothingToServe    no model lies where a server would look for it
├── NothingBefore     an alias was never anywhere else
├── NothingThen       an alias had pointed nowhere by a moment
├── WrongAddress      a setting holds something else than a server's address
└── NotAnswering      a server that a setting names does not answer
"""

from datetime import datetime
from pathlib import Path


class StackError(Exception):
    """A server that cannot be used."""


class PortTaken(StackError):
    """A port that was asked for is in use."""

    def __init__(self, name: str, port: int) -> None:
        super().__init__(
            f"port {port} for {name} is taken: end what uses it, or choose another port"
        )
        self.port = port
        """The port that was asked for."""


class CannotListen(StackError):
    """An address that was asked for cannot be listened on."""

    def __init__(self, name: str, host: str, port: int, why: str) -> None:
        super().__init__(
            f"{name} cannot listen on {host} port {port}: {why}; choose another address or port"
        )


class ServerEnded(StackError):
    """The server ended before it was ready."""

    def __init__(self, name: str, status: int, log: Path, last_lines: str) -> None:
        super().__init__(
            f"{name} ended with status {status} before it was ready; its log {log} says: "
            f"{last_lines}"
        )
        self.status = status
        """The server's exit status; 128 + N when signal N ended it."""


class ServerNotReady(StackError):
    """The server did not become ready in time."""

    def __init__(self, name: str, deadline_s: float, log: Path, last_lines: str) -> None:
        super().__init__(
            f"{name} was not ready after {deadline_s:g} s; its log {log} says: {last_lines}"
        )


class SetUpMissing(StackError):
    """An environment that `make` builds is not there."""


class CannotPrepare(StackError):
    """What a server needs before its first start could not be made."""

    def __init__(self, name: str, why: str) -> None:
        super().__init__(f"{name} cannot be prepared: {' '.join(why.split())}")


class ModelFileGone(StackError):
    """A registered model does not lie where a server would look for it."""

    def __init__(self, model: str, place: Path) -> None:
        super().__init__(
            f"{model} is registered, but nothing lies at {place}: register its file again with "
            f"`nightshift models register {model.partition('@')[0]} --onnx FILE`, or name servers "
            "that have it with NIGHTSHIFT_TRITON_URLS"
        )
        self.place = place
        """What is not there."""


class NothingToServe(StackError):
    """No model lies where a server would look for it."""

    def __init__(self, repository: Path) -> None:
        super().__init__(
            f"no registered model with an alias lies in {repository}: register one with "
            "`nightshift models register NAME --onnx FILE --alias champion`, or name it: NAME@1"
        )


class WrongAddress(StackError):
    """A setting holds something else than the address of a server."""

    def __init__(self, setting: str, found: str, form: str) -> None:
        super().__init__(f"{setting} names {found!r}, which is no such server: write {form}")
        self.setting = setting
        """The environment variable."""


class NotAnswering(StackError):
    """A server that a setting names does not answer."""

    def __init__(self, name: str, places: str, setting: str, otherwise: str) -> None:
        super().__init__(
            f"no server answers for {name} at {places}: start it, correct {setting}, or {otherwise}"
        )
        self.setting = setting
        """The environment variable."""


class NothingBefore(StackError):
    """An alias was never anywhere else."""

    def __init__(self, alias: str) -> None:
        super().__init__(
            f"{alias} has pointed to one version only, if to any: move it with "
            "`nightshift models alias NAME@VERSION ALIAS`"
        )


class NothingThen(StackError):
    """An alias had pointed nowhere by a moment."""

    def __init__(self, model: str, alias: str, when: datetime) -> None:
        super().__init__(
            f"{model}@{alias} had pointed nowhere by {when:%Y-%m-%d %H:%M:%S} UTC: see its history "
            f"with `nightshift models events {model} --alias {alias}`"
        )
