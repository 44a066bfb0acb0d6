"""Keep the registry's rows in memory: the twin of `registry.store.SqlStore`."""

import secrets
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from copy import copy
from dataclasses import dataclass, field, fields, replace
from datetime import datetime
from typing import Any

from registry.answers import Claim, Earlier, KeptAnswer
from registry.domain import Alias, Approval, Model, ModelVersion
from registry.events import Event
from registry.generations import EVERYTHING, UNTOUCHED, Advanced, Audience, Generation, Nobody
from registry.jobs import Job, JobEvent, JobFilter, places_above
from registry.pages import EventFilter, ModelFilter, TagFilter, VersionFilter
from registry.pools import Placement, Pool, PoolServer, ServerState
from registry.routes import Route
from registry.uses import Use


@dataclass(slots=True)
class MemoryRows:
    """The registry's rows within one transaction."""

    all_models: dict[str, Model] = field(default_factory=dict)
    gone_models: set[str] = field(default_factory=set)
    all_versions: dict[tuple[str, int], ModelVersion] = field(default_factory=dict)
    contents: dict[tuple[str, str], int] = field(default_factory=dict)
    all_aliases: dict[tuple[str, str], Alias] = field(default_factory=dict)
    all_routes: dict[tuple[str, str], Route] = field(default_factory=dict)
    all_approvals: list[Approval] = field(default_factory=list)
    all_uses: set[Use] = field(default_factory=set)
    all_pools: dict[str, Pool] = field(default_factory=dict)
    gone_pools: set[str] = field(default_factory=set)
    all_servers: dict[tuple[str, str], PoolServer] = field(default_factory=dict)
    all_placements: dict[tuple[str, str, int], Placement] = field(default_factory=dict)
    all_events: list[Event] = field(default_factory=list)
    all_jobs: dict[str, Job] = field(default_factory=dict)
    all_job_events: list[JobEvent] = field(default_factory=list)
    all_keys: dict[tuple[str, str], tuple[Claim, KeptAnswer | None]] = field(default_factory=dict)
    generations: dict[str, Generation] = field(default_factory=dict)
    touched: set[str] = field(default_factory=set)

    def copied(self) -> "MemoryRows":
        """Return rows that may be changed; what they hold never is."""
        return MemoryRows(*(copy(getattr(self, each.name)) for each in fields(self)))

    def model(self, name: str) -> Model | None:
        return None if name in self.gone_models else self.all_models.get(name)

    def models(
        self, wanted: ModelFilter, *, after: str | None, limit: int | None
    ) -> tuple[Model, ...]:
        found = [
            model
            for name, model in sorted(self.all_models.items())
            if name not in self.gone_models
            and name.startswith(wanted.prefix)
            and wanted.created_by in (None, model.created_by)
            and _tagged(model.tags, wanted.tag)
            and (after is None or name > after)
        ]
        return tuple(found[:limit])

    def lock_model(self, name: str) -> Model | None:
        return self.model(name)

    def add_model(self, model: Model) -> tuple[Model, bool]:
        found = self.model(model.name)
        if found is not None:
            return found, False
        known = self.all_models.get(model.name)
        if known is not None:
            model = replace(
                model,
                last_version=known.last_version,
                revision=known.revision,
                changed_at=known.changed_at,
                protected=known.protected,
            )
        self.gone_models.discard(model.name)
        self.all_models[model.name] = replace(
            model, changed_at=model.changed_at or model.created_at
        )
        return self.all_models[model.name], True

    def put_model(self, model: Model) -> None:
        self.all_models[model.name] = model

    def delete_model(self, name: str, at: datetime) -> None:
        self.gone_models.add(name)
        for model, number in list(self.all_versions):
            if model == name:
                self.delete_version(name, number, at)

    def version(self, model: str, number: int) -> ModelVersion | None:
        return self.all_versions.get((model, number))

    def versions(
        self, model: str, wanted: VersionFilter, *, after: int | None, limit: int | None
    ) -> tuple[ModelVersion, ...]:
        found = [
            version
            for (name, number), version in sorted(self.all_versions.items(), reverse=True)
            if name == model
            and wanted.created_by in (None, version.created_by)
            and _tagged(version.tags, wanted.tag)
            and (after is None or number < after)
        ]
        return tuple(found[:limit])

    def version_by_content(self, model: str, content: str) -> ModelVersion | None:
        return self.all_versions.get((model, self.contents.get((model, content), 0)))

    def add_version(self, version: ModelVersion, *, content: str) -> None:
        self.all_versions[version.name, version.version] = version
        self.contents[version.name, content] = version.version

    def delete_version(self, model: str, number: int, at: datetime) -> None:
        del self.all_versions[model, number]

    def alias(self, model: str, name: str) -> Alias | None:
        return self.all_aliases.get((model, name))

    def aliases(
        self, model: str, *, after: str | None, limit: int | None, version: int | None = None
    ) -> tuple[Alias, ...]:
        found = [
            alias
            for (name, alias_name), alias in sorted(self.all_aliases.items())
            if name == model
            and version in (None, alias.version)
            and (after is None or alias_name > after)
        ]
        return tuple(found[:limit])

    def put_alias(self, alias: Alias) -> None:
        self.all_aliases[alias.model, alias.name] = alias

    def delete_alias(self, model: str, name: str) -> None:
        del self.all_aliases[model, name]

    def approvals(self, model: str, version: int) -> tuple[Approval, ...]:
        found = [a for a in self.all_approvals if (a.model, a.version) == (model, version)]
        return tuple(sorted(found, key=lambda approval: approval.by))

    def add_approval(self, approval: Approval) -> None:
        self.all_approvals.append(approval)

    def route(self, model: str, alias: str) -> Route | None:
        return self.all_routes.get((model, alias))

    def put_route(self, route: Route) -> None:
        self.all_routes[route.model, route.alias] = route

    def delete_route(self, model: str, alias: str) -> None:
        self.all_routes.pop((model, alias), None)

    def uses(self, model: str, version: int | None) -> tuple[Use, ...]:
        found = [u for u in self.all_uses if u.model == model and version in (None, u.version)]
        return tuple(sorted(found, key=lambda use: (use.kind, use.id, use.version or 0)))

    def add_use(self, use: Use) -> None:
        self.all_uses.add(use)

    def remove_uses(self, kind: str, name: str) -> tuple[Use, ...]:
        gone = [use for use in self.all_uses if (use.kind, use.id) == (kind, name)]
        self.all_uses.difference_update(gone)
        return tuple(sorted(gone, key=lambda use: (use.model, use.version or 0)))

    def pool(self, name: str) -> Pool | None:
        return None if name in self.gone_pools else self.all_pools.get(name)

    def pools(self, *, prefix: str, after: str | None, limit: int | None) -> tuple[Pool, ...]:
        found = [
            pool
            for name, pool in sorted(self.all_pools.items())
            if name not in self.gone_pools
            and name.startswith(prefix)
            and (after is None or name > after)
        ]
        return tuple(found[:limit])

    def lock_pool(self, name: str) -> Pool | None:
        return self.pool(name)

    def add_pool(self, pool: Pool) -> tuple[Pool, bool]:
        found = self.pool(pool.name)
        if found is not None:
            return found, False
        known = self.all_pools.get(pool.name)
        if known is not None:
            pool = replace(pool, revision=known.revision, changed_at=known.changed_at)
        self.gone_pools.discard(pool.name)
        self.all_pools[pool.name] = replace(pool, changed_at=pool.changed_at or pool.created_at)
        return self.all_pools[pool.name], True

    def put_pool(self, pool: Pool) -> None:
        self.all_pools[pool.name] = pool

    def delete_pool(self, name: str, at: datetime) -> None:
        self.gone_pools.add(name)

    def server(self, pool: str, url: str) -> PoolServer | None:
        return self.all_servers.get((pool, url))

    def servers(
        self, pool: str, *, removed: bool, after: str | None, limit: int | None
    ) -> tuple[PoolServer, ...]:
        found = [
            server
            for (name, url), server in sorted(self.all_servers.items())
            if name == pool
            and (removed or server.state is not ServerState.REMOVED)
            and (after is None or url > after)
        ]
        return tuple(found[:limit])

    def put_server(self, server: PoolServer) -> str:
        for other in self.all_servers.values():
            taken = other.url == server.url and other.pool != server.pool
            if taken and ServerState.REMOVED not in (other.state, server.state):
                return other.pool
        self.all_servers[server.pool, server.url] = server
        return server.pool

    def placements(
        self, *, pool: str | None = None, model: str | None = None, version: int | None = None
    ) -> tuple[Placement, ...]:
        found = [
            placement
            for _, placement in sorted(self.all_placements.items())
            if pool in (None, placement.pool)
            and model in (None, placement.model)
            and version in (None, placement.version)
        ]
        return tuple(found)

    def add_placement(self, placement: Placement) -> None:
        self.all_placements[placement.pool, placement.model, placement.version] = placement

    def remove_placement(self, pool: str, model: str, version: int) -> None:
        del self.all_placements[pool, model, version]

    def add_event(self, event: Event) -> Event:
        kept = replace(event, id=len(self.all_events) + 1)
        self.all_events.append(kept)
        return kept

    def events(
        self, wanted: EventFilter, *, after: int | None, limit: int | None
    ) -> tuple[Event, ...]:
        found = sorted(self.all_events, key=lambda event: (event.at, event.id), reverse=True)
        if after is not None:
            places = [event.id for event in found]
            found = found[places.index(after) + 1 :] if after in places else []
        return tuple(event for event in found if _wanted(event, wanted))[:limit]

    def job(self, job_id: str) -> Job | None:
        return self.all_jobs.get(job_id)

    def job_of_request(self, request: str) -> Job | None:
        return next((job for job in self.all_jobs.values() if job.request == request), None)

    def jobs(self, wanted: JobFilter, *, after: str | None, limit: int | None) -> tuple[Job, ...]:
        found = [
            job
            for job_id, job in sorted(self.all_jobs.items(), reverse=True)
            if (not wanted.states or job.state in wanted.states)
            and wanted.model in (None, job.model)
            and wanted.submitted_by in (None, job.submitted_by)
            and not (wanted.unsettled and job.settled_at)
            and (after is None or job_id < after)
        ]
        return tuple(found[:limit])

    def lock_job(self, job_id: str) -> Job | None:
        return self.job(job_id)

    def lock_submissions(self) -> None:
        """Whoever writes is alone."""

    def count_unfinished(self) -> int:
        return sum(job.ended_at is None for job in self.all_jobs.values())

    def job_writing(self, output: str) -> str | None:
        for job in self.all_jobs.values():
            near = output in places_above(job.output) or job.output in places_above(output)
            if job.ended_at is None and near:
                return job.id
        return None

    def add_job(self, job: Job) -> None:
        self.all_jobs[job.id] = job

    def put_job(self, job: Job) -> None:
        self.all_jobs[job.id] = job

    def add_job_event(self, event: JobEvent) -> None:
        self.all_job_events.append(event)

    def job_events(
        self, job_id: str, *, after: int | None, limit: int | None
    ) -> tuple[JobEvent, ...]:
        found = [
            event
            for event in reversed(self.all_job_events)
            if event.job == job_id and (after is None or event.revision < after)
        ]
        return tuple(found[:limit])

    def claim_key(self, claim: Claim) -> Earlier | None:
        earlier, answer = self.all_keys.get((claim.scope, claim.key), (None, None))
        if earlier is not None and earlier.expires_at > claim.now:
            free = earlier.token == claim.token or earlier.now < claim.abandoned_before
            if answer is not None or not free:
                return Earlier(earlier.fingerprint, earlier.expires_at, answer)
        self.all_keys[claim.scope, claim.key] = (claim, None)
        return None

    def keep_answer(self, claim: Claim, answer: KeptAnswer) -> None:
        self.all_keys[claim.scope, claim.key] = (claim, answer)

    def free_key(self, claim: Claim) -> None:
        earlier, answer = self.all_keys.get((claim.scope, claim.key), (None, None))
        if earlier is not None and earlier.token == claim.token and answer is None:
            del self.all_keys[claim.scope, claim.key]

    def generation(self, scope: str) -> Generation:
        return self.generations.get(scope, UNTOUCHED)

    def touch(self, *scopes: str) -> None:
        self.touched.update(scopes)

    def advance(self) -> Advanced:
        if not self.touched:
            return {}
        advanced = {
            scope: Generation(self.generation(scope).number + 1, secrets.token_hex(8))
            for scope in (*sorted(self.touched), EVERYTHING)
        }
        self.touched.clear()
        self.generations.update(advanced)
        return advanced


