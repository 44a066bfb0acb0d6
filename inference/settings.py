"""Settings of the inference pool, read from the environment once per process."""

from typing import Annotated

from pydantic import Field, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

_GRPC_MAX_BYTES = 2**31 - 1


class InferenceSettings(BaseSettings):
    """Which servers make the pool, with the patience to have with them.

    Each field is read from `NIGHTSHIFT_<FIELD>`; numbers follow what Envoy, Finagle and
    Linkerd ship, cut to a small pool of GPU servers, where not said otherwise.
    """

    model_config = SettingsConfigDict(env_prefix="NIGHTSHIFT_", frozen=True, extra="ignore")

    triton_urls: Annotated[tuple[str, ...], NoDecode] = ("127.0.0.1:8001",)
    """gRPC addresses, separated by commas: `grpc://host:port` or `host:port`. The default is
    Triton's own default port on this machine."""

    shared_memory: bool = True
    """Whether inputs reach servers on this host through shared memory. Servers elsewhere are
    found out when they cannot map it; to be switched off where /dev/shm is tiny."""

    attempt_timeout_s: float = Field(default=30.0, gt=0)
    """Longest wait for one answer: many times what a row takes, yet short enough that a stuck
    server is found out within a shard. Requests are cut to what is answered in half of it."""
    first_rows: int = Field(default=16, ge=1)
    """Most rows of a request to a model of which nothing is known: one small request is all that
    a fast model loses by it, and four of them are answered in time at half a second a row."""
    request_deadline_s: float = Field(default=120.0, gt=0)
    """Longest time for a request with its queueing, backing off and retries: room for three
    time-outs with waits between. A row of a dataset waits for its turn as long as others get
    answers."""
    probe_timeout_s: float = Field(default=2.0, gt=0)
    """Longest wait for a readiness answer, which takes a healthy server milliseconds."""
    probe_interval_s: float = Field(default=1.0, gt=0)
    """Time between background probes: a restarted server is used again about a second after
    it is ready."""
    load_timeout_s: float = Field(default=300.0, gt=0)
    """Longest wait for a model to load; large models take minutes to reach the GPU."""
    max_message_bytes: int = Field(default=_GRPC_MAX_BYTES, gt=0, le=_GRPC_MAX_BYTES)
    """Largest request or answer; gRPC's own limit, because the 4 MiB that it defaults to is
    below one microbatch."""

    max_attempts: int = Field(default=3, ge=1)
    """Tries of one request, the first included; more than three mostly add load."""
    retry_budget_fraction: float = Field(default=0.2, ge=0, le=1)
    """Share of the running requests that may be retries at one time (Envoy, Finagle: 20 %)."""
    retry_budget_floor: int = Field(default=3, ge=1)
    """Retries that may always run at one time, so that a quiet pool can retry (Envoy: 3)."""
    hedge_fraction: float = Field(default=0.05, ge=0, le=1)
    """Share of online requests that may be sent to a second server because the first takes longer
    than 95 % of answers do: what that percentile asks for; 0 for none."""
    hedge_burst: int = Field(default=10, ge=1)
    """Most second requests that are saved up, for the moment in which a server hangs."""
    hedge_floor_s: float = Field(default=0.005, gt=0)
    """Shortest wait before a second request: below it, what is late is mostly this process."""
    backoff_base_s: float = Field(default=0.05, gt=0)
    """First pause after an overload; about one microbatch's time on a GPU."""
    backoff_max_s: float = Field(default=2.0, gt=0)
    """Longest pause after an overload; queues drain in seconds."""
    not_ready_recheck_s: float = Field(default=1.0, gt=0)
    """How long a server is left out for a model that it did not have ready."""

    breaker_failures: int = Field(default=5, ge=1)
    """Failures in a row that open a breaker (Envoy, Finagle: 5)."""
    breaker_failure_rate: float = Field(default=0.5, gt=0, le=1)
    """Share of failed calls above which a breaker opens (resilience4j: 50 %)."""
    breaker_min_calls: int = Field(default=20, ge=1)
    """Calls within the window before the rate says anything."""
    breaker_window_s: float = Field(default=10.0, gt=0)
    """Length of the window in which the rate is taken (Envoy sweeps every 10 s)."""
    breaker_open_s: float = Field(default=5.0, gt=0)
    """First time that a breaker stays open (Finagle: 5 s)."""
    breaker_open_max_s: float = Field(default=300.0, gt=0)
    """Longest time that a breaker stays open (Envoy, Finagle: 300 s)."""
    breaker_timeout_floor_s: float = Field(default=1.0, ge=0)
    """A time-out shorter than this says more of the caller's hurry than of the server, so it
    does not count toward the breaker."""

    ewma_decay_s: float = Field(default=10.0, gt=0)
    """Time in which an observed latency loses 63 % of its weight (Finagle: 10 s)."""
    full_scan_servers: int = Field(default=4, ge=1)
    """Up to so many servers are all compared; two random ones of more (with two servers, two
    choices pick the busier one a quarter of the time)."""
    give_way_queue_s: float = Field(default=0.005, ge=0)
    """Time that requests may wait at a server which batch shares with others: above it batch keeps
    fewer there. As long as a small model takes."""
    give_way_request_s: float = Field(default=0.01, gt=0)
    """Time that a batch request is to take meanwhile, as whoever comes waits for it: requests are
    cut to that, to a twelfth at most."""
    window_initial: int = Field(default=4, ge=1)
    """Requests in flight to a server before anything is known of it: one computing, one in
    the queue, two on the wire."""
    window_max: int = Field(default=64, ge=1)
    """Most requests in flight to one server; beyond this Triton only queues them."""

    @field_validator("triton_urls", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        if isinstance(value, str):
            return tuple(part.strip() for part in value.split(",") if part.strip())
        return value

    @field_validator("triton_urls")
    @classmethod
    def _distinct(cls, urls: tuple[str, ...]) -> tuple[str, ...]:
        if not urls:
            raise ValueError("name at least one server, for example 127.0.0.1:8001")
        if len(set(urls)) != len(urls):
            raise ValueError(f"a server is named twice in {','.join(urls)}")
        return urls


class CallersInferenceSettings(InferenceSettings):
    """The same where callers wait for answers: a server that hangs is found out within a second.

    Batch has more patience, because its requests are large and nobody waits.
    """

    probe_timeout_s: float = Field(default=0.5, gt=0)
    """Longest wait for a readiness answer: many times what a busy server takes."""
    probe_interval_s: float = Field(default=0.5, gt=0)
    """Time between background probes; two that are missed give up what is in flight."""
