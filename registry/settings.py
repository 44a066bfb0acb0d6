"""Where the registry keeps its rows."""

from pydantic import Field, SecretStr
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
    redis_url: SecretStr | None = Field(
        default=None,
        description="Redis that several API processes share: `redis://HOST:6379/0`. One process "
        "alone keeps what it needs in its own memory.",
    )
    cache_version_life_s: float = Field(
        default=900.0,
        gt=0,
        description="How long what is registered is kept, versions, models and lists of them, less "
        "up to 15 % by chance. A change is seen at once all the same: see `cache_lease_s`.",
    )
    cache_alias_life_s: float = Field(
        default=60.0,
        gt=0,
        description="How long it is kept where an alias points. A move is seen at once all the "
        "same; this only bounds how long SQL that somebody wrote by hand is not.",
    )
    cache_absent_life_s: float = Field(
        default=2.0,
        gt=0,
        description="How long it is kept that there is no such model, version or alias: enough to "
        "keep a caller's typing error from the database.",
    )
    cache_lease_s: float = Field(
        default=1.0,
        gt=0,
        description="How long a process believes what is kept before the database is asked, by one "
        "row, whether it has changed. So long a change is not acknowledged while Redis cannot be "
        "told of it, and so long processes without Redis do not see what another one changes. The "
        "same for all processes that share a Redis: each waits for its own.",
    )
    cache_bytes: int = Field(
        default=64 * 2**20,
        ge=1,
        description="Most bytes of answers that a process without Redis keeps: a version takes one "
        "to two kilobytes, a page of a list up to 200.",
    )
    cache_answer_timeout_s: float = Field(
        default=0.1,
        gt=0,
        description="Longest wait for Redis, a hundred times what it takes: then the database is "
        "asked.",
    )
    cache_rest_s: float = Field(
        default=0.5,
        gt=0,
        description="How long Redis is left alone after it failed; doubled with each failure.",
    )
    cache_longest_rest_s: float = Field(
        default=10.0, gt=0, description="The longest that Redis is left alone."
    )
