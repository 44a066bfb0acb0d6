"""Read which stores there are."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, SecretStr, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from inference.stores import Stores, canonical

StoreName = Annotated[str, Field(pattern=r"^[A-Za-z0-9_.-]{1,128}$")]


class StoreSettings(BaseModel):
    """One place where datasets may lie; what is not set is as `NIGHTSHIFT_S3_…` says."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    prefixes: tuple[str, ...] = Field(min_length=1)
    """What may be read and written: `s3://bucket/prefix/` or absolute paths, with all below."""
    endpoint_url: str | None = None
    """Address of an S3 that is not AWS's."""
    region: str | None = None
    """Region to sign for."""
    access_key: str | None = None
    """Access key id."""
    secret_key: SecretStr | None = None
    """Secret access key."""
    session_token: SecretStr | None = None
    """Token of temporary keys."""
    addressing_style: Literal["auto", "path", "virtual"] | None = None
    """Where the bucket's name goes."""
    anonymous: bool | None = None
    """Read public buckets without credentials."""

    @field_validator("prefixes")
    @classmethod
    def _are_addresses(cls, prefixes: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(canonical(prefix) for prefix in prefixes)


class StoresSettings(BaseSettings):
    """Read from `NIGHTSHIFT_STORES`, JSON by name: `{"lake": {"prefixes": ["s3://lake/"]}}`."""

    model_config = SettingsConfigDict(env_prefix="NIGHTSHIFT_", frozen=True, extra="ignore")

    stores: dict[StoreName, StoreSettings] = Field(default_factory=dict)
    """Where datasets may lie. Without any, a person's own commands take every address and the API
    takes none: it would read and write for others with its own rights."""

    def opened(self) -> Stores:
        """Return what tells where an address lies."""
        return stores_of(self.stores)


def stores_of(stores: dict[str, StoreSettings]) -> Stores:
    """Return what tells where an address lies."""
    return Stores({name: store.prefixes for name, store in stores.items()})
