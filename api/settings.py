"""What the API's process is told by its environment."""

from dataclasses import dataclass
from typing import Self

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

from api.gateway.settings import CorsSettings, QuotaSettings, TokenSettings, TrafficSettings
from api.jobs.settings import JobsSettings
from api.online.settings import OnlineSettings
from inference.settings import CallersInferenceSettings, InferenceSettings
from inference.store_settings import StoresSettings
from registry.settings import RegistrySettings


class ApiSettings(BaseSettings):
    """Read from `NIGHTSHIFT_API_…` variables."""

    model_config = SettingsConfigDict(env_prefix="NIGHTSHIFT_API_", frozen=True, extra="ignore")

    host: str = Field(default="127.0.0.1", min_length=1)
    """Address to listen on. Only this machine unless said otherwise; development
    listens nowhere else."""
    port: int = Field(default=8080, ge=0, le=65535)
    """Port to listen on, any free one for 0. Not 8000 to 8002, where Triton listens."""
    check_timeout_s: float = Field(default=0.8, gt=0)
    """Longest wait for what readiness depends on: below the second that a Kubernetes probe waits,
    so that the answer says what is missing."""
    pools_refresh_s: float = Field(default=5.0, gt=0)
    """Time between looks at the registry for pools, servers and placements that another process
    has changed; what this process changes is used at once."""
    drain_notice_s: float = Field(default=3.0, ge=0)
    """Time after SIGTERM in which readiness says no and requests are still answered, so that load
    balancers send no more; Ctrl-C has none."""
    drain_s: int = Field(default=10, ge=0)
    """Longest wait for requests under way when the process is to end; a third of the time that
    Kubernetes gives it."""
    large_json_bytes: int = Field(default=1 << 17, gt=0)
    """JSON of inference requests from this size on is read in a process of its own: below it takes
    about a millisecond, in which nobody else is answered."""
    large_bodies_bytes: int = Field(default=16 << 20, gt=0)
    """How much the large bodies of inference requests that come in at a time may have together,
    or one alone; others wait with their senders. Each is there up to four times on its way."""
    json_processes: int = Field(default=1, ge=1)
    """How many such processes; each is started when it is needed and has some 60 MB."""


@dataclass(frozen=True, slots=True)
class Settings:
    """Everything that the process reads from its environment."""

    api: ApiSettings
    """How requests are answered."""
    tokens: TokenSettings
    """Whose requests are answered."""
    quotas: QuotaSettings
    """How many of them."""
    traffic: TrafficSettings
    """What each may take."""
    cors: CorsSettings
    """Which web pages may send them."""
    registry: RegistrySettings
    """Where the registry is."""
    inference: InferenceSettings
    """Which Triton servers make the pool."""
    online: OnlineSettings
    """How single requests are answered."""
    jobs: JobsSettings
    """How jobs are taken."""
    stores: StoresSettings
    """Where their datasets may lie."""

    @classmethod
    def read(cls) -> Self:
        """Read the environment; raises `ValidationError` or `SettingsError`."""
        return cls(
            ApiSettings(),
            TokenSettings(),
            QuotaSettings(),
            TrafficSettings(),
            CorsSettings(),
            RegistrySettings(),
            CallersInferenceSettings(),
            OnlineSettings(),
            JobsSettings(),
            StoresSettings(),
        )
