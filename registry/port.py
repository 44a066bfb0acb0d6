"""Say what the registry's rules need of the place where its rows are kept."""

from contextlib import AbstractContextManager
from datetime import datetime
from typing import Protocol

from registry.answers import AnswerRows
from registry.domain import Alias, Approval, Model, ModelVersion
from registry.events import Event
from registry.generations import Generation
from registry.jobs import Job, JobEvent, JobFilter
from registry.pages import EventFilter, ModelFilter, VersionFilter
from registry.pools import Placement, Pool, PoolServer
from registry.routes import Route
from registry.uses import Use


class ModelRows(Protocol):
    """Models, versions and what points to them, within one transaction.

    Methods that take the name of a `model` expect it to exist; an unknown one has no rows. Those
    that write expect it to be locked. Lists take the key of the last item seen as `after` and give
    at most `limit` items that follow; None gives all.
    """

    def model(self, name: str) -> Model | None:
        """Return the model unless it was deleted, or None."""

    def models(
        self, wanted: ModelFilter, *, after: str | None, limit: int | None
    ) -> tuple[Model, ...]:
        """Return models by name; `after` is a name."""

    def lock_model(self, name: str) -> Model | None:
        """Return the model, or None, and keep other writers off it until the transaction ends."""

    def add_model(self, model: Model) -> tuple[Model, bool]:
        """Lock the model, added unless it exists; return it as it now is, and whether it was.

        One that had been deleted begins anew, but counts its versions and events on, and its
        protected aliases stay so.
        """

    def put_model(self, model: Model) -> None:
        """Keep what may change of a model."""

    def delete_model(self, name: str, at: datetime) -> None:
        """Take the model away; its numbers stay taken and its events stay readable."""

    def version(self, model: str, number: int) -> ModelVersion | None:
        """Return the version unless it was deleted, or None."""

    def versions(
        self, model: str, wanted: VersionFilter, *, after: int | None, limit: int | None
    ) -> tuple[ModelVersion, ...]:
        """Return the model's versions, newest first; `after` is a number."""

    def version_by_content(self, model: str, content: str) -> ModelVersion | None:
        """Return the version that was added under this content digest, or None."""

    def add_version(self, version: ModelVersion, *, content: str) -> None:
        """Add a version, with its `created_at`."""

    def delete_version(self, model: str, number: int, at: datetime) -> None:
        """Take the version away; its number stays taken."""

    def alias(self, model: str, name: str) -> Alias | None:
        """Return the alias, or None."""

    def aliases(
        self, model: str, *, after: str | None, limit: int | None, version: int | None = None
    ) -> tuple[Alias, ...]:
        """Return the model's aliases by name, or those of one version; `after` is a name."""

    def put_alias(self, alias: Alias) -> None:
        """Add the alias, or move it."""

    def delete_alias(self, model: str, name: str) -> None:
        """Take the alias away."""

    def approvals(self, model: str, version: int) -> tuple[Approval, ...]:
        """Return who approved the version, by name."""

    def add_approval(self, approval: Approval) -> None:
        """Add the word of somebody who has not approved the version yet."""

    def route(self, model: str, alias: str) -> Route | None:
        """Return the alias's route, or None."""

    def put_route(self, route: Route) -> None:
        """Add the route of an alias that is there, or replace it."""

    def delete_route(self, model: str, alias: str) -> None:
        """Take the route away, if there is one."""

    def uses(self, model: str, version: int | None) -> tuple[Use, ...]:
        """Return what uses the version; for None, what uses the model or any of its versions."""

    def add_use(self, use: Use) -> None:
        """Add a use; one that is there stays."""

    def remove_uses(self, kind: str, name: str) -> tuple[Use, ...]:
        """Take away everything that this user uses; return what that was."""


