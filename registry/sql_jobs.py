"""Keep jobs in a SQL database."""

from sqlalchemy import Select, func, or_, select, text
from sqlalchemy.orm import Session

from registry.job_tables import JobEventRow, JobRow, row_of
from registry.jobs import Job, JobEvent, JobFilter, places_above
from registry.sql_models import INTEGER_MAX, model_id
from registry.tables import ModelRow

_SUBMISSIONS = 0x6A6F6273  # "jobs"
"""Held in PostgreSQL by who adds an unfinished job; in SQLite there is one writer at a time."""


class SqlJobRows:
    """Jobs within one session; see `registry.port.JobRows`."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def job(self, job_id: str) -> Job | None:
        """Return the job, or None."""
        return self._one_job(_jobs().where(JobRow.id == job_id))

    def job_of_request(self, request: str) -> Job | None:
        """Return the job that this request became, or None."""
        return self._one_job(_jobs().where(JobRow.request == request))

    def jobs(self, wanted: JobFilter, *, after: str | None, limit: int | None) -> tuple[Job, ...]:
        """Return jobs, newest first; `after` is an id."""
        found = _jobs()
        if wanted.states:
            found = found.where(JobRow.state.in_(wanted.states))
        if wanted.model is not None:
            found = found.where(JobRow.model_id == model_id(wanted.model))
        if wanted.submitted_by is not None:
            found = found.where(JobRow.submitted_by == wanted.submitted_by)
        if wanted.unsettled:
            found = found.where(JobRow.settled_at.is_(None))
        if after is not None:
            found = found.where(JobRow.id < after)
        rows = self._session.execute(found.order_by(JobRow.id.desc()).limit(limit))
        return tuple(row.value(model) for row, model in rows)

    def lock_job(self, job_id: str) -> Job | None:
        """Return the job, or None, and keep other writers off it until the transaction ends."""
        found = _jobs().where(JobRow.id == job_id).with_for_update(of=JobRow)
        return self._one_job(found.execution_options(populate_existing=True))

    def lock_submissions(self) -> None:
        """Keep others from adding unfinished jobs until the transaction ends."""
        if self._session.get_bind().dialect.name == "postgresql":
            self._session.execute(text("SELECT pg_advisory_xact_lock(:n)"), {"n": _SUBMISSIONS})

    def count_unfinished(self) -> int:
        """Return how many jobs are not finished."""
        found = select(func.count()).select_from(JobRow).where(JobRow.ended_at.is_(None))
        return self._session.scalars(found).one()

    def job_writing(self, output: str) -> str | None:
        """Return the id of an unfinished job that writes at, above or below `output`, or None."""
        below = (JobRow.output > f"{output}/", JobRow.output < f"{output}0")  # "0" follows "/"
        found = select(JobRow.id).where(
            JobRow.ended_at.is_(None),
            or_(JobRow.output.in_(places_above(output)), below[0] & below[1]),
        )
        return self._session.scalar(found.limit(1))

    def add_job(self, job: Job) -> None:
        """Add a job."""
        # The number alone: a model's row brings its tags, which takes as long as the insert.
        owner = self._session.scalars(select(ModelRow.id).where(ModelRow.name == job.model)).one()
        self._session.add(row_of(job, owner))
        self._session.flush()

    def put_job(self, job: Job) -> None:
        """Keep what may change of a locked job."""
        row = self._session.get_one(JobRow, job.id)
        row.keep(job)
        self._session.flush()

    def add_job_event(self, event: JobEvent) -> None:
        """Add a line to the history of a locked job."""
        self._session.add(
            JobEventRow(
                job_id=event.job,
                revision=event.revision,
                kind=event.kind,
                at=event.at,
                by=event.by,
                state=event.state,
                from_state=event.from_state,
                attempt=event.attempt,
                why=event.why,
            )
        )
        self._session.flush()

    def job_events(
        self, job_id: str, *, after: int | None, limit: int | None
    ) -> tuple[JobEvent, ...]:
        """Return what happened to the job, newest first; `after` is a revision."""
        found = select(JobEventRow).where(JobEventRow.job_id == job_id)
        if after is not None:
            found = found.where(JobEventRow.revision < min(after, INTEGER_MAX))
        rows = self._session.scalars(found.order_by(JobEventRow.revision.desc()).limit(limit))
        return tuple(row.value() for row in rows)

    def _one_job(self, found: Select[JobRow, str]) -> Job | None:
        row = self._session.execute(found).one_or_none()
        return row[0].value(row[1]) if row else None


def _jobs() -> Select[JobRow, str]:
    return select(JobRow, ModelRow.name).join(ModelRow, ModelRow.id == JobRow.model_id)
