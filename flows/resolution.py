"""Pin the model version that a job asks for, as the servers serve it."""

from inference.errors import ModelNotReady, SignatureMismatch
from inference.pool import Pool
from registry.catalog import Catalog
from registry.domain import ModelRef, ModelVersion, Signature


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
    if not await pool.ready(version.served_name, version.served_version, wait_s=wait_s):
        raise ModelNotReady(
            f"{version} is not ready on any server after {wait_s:.0f} s: load model "
            f"{version.served_name!r} there"
        )
    return version


def _described(signature: Signature) -> str:
    inputs = ", ".join(map(str, signature.inputs))
    outputs = ", ".join(map(str, signature.outputs))
    return f"{inputs} → {outputs} (max_batch_size {signature.max_batch_size})"