class PoolRows(Protocol):
    """Pools, their servers and placements, within one transaction.

    Methods that write expect the `pool` to be locked. Lists are as those of `ModelRows`.
    """

    def pool(self, name: str) -> Pool | None:
        """Return the pool, or None."""

    def pools(self, *, prefix: str, after: str | None, limit: int | None) -> tuple[Pool, ...]:
        """Return pools by name; `after` is a name."""

    def lock_pool(self, name: str) -> Pool | None:
        """Return the pool, or None, and keep other writers off it until the transaction ends."""

    def add_pool(self, pool: Pool) -> tuple[Pool, bool]:
        """Lock the pool, added unless it exists; return it as it now is, and whether it was.

        One that had been deleted begins anew, but counts its events on.
        """

    def put_pool(self, pool: Pool) -> None:
        """Keep what may change of a pool."""

    def delete_pool(self, name: str, at: datetime) -> None:
        """Take the pool away; its events stay readable."""

    def server(self, pool: str, url: str) -> PoolServer | None:
        """Return the pool's server, a removed one too, or None."""

    def servers(
        self, pool: str, *, removed: bool, after: str | None, limit: int | None
    ) -> tuple[PoolServer, ...]:
        """Return the pool's servers by address, on wish the removed too; `after` is an address."""

    def put_server(self, server: PoolServer) -> str:
        """Add the server, or keep what changed of it; return the pool that has it.

        That is another pool when one was faster: nothing is changed then.
        """

    def placements(
        self, *, pool: str | None = None, model: str | None = None, version: int | None = None
    ) -> tuple[Placement, ...]:
        """Return what is wanted where, by pool, model and version."""

    def add_placement(self, placement: Placement) -> None:
        """Add a wish that is not there yet, to a locked pool and model."""

    def remove_placement(self, pool: str, model: str, version: int) -> None:
        """Take a wish away."""


class EventRows(Protocol):
    """The history, within one transaction."""

    def add_event(self, event: Event) -> Event:
        """Add a line to the history of a locked model or pool; return it with its place."""

    def events(
        self, wanted: EventFilter, *, after: int | None, limit: int | None
    ) -> tuple[Event, ...]:
        """Return events, newest first; `after` is an event's `id`."""


class JobRows(Protocol):
    """Jobs and what happened to them, within one transaction; lists are as those of `ModelRows`."""

    def job(self, job_id: str) -> Job | None:
        """Return the job, or None."""

    def job_of_request(self, request: str) -> Job | None:
        """Return the job that this request became, or None."""

    def jobs(self, wanted: JobFilter, *, after: str | None, limit: int | None) -> tuple[Job, ...]:
        """Return jobs, newest first; `after` is an id."""

    def lock_job(self, job_id: str) -> Job | None:
        """Return the job, or None, and keep other writers off it until the transaction ends."""

    def lock_submissions(self) -> None:
        """Keep others from adding unfinished jobs until the transaction ends."""

    def count_unfinished(self) -> int:
        """Return how many jobs are not finished."""

    def job_writing(self, output: str) -> str | None:
        """Return the id of an unfinished job that writes at, above or below `output`, or None."""

    def add_job(self, job: Job) -> None:
        """Add a job."""

    def put_job(self, job: Job) -> None:
        """Keep what may change of a locked job."""

    def add_job_event(self, event: JobEvent) -> None:
        """Add a line to the history of a locked job."""

    def job_events(
        self, job_id: str, *, after: int | None, limit: int | None
    ) -> tuple[JobEvent, ...]:
        """Return what happened to the job, newest first; `after` is a revision."""


class GenerationRows(Protocol):
    """What tells one state of a scope from another, within one transaction."""

    def generation(self, scope: str) -> Generation:
        """Return the scope's present generation."""

    def touch(self, *scopes: str) -> None:
        """Say that this transaction changes what these scopes hold: they get new generations."""


class Rows(ModelRows, PoolRows, EventRows, JobRows, AnswerRows, GenerationRows, Protocol):
    """The registry's rows within one transaction."""


class Store(Protocol):
    """Where the registry's rows are kept.

    A transaction that ends with an exception leaves no trace. The store's audience hears of new
    generations before the commit, and after it. Raises `RegistryUnavailable`.
    """

    def reading(self) -> AbstractContextManager[Rows]:
        """Open a transaction that sees one consistent state."""

    def writing(self) -> AbstractContextManager[Rows]:
        """Open a transaction that may change rows, committed when the block ends."""

    def close(self) -> None:
        """Give connections back."""
