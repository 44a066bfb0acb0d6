"""Register what a Triton server says that it serves."""

import asyncio
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from cli.configured import check_triton
from cli.remote_catalog import RemoteCatalog
from cli.settings import LocalSettings
from cli.stack.repository import ModelNotServable, lay_out
from inference.errors import SignatureMismatch
from inference.settings import InferenceSettings
from inference.triton import TritonServer
from registry.catalog import Catalog
from registry.digest import file_digest
from registry.domain import ModelVersion, Signature, check_name

_VERSION_DIR = 1
"""The only version directory of a model that is laid out here: its name says which bytes it is."""

_OR_FILE = "register a file with --onnx"

_DIGEST_CHARS = 12
"""Characters of the digest in a served name: 48 bits tell the versions of one model apart."""


@dataclass(frozen=True, slots=True)
class Notes:
    """What a person adds to a version."""

    columns: Mapping[str, tuple[str, ...]]
    """Dataset columns that feed each input when a job does not say otherwise."""
    description: str
    """What others should know."""
    by: str
    """Who registers it."""
    tags: Mapping[str, str] = field(default_factory=dict)
    """What it is found by."""


@dataclass(frozen=True, slots=True)
class LaidOutFile:
    """A model file that has its place in the model repository."""

    name: str
    """The model's name in the registry."""
    digest: str
    """`sha256:…` of the file."""
    served_name: str
    """The name by which Triton serves it."""
    path: Path
    """The copy that is served."""
    fresh: bool
    """Whether it was not there before."""


@dataclass(frozen=True, slots=True)
class Served:
    """What servers say of a model that they serve."""

    signature: Signature
    """What it takes and gives, the same on each of them."""
    metadata_digest: str
    """`metadata-sha256:…` of what the first of them says."""


def served_name(name: str, digest: str) -> str:
    """Return the name by which Triton serves the model file with that digest.

    A name for each file lets versions with different signatures be loaded side by side, gives
    them the same place on every machine, and needs no version number before there is one.
    """
    tail = digest.removeprefix("sha256:")[:_DIGEST_CHARS]
    return f"{name[: 127 - _DIGEST_CHARS]}.{tail}"


def lay_out_file(name: str, onnx: Path, local: LocalSettings) -> LaidOutFile:
    """Put the ONNX file into the model repository; no server is needed.

    Safe to repeat. Raises `InvalidName` or `StackError`.
    """
    check_name(name, "model")
    if not onnx.is_file():
        raise ModelNotServable(f"no ONNX file {onnx}: check the path")
    digest = file_digest(onnx)
    model = served_name(name, digest)
    env_dir, repository = local.triton_env_dir, local.repository_dir
    fresh = not (repository / model).exists()
    folder = lay_out(repository, model, onnx, version=_VERSION_DIR, env_dir=env_dir)
    path = (folder / str(_VERSION_DIR) / "model.onnx").resolve()
    return LaidOutFile(name, digest, model, path, fresh)


@contextmanager
def kept_if_registered(file: LaidOutFile) -> Iterator[None]:
    """Take a fresh file away again when the block, which registers it, fails."""
    try:
        yield
    except BaseException:
        if file.fresh:
            shutil.rmtree(file.path.parents[1], ignore_errors=True)
        raise


def register_file(
    catalog: Catalog,
    file: LaidOutFile,
    *,
    urls: Sequence[str],
    notes: Notes,
    settings: InferenceSettings,
) -> ModelVersion:
    """Have the file loaded, register what is then served.

    Safe to repeat: the same file and columns give the version that is already there. Raises
    `InferenceError` or `RegistryError`.
    """
    version = str(_VERSION_DIR)
    served = asyncio.run(_ask(urls, file.served_name, version, settings=settings, load=True))
    return catalog.register(
        file.name,
        signature=served.signature,
        digest=file.digest,
        served_name=file.served_name,
        served_version=version,
        columns=notes.columns,
        artifact=file.path.as_uri(),
        description=notes.description,
        tags=notes.tags,
        by=notes.by,
    )


def register_file_remotely(catalog: RemoteCatalog, file: LaidOutFile, notes: Notes) -> ModelVersion:
    """Register the file through the API, whose servers load it from the model repository.

    That repository must be the one that the servers see. Raises `ApiAway` or `ApiRefused`.
    """
    return catalog.register(
        file.name,
        served_name=file.served_name,
        served_version=str(_VERSION_DIR),
        columns=notes.columns,
        digest=file.digest,
        artifact=file.path.as_uri(),
        description=notes.description,
        tags=notes.tags,
    )


def register_served(
    catalog: Catalog,
    name: str,
    *,
    model: str,
    version: str,
    urls: Sequence[str],
    notes: Notes,
    settings: InferenceSettings,
) -> ModelVersion:
    """Register a model that the servers already serve, by what they say of it.

    Raises `InvalidName`, `StackError`, `InferenceError` or `RegistryError`.
    """
    check_name(name, "model")
    check_triton(urls, every=True, otherwise=_OR_FILE)
    served = asyncio.run(_ask(urls, model, version, settings=settings, load=False))
    return catalog.register(
        name,
        signature=served.signature,
        digest=served.metadata_digest,
        served_name=model,
        served_version=version,
        columns=notes.columns,
        description=notes.description,
        tags=notes.tags,
        by=notes.by,
    )


async def _ask(
    urls: Sequence[str], model: str, version: str, *, settings: InferenceSettings, load: bool
) -> Served:
    try:
        async with asyncio.TaskGroup() as group:
            asked = [
                group.create_task(_ask_one(url, model, version, settings=settings, load=load))
                for url in urls
            ]
    except ExceptionGroup as failed:  # one server that cannot answer is reason enough
        raise failed.exceptions[0] from failed
    first, *others = [task.result() for task in asked]
    for url, other in zip(urls[1:], others, strict=True):
        if other.signature != first.signature:
            raise SignatureMismatch(
                f"model {model!r} has another signature on {url} than on {urls[0]}: bring the "
                "servers' model repositories together, then register it",
                server=url,
            )
    return first


async def _ask_one(
    url: str, model: str, version: str, *, settings: InferenceSettings, load: bool
) -> Served:
    server = TritonServer(url, settings=settings)
    try:
        if load:
            await server.load(model)
        return Served(
            signature=await server.signature(model, version),
            metadata_digest=await server.metadata_digest(model, version),
        )
    finally:
        await server.close()
