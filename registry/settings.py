"""Where the registry keeps its rows."""

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict


class RegistrySettings(BaseSettings):
    """Read once, in the composition root of a process."""

    model_config = SettingsConfigDict(env_prefix="NIGHTSHIFT_", extra="ignore")

    database_url: str = Field(
        default="sqlite:///.nightshift/registry.db",
        min_length=1,
        description="SQLAlchemy URL of the registry's database. A file below the working folder "
        "unless said otherwise: a first run needs no database server.",
    )
    database_busy_timeout_s: float = Field(
        default=30.0,
        gt=0,
        description="Longest wait for another process's write. A write takes milliseconds, so 30 s "
        "is only reached when a process hangs inside one.",
    )
    database_answer_timeout_s: float = Field(
        default=5.0,
        gt=0,
        description="Longest wait for a database server to accept a connection, or to acknowledge "
        "what was sent: one that is away is told within seconds. SQLite has none.",
    )
    database_connections: int = Field(
        default=10,
        ge=1,
        description="Most connections of one process to a database server: PostgreSQL allows 100 "
        "in all unless told otherwise.",
    )
