"""What the API is told of jobs."""

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict


class JobsSettings(BaseSettings):
    """Read from `NIGHTSHIFT_JOBS_…` variables, and `PREFECT_API_URL`."""

    model_config = SettingsConfigDict(
        env_prefix="NIGHTSHIFT_JOBS_", frozen=True, extra="ignore", validate_by_name=True
    )

    prefect_api_url: str | None = Field(default=None, validation_alias="PREFECT_API_URL")
    """Prefect's API, which runs the jobs. Without one none are taken."""
    prefect_ui_url: str | None = None
    """Where people see Prefect's pages, for links; beside its API unless said otherwise."""
    max_unfinished: int = Field(default=500, ge=1)
    """Jobs that are unfinished at a time; others are told to come later. Each is looked at in turn,
    and Prefect's server keeps its run."""
    max_taking: int = Field(default=16, ge=1)
    """Submissions that are written down, or wait for that; others are told to come a second later.
    Each takes some 7 ms of the processor and the database, so that none waits for half a second."""
    write_at_once: int = Field(default=2, ge=1)
    """Those of them that have a thread. They wait for one another in the database anyway, and each
    thread that computes holds up the loop that answers."""
    send_at_once: int = Field(default=2, ge=1)
    """Jobs that are handed to Prefect at the same time: each takes its server some 0.1 s."""
    look_every_s: float = Field(default=5.0, gt=0)
    """Seconds between two comparisons of the jobs with Prefect's runs, well within the minute in
    which they must agree."""
    silent_s: float = Field(default=60.0, gt=0)
    """How long a run that Prefect calls running may tell nothing before it counts as dead: 30
    times what it takes to tell."""
    pending_s: float = Field(default=600.0, gt=0)
    """How long a run may take from a worker's hand to its first word: a cluster may have to start
    a machine."""
    ending_s: float = Field(default=20.0, ge=0)
    """How long a run that told its end may take to end; it writes its last lines then."""
    stop_s: float = Field(default=15.0, ge=0)
    """How long a run may take to hear that it is to stop, before Prefect is asked to end it."""
    max_lost_runs: int = Field(default=3, ge=0)
    """Runs of one job that may die in a row: what is committed stays, so the next one gets further
    unless the job itself is what kills it."""
    gpu_hour_price: float | None = Field(default=None, ge=0)
    """What an hour of a model instance at work costs; without it no cost is told."""
    currency: str = Field(default="USD", min_length=1, max_length=8)
    """The currency of that price."""
    max_watchers: int = Field(default=64, ge=0)
    """Streams of live progress that are open at a time, each a look at its job a second."""
    watch_every_s: float = Field(default=1.0, gt=0)
    """Seconds between these looks."""

    def run_page(self, run_id: str | None) -> str | None:
        """Return where people see the run, None where that is not known."""
        page = self.prefect_ui_url or (self.prefect_api_url or "").removesuffix("/api")
        return f"{page.rstrip('/')}/runs/flow-run/{run_id}" if page and run_id else None
