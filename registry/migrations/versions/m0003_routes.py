"""Add routes: how the requests of an alias are split over versions."""

import sqlalchemy as sa
from alembic import op

from registry.migrations.types import Id, Json, Moment, Name

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Create the table."""
    op.create_table(
        "routes",
        sa.Column("model_id", Id, nullable=False),
        sa.Column("alias", Name, nullable=False),
        sa.Column("canaries", Json, nullable=False),
        sa.Column("shadow", Json, nullable=False),
        sa.Column("changed_at", Moment, nullable=False),
        sa.Column("changed_by", sa.Text, nullable=False),
        sa.Column("revision", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("model_id", "alias"),
        sa.ForeignKeyConstraint(["model_id", "alias"], ["aliases.model_id", "aliases.name"]),
    )


def downgrade() -> None:
    """Forget the routes with what they kept from being deleted.

    The history keeps its lines under a name that the older program knows.
    """
    op.execute("DELETE FROM uses WHERE kind = 'route'")
    op.execute("UPDATE events SET kind = 'model.changed' WHERE kind LIKE 'route.%'")
    op.drop_table("routes")
