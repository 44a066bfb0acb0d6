"""Lay out models, versions, aliases and their moves, as before there were migrations."""

import sqlalchemy as sa
from alembic import op

from registry.migrations.types import Id, Json

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Create the first tables."""
    op.create_table(
        "models",
        sa.Column("id", Id, primary_key=True, autoincrement=True),
        sa.Column("name", sa.String(128), nullable=False),
        sa.Column("description", sa.Text, nullable=False),
        sa.Column("last_version", sa.Integer, nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.UniqueConstraint("name"),
    )
    op.create_table(
        "versions",
        sa.Column("model_id", Id, sa.ForeignKey("models.id"), nullable=False),
        sa.Column("number", sa.Integer, nullable=False),
        sa.Column("content_sha256", sa.String(64), nullable=False),
        sa.Column("digest", sa.String(96), nullable=False),
        sa.Column("served_name", sa.Text, nullable=False),
        sa.Column("served_version", sa.String(20), nullable=False),
        sa.Column("signature", Json, nullable=False),
        sa.Column("columns", Json, nullable=False),
        sa.Column("artifact", sa.Text),
        sa.Column("description", sa.Text, nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("created_by", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("model_id", "number"),
        sa.UniqueConstraint("model_id", "content_sha256"),
    )
    op.create_table(
        "aliases",
        sa.Column("model_id", Id, nullable=False),
        sa.Column("name", sa.String(128), nullable=False),
        sa.Column("version", sa.Integer, nullable=False),
        sa.Column("moved_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("model_id", "name"),
        sa.ForeignKeyConstraint(["model_id", "version"], ["versions.model_id", "versions.number"]),
    )
    create_alias_moves()


def create_alias_moves() -> None:
    """Create the table of moves, which a later schema has in another form."""
    versions = ["versions.model_id", "versions.number"]
    op.create_table(
        "alias_moves",
        sa.Column("id", Id, primary_key=True, autoincrement=True),
        sa.Column("model_id", Id, nullable=False),
        sa.Column("alias", sa.String(128), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("by", sa.Text, nullable=False),
        sa.Column("from_version", sa.Integer),
        sa.Column("to_version", sa.Integer, nullable=False),
        sa.Column("why", sa.Text, nullable=False),
        sa.ForeignKeyConstraint(["model_id", "to_version"], versions),
        sa.ForeignKeyConstraint(["model_id", "from_version"], versions),
    )
    op.create_index("ix_alias_moves_model_id_alias_id", "alias_moves", ["model_id", "alias", "id"])


def downgrade() -> None:
    """Leave nothing."""
    for table in ("alias_moves", "aliases", "versions", "models"):
        op.drop_table(table)
