"""Say how a connection to a server is kept."""

from inference.settings import InferenceSettings

_RECONNECT_MS = 1000
"""Without a bound, a channel needed 24 s to come back after an outage of 45 s."""
_FIRST_RECONNECT_MS = 100


def channel_options(settings: InferenceSettings) -> list[tuple[str, int]]:
    """Connections of this channel alone, that come back soon and carry large messages."""
    return [
        ("grpc.max_send_message_length", settings.max_message_bytes),
        ("grpc.max_receive_message_length", settings.max_message_bytes),
        ("grpc.initial_reconnect_backoff_ms", _FIRST_RECONNECT_MS),
        ("grpc.min_reconnect_backoff_ms", _RECONNECT_MS),
        ("grpc.max_reconnect_backoff_ms", _RECONNECT_MS),
        ("grpc.use_local_subchannel_pool", 1),
    ]
