"""Pin the model version that a job asks for, as the servers serve it."""

from inference.errors import ModelNotReady, SignatureMismatch
from inference.pool import Pool
from registry.catalog import Catalog
from registry.domain import ModelRef, ModelVersion, Signature

METADATA_DIGEST = "metadata-sha256:"
"""What the digest of a version begins with that was registered without its file."""


async def resolve(text: str, catalog: Catalog, pool: Pool, *, wait_s: float) -> ModelVersion:
    """Return the version that `text` (`NAME@ALIAS`) means now, once a server has it ready.

    An alias that is moved later does not change what was resolved. Raises `InvalidName`,
    `RegistryError`, `UnknownModel`, `SignatureMismatch`, `PoolUnavailable`, or `ModelNotReady`
    when no server is ready within `wait_s`.
    """
    version = catalog.resolve(ModelRef.parse(text))
    signature = await pool.signature(version.served_name, version.served_version)
    if signature != version.signature:
        raise SignatureMismatch(
            f"{version} was registered with {_described(version.signature)}, but the servers say "
            f"{_described(signature)}: serve the registered file, or register this one"
        )
    await _check_metadata(version, pool)
    if not await pool.ready(version.served_name, version.served_version, wait_s=wait_s):
        raise ModelNotReady(
            f"{version} is not ready on any server after {wait_s:.0f} s: load model "
            f"{version.served_name!r} there"
        )
    return version


async def _check_metadata(version: ModelVersion, pool: Pool) -> None:
    """Compare what the servers say with what they said when they were all that is known of it.

    Weights that are swapped behind the same name are not in what they say.
    """
    if not version.digest.startswith(METADATA_DIGEST):
        return
    if await pool.metadata_digest(version.served_name, version.served_version) != version.digest:
        raise SignatureMismatch(
            f"{version} was registered by what the servers said of {version.served_name!r}, and "
            "they say something else now (its platform, file or parameters): serve what was "
            "registered, or register this as a new version"
        )


def _described(signature: Signature) -> str:
    inputs = ", ".join(map(str, signature.inputs))
    outputs = ", ".join(map(str, signature.outputs))
    return f"{inputs} → {outputs} (max_batch_size {signature.max_batch_size})"