class MemoryStore:
    """One lock is every row's lock; a transaction works on a copy that replaces the rows."""

    def __init__(self, audience: Audience | None = None) -> None:
        self._audience = audience or Nobody()
        self._rows = MemoryRows()
        self._lock = threading.Lock()

    @contextmanager
    def reading(self) -> Iterator[MemoryRows]:
        with self._lock:
            snapshot = self._rows.copied()
        yield snapshot

    @contextmanager
    def writing(self) -> Iterator[MemoryRows]:
        with self._lock:
            changed = self._rows.copied()
            yield changed
            advanced = changed.advance()
            if advanced:
                self._audience.before(advanced)
            self._rows = changed
        if advanced:
            self._audience.after(advanced)

    def close(self) -> None:
        """Nothing is held."""


def _tagged(tags: Any, wanted: TagFilter | None) -> bool:
    return wanted is None or (wanted.key in tags and wanted.value in (None, tags[wanted.key]))


def _wanted(event: Event, wanted: EventFilter) -> bool:
    return (
        all(
            getattr(wanted, name) in (None, getattr(event, name))
            for name in ("model", "pool", "alias", "version", "by")
        )
        and (not wanted.kinds or event.kind in wanted.kinds)
        and (wanted.since is None or event.at >= wanted.since)
        and (wanted.until is None or event.at <= wanted.until)
    )
