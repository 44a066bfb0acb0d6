"""Read what a server says of its models."""

import hashlib
import json
from typing import Any

from inference.server import ModelMetadata, ModelStatistics
from registry.domain import TensorSpec


def metadata(said: Any, config: Any) -> ModelMetadata:
    """Read a `ModelMetadataResponse` with the model's `ModelConfig`."""
    return ModelMetadata(
        name=said.name,
        versions=tuple(said.versions),
        platform=said.platform,
        inputs=tuple(_spec(tensor) for tensor in said.inputs),
        outputs=tuple(_spec(tensor) for tensor in said.outputs),
        max_batch_size=config.max_batch_size,
        optional_inputs=frozenset(each.name for each in config.input if each.optional),
        repeatable=_is_repeatable(config),
    )


def digest(said: Any, config: Any, version: str) -> str:
    """Return `metadata-sha256:…` of what determines the answers.

    Instances, batching and queueing may be tuned without changing it.
    """
    told = {
        "name": said.name,
        "version": version,
        "platform": said.platform,
        "inputs": [str(_spec(tensor)) for tensor in said.inputs],
        "outputs": [str(_spec(tensor)) for tensor in said.outputs],
        "max_batch_size": config.max_batch_size,
        "file": config.default_model_filename,
        "parameters": {key: value.string_value for key, value in config.parameters.items()},
    }
    canonical = json.dumps(told, sort_keys=True).encode()
    return f"metadata-sha256:{hashlib.sha256(canonical).hexdigest()}"


def statistics(said: Any, config: Any) -> ModelStatistics:
    """Read one model's `ModelStatistics` with its `ModelConfig`."""
    groups = config.instance_group
    return ModelStatistics(
        requests=said.inference_stats.success.count,
        inside_s=said.inference_stats.success.ns / 1e9,
        queue_s=said.inference_stats.queue.ns / 1e9,
        busy_s=sum(map(_execution_ns, said.batch_stats)) / 1e9,
        instances=sum(group.count * max(len(group.gpus), 1) for group in groups),
    )


def _execution_ns(batch: Any) -> int:
    """Sum the phases of the executions of one size."""
    return int(batch.compute_input.ns + batch.compute_infer.ns + batch.compute_output.ns)


def _is_repeatable(config: Any) -> bool:
    stateful = config.HasField("sequence_batching") or config.model_transaction_policy.decoupled
    forbidden = "repeatable" in config.parameters and (
        config.parameters["repeatable"].string_value.lower() == "false"
    )
    return not (stateful or forbidden)


def as_json(message: Any) -> dict[str, Any]:
    """Return a protobuf message as Triton's HTTP endpoint writes it.

    Unlike protobuf's own JSON, 64-bit numbers are numbers and fields keep their names; what was
    not set has its default, messages and members of a choice are left out.
    """
    told: dict[str, Any] = {}
    for field in message.DESCRIPTOR.fields:
        value = getattr(message, field.name)
        if field.message_type is not None and field.message_type.GetOptions().map_entry:
            told[field.name] = {str(key): _plain(field, value[key]) for key in sorted(value)}
        elif field.is_repeated:
            told[field.name] = [_plain(field, each) for each in value]
        elif not field.has_presence or message.HasField(field.name):
            told[field.name] = _plain(field, value)
    return told


def _plain(field: Any, value: Any) -> Any:
    if hasattr(value, "DESCRIPTOR"):
        return as_json(value)
    if field.enum_type is not None:
        return field.enum_type.values_by_number[value].name
    return value


def _spec(tensor: Any) -> TensorSpec:
    return TensorSpec(tensor.name, tensor.datatype, tuple(tensor.shape))
