"""Settings of online requests, read from the environment once per process."""

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict


class OnlineSettings(BaseSettings):
    """Each field is read from `NIGHTSHIFT_ONLINE_<FIELD>`."""

    model_config = SettingsConfigDict(env_prefix="NIGHTSHIFT_ONLINE_", frozen=True, extra="ignore")

    default_alias: str = Field(default="champion", min_length=1)
    """The alias that a registered model's bare name means: a new version is not live by itself."""
    deadline_s: float = Field(default=30.0, gt=0)
    """Longest time that a request may take, tries and waits included, and the time it has when it
    says nothing: as long as common HTTP clients and proxies wait."""
    priority: int = Field(default=1, ge=0)
    """Triton's priority of a request that asks for none: before everything that a night scores. No
    caller goes before it whose token lacks `inference:priority`; 2 leaves room for those who have
    it, beside the batch jobs, which also have 2."""
    queue_s: float = Field(default=5.0, gt=0)
    """Longest wait for a place that a request is taken in for, or half of its time where that is
    less: beyond it callers are told to come back, while those before them are answered."""
    look_again_s: float = Field(default=5.0, gt=0)
    """How long it is believed which pool serves a version that is placed in none."""
    shadow_most: int = Field(default=16, ge=1)
    """Most copies that shadow versions work on at a time in this process; more are not sent."""
    shadow_max_bytes: int = Field(default=64 * 2**20, ge=1)
    """Most bytes that these hold, inputs with the answers that they are compared with."""
    shadow_timeout_s: float = Field(default=10.0, gt=0)
    """Longest time that a shadow version may take."""
