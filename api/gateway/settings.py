"""What the gateway is told by its environment."""

from typing import Literal

from pydantic import Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict

from api.gateway.claims import Expected


class TokenSettings(BaseSettings):
    """Whose tokens are accepted: `NIGHTSHIFT_JWT_…`, and `NIGHTSHIFT_ENVIRONMENT`."""

    model_config = SettingsConfigDict(
        env_prefix="NIGHTSHIFT_JWT_", frozen=True, extra="ignore", populate_by_name=True
    )

    environment: Literal["development", "production"] = Field(
        default="development", validation_alias="NIGHTSHIFT_ENVIRONMENT"
    )
    """`development` gives whoever asks a demo token, so it listens on loopback only. Forgetting to
    say `production` on a server therefore ends the start, and opens nothing."""
    secret: SecretStr | None = None
    """Secret of 32 bytes or more that HS256 tokens are signed with; this or `jwks_url` in
    production. Without either, development makes one that ends with the process."""
    jwks_url: str | None = None
    """Where the issuer publishes its RS256 and ES256 keys."""
    issuer: str = Field(default="nightshift", min_length=1)
    """`iss` of accepted tokens. Must be said with `jwks_url`."""
    audience: str = Field(default="nightshift", min_length=1)
    """`aud` of accepted tokens."""
    leeway_s: float = Field(default=10.0, ge=0, le=30)
    """How far the issuer's clock may be from ours; RFC 8725 calls for no more than needed."""
    demo_lifetime_s: float = Field(default=12 * 3600, gt=0)
    """Life of the demo token: a working day."""

    @property
    def expected(self) -> Expected:
        """What the claims of an accepted token are."""
        return Expected(self.issuer, self.audience, self.leeway_s)
