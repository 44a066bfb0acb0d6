"""Where the commands keep what they need on one machine."""

from pathlib import Path

from pydantic import Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict

_CHECKOUT = Path(__file__).parents[1]


class LocalSettings(BaseSettings):
    """Read from `NIGHTSHIFT_…` variables, once per command."""

    model_config = SettingsConfigDict(env_prefix="NIGHTSHIFT_", extra="ignore", frozen=True)

    data_dir: Path = Field(
        default=Path(".nightshift"),
        description="Folder of everything that a single machine keeps; below the working folder "
        "unless said otherwise, so that a clone holds all of it.",
    )
    model_repository: Path | None = Field(
        default=None,
        description="Triton's model repository, as this machine sees it. `models` in the data "
        "folder unless said otherwise.",
    )
    triton_env: Path | None = Field(
        default=None,
        description="Environment that carries Triton, built by `make`. `triton-env` in the data "
        "folder unless said otherwise, or in that of the checkout that this program runs from.",
    )

    @property
    def repository_dir(self) -> Path:
        """The model repository that local servers serve."""
        return self.model_repository or self.data_dir / "models"

    @property
    def triton_env_dir(self) -> Path:
        """The environment that local servers run from."""
        return self.triton_env or self._built("triton-env")

    @property
    def prefect_template_dir(self) -> Path:
        """The migrated database of which each local Prefect server gets a copy."""
        return self._built("prefect/template")

    @property
    def servers_dir(self) -> Path:
        """Logs and state of local servers."""
        return self.data_dir / "triton"

    def _built(self, name: str) -> Path:
        """Where `make` built something: one may work in another folder than the checkout."""
        here = self.data_dir / name
        return here if here.is_dir() else _CHECKOUT / ".nightshift" / name


class ApiClientSettings(BaseSettings):
    """The API that commands talk to: `NIGHTSHIFT_API_URL`, `NIGHTSHIFT_API_TOKEN`."""

    model_config = SettingsConfigDict(env_prefix="NIGHTSHIFT_API_", extra="ignore", frozen=True)

    url: str | None = Field(
        default=None,
        pattern=r"^https?://[^\s/]+(/\S*)?$",
        description="Where it is; without one, `nightshift models` opens the database itself.",
    )
    token: SecretStr | None = Field(
        default=None, description="Who asks. In development `nightshift token` prints one."
    )
