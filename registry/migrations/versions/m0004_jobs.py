"""Add jobs, each with its history."""

import sqlalchemy as sa
from alembic import op

from registry.migrations.types import Id, Json, Moment

revision = "0004"
down_revision = "0003"

_JobId = sa.String(32).with_variant(sa.String(32, collation="C"), "postgresql")
_Output = sa.String(1024).with_variant(sa.String(1024, collation="C"), "postgresql")


def upgrade() -> None:
    """Add what is new; nothing that was there changes."""
    op.create_table(
        "jobs",
        sa.Column("id", _JobId, primary_key=True),
        sa.Column("asked", Json, nullable=False),
        sa.Column("model_id", Id, nullable=False),
        sa.Column("version", sa.Integer, nullable=False),
        sa.Column("output", _Output, nullable=False),
        sa.Column("state", sa.String(32), nullable=False),
        sa.Column("submitted_at", Moment, nullable=False),
        sa.Column("submitted_by", sa.Text, nullable=False),
        sa.Column("fingerprint", sa.String(64), nullable=False),
        sa.Column("request", sa.String(64)),
        sa.Column("attempt", sa.Integer, nullable=False),
        sa.Column("attempts_lost", sa.Integer, nullable=False),
        sa.Column("run_id", sa.String(36)),
        sa.Column("cancel_asked_at", Moment),
        sa.Column("started_at", Moment),
        sa.Column("ended_at", Moment),
        sa.Column("heard_at", Moment),
        sa.Column("settled_at", Moment),
        sa.Column("why", sa.Text, nullable=False),
        sa.Column("retry_of", _JobId),
        sa.Column("revision", sa.Integer, nullable=False),
        sa.Column("changed_at", Moment, nullable=False),
        sa.Column("counts", Json, nullable=False),
        sa.UniqueConstraint("request"),
        sa.ForeignKeyConstraint(["model_id", "version"], ["versions.model_id", "versions.number"]),
    )
    for columns in (["model_id", "id"], ["state", "id"], ["submitted_by", "id"]):
        op.create_index(f"ix_jobs_{'_'.join(columns)}", "jobs", columns)
    _create_partial("uq_jobs_output", "output", "ended_at IS NULL", unique=True)
    _create_partial("ix_jobs_unsettled", "id", "settled_at IS NULL", unique=False)
    op.create_table(
        "job_events",
        sa.Column("job_id", _JobId, sa.ForeignKey("jobs.id"), nullable=False),
        sa.Column("revision", sa.Integer, nullable=False),
        sa.Column("kind", sa.String(32), nullable=False),
        sa.Column("at", Moment, nullable=False),
        sa.Column("by", sa.Text, nullable=False),
        sa.Column("state", sa.String(32), nullable=False),
        sa.Column("from_state", sa.String(32)),
        sa.Column("attempt", sa.Integer, nullable=False),
        sa.Column("why", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("job_id", "revision"),
    )


def downgrade() -> None:
    """Forget the jobs; what they used may be deleted again."""
    op.drop_table("job_events")
    op.drop_table("jobs")
    op.execute("DELETE FROM uses WHERE kind = 'job'")


def _create_partial(name: str, column: str, condition: str, *, unique: bool) -> None:
    where = sa.text(condition)
    op.create_index(
        name, "jobs", [column], unique=unique, sqlite_where=where, postgresql_where=where
    )
