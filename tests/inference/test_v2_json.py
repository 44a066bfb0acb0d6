"""Triton's messages as its own HTTP endpoint writes them."""

from tritonclient.grpc import model_config_pb2, service_pb2

from inference.v2_json import as_json, metadata


def test_numbers_names_and_defaults() -> None:
    """64-bit numbers are numbers, choices have names, what was not set has its default."""
    counted = service_pb2.ModelStatistics(name="linear", version="1", inference_count=2**40)
    counted.inference_stats.success.ns = 7
    told = as_json(counted)
    assert (told["name"], told["version"], told["inference_count"]) == ("linear", "1", 2**40)
    assert told["execution_count"] == 0
    assert told["inference_stats"] == {"success": {"count": 0, "ns": 7}}
    config = model_config_pb2.ModelConfig(name="linear", max_batch_size=8)
    config.instance_group.add(kind=model_config_pb2.ModelInstanceGroup.KIND_CPU, count=2)
    config.parameters["threads"].string_value = "1"
    config.input.add(name="x", data_type=model_config_pb2.TYPE_FP32, dims=[-1, 3])
    told = as_json(config)
    assert told["instance_group"][0]["kind"] == "KIND_CPU"
    assert told["parameters"] == {"threads": {"string_value": "1"}}
    assert (told["input"][0]["data_type"], told["input"][0]["dims"]) == ("TYPE_FP32", [-1, 3])
    assert "dynamic_batching" not in told


def test_what_may_be_asked_twice_at_once() -> None:
    """No model of sequences, none that streams, none whose configuration forbids it."""
    said = service_pb2.ModelMetadataResponse(name="m", versions=["1"])
    plain, keeps, streams, forbids = (model_config_pb2.ModelConfig() for _ in range(4))
    keeps.sequence_batching.max_sequence_idle_microseconds = 1
    streams.model_transaction_policy.decoupled = True
    forbids.parameters["repeatable"].string_value = "False"
    told = [metadata(said, each).repeatable for each in (plain, keeps, streams, forbids)]
    assert told == [True, False, False, False]
