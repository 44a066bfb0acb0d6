"""Add pools, tags, approvals, uses, deletions and one history of everything."""

import sqlalchemy as sa
from alembic import op

from registry.migrations.old_history import moves_of_events, write_events
from registry.migrations.types import Id, Json, Moment, Name, Url
from registry.migrations.versions.m0001_models_and_aliases import create_alias_moves

revision = "0002"
down_revision = "0001"

_VERSION = ["versions.model_id", "versions.number"]
_NEW_TABLES = (
    "answers",
    "approvals",
    "events",
    "model_tags",
    "placements",
    "servers",
    "pools",
    "uses",
    "version_tags",
)
_CONTENT = "uq_versions_model_id_content_sha256"


def upgrade() -> None:
    """Keep every row; moves become events, with what is known of the models and versions."""
    _widen_models()
    _widen_versions()
    _widen_aliases()
    _create_pools()
    _create_events()
    _create_marks()
    _create_answers()
    write_events(op.get_bind())
    op.drop_table("alias_moves")
    for table, columns in (
        ("models", ("created_by", "protected", "revision", "changed_at")),
        ("aliases", ("revision",)),
    ):
        with op.batch_alter_table(table) as batch:
            for column in columns:
                batch.alter_column(column, nullable=False)


def downgrade() -> None:
    """Keep models, versions and aliases that are there, and the moves between them."""
    create_alias_moves()
    moves_of_events(op.get_bind())
    for table in _NEW_TABLES:
        op.drop_table(table)
    _forget_deleted()
    op.drop_index("ix_aliases_model_id_version", "aliases")
    with op.batch_alter_table("aliases") as batch:
        batch.drop_column("revision")
        batch.alter_column("name", existing_type=Name, type_=sa.String(128))
    op.drop_index(_CONTENT, "versions")
    op.drop_index("ix_versions_model_id_created_by_number", "versions")
    with op.batch_alter_table("versions") as batch:
        batch.drop_column("deleted_at")
        batch.create_unique_constraint(_CONTENT, ["model_id", "content_sha256"])
    op.drop_index("ix_models_created_by_name", "models")
    with op.batch_alter_table("models") as batch:
        for column in ("created_by", "protected", "revision", "changed_at", "deleted_at"):
            batch.drop_column(column)
        batch.alter_column("name", existing_type=Name, type_=sa.String(128))


def _widen_models() -> None:
    with op.batch_alter_table("models") as batch:
        batch.add_column(sa.Column("created_by", sa.Text))
        batch.add_column(sa.Column("protected", Json))
        batch.add_column(sa.Column("revision", sa.BigInteger))
        batch.add_column(sa.Column("changed_at", Moment))
        batch.add_column(sa.Column("deleted_at", Moment))
        batch.alter_column("name", existing_type=sa.String(128), type_=Name)
    op.create_index("ix_models_created_by_name", "models", ["created_by", "name"])


def _widen_versions() -> None:
    with op.batch_alter_table("versions") as batch:
        batch.add_column(sa.Column("deleted_at", Moment))
        batch.drop_constraint(_CONTENT, type_="unique")
    alive = sa.text("deleted_at IS NULL")
    op.create_index(
        _CONTENT,
        "versions",
        ["model_id", "content_sha256"],
        unique=True,
        sqlite_where=alive,
        postgresql_where=alive,
    )
    op.create_index(
        "ix_versions_model_id_created_by_number", "versions", ["model_id", "created_by", "number"]
    )


def _widen_aliases() -> None:
    with op.batch_alter_table("aliases") as batch:
        batch.add_column(sa.Column("revision", sa.BigInteger))
        batch.alter_column("name", existing_type=sa.String(128), type_=Name)
    op.create_index("ix_aliases_model_id_version", "aliases", ["model_id", "version"])


def _create_pools() -> None:
    op.create_table(
        "pools",
        sa.Column("id", Id, primary_key=True, autoincrement=True),
        sa.Column("name", Name, nullable=False),
        sa.Column("description", sa.Text, nullable=False),
        sa.Column("created_at", Moment, nullable=False),
        sa.Column("created_by", sa.Text, nullable=False),
        sa.Column("revision", sa.BigInteger, nullable=False),
        sa.Column("changed_at", Moment, nullable=False),
        sa.Column("deleted_at", Moment),
        sa.UniqueConstraint("name"),
    )
    op.create_table(
        "servers",
        sa.Column("pool_id", Id, sa.ForeignKey("pools.id"), nullable=False),
        sa.Column("url", Url, nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("added_at", Moment, nullable=False),
        sa.Column("added_by", sa.Text, nullable=False),
        sa.Column("revision", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("pool_id", "url"),
    )
    there = sa.text("state <> 'removed'")
    op.create_index(
        "uq_servers_url",
        "servers",
        ["url"],
        unique=True,
        sqlite_where=there,
        postgresql_where=there,
    )
    op.create_table(
        "placements",
        sa.Column("pool_id", Id, sa.ForeignKey("pools.id"), nullable=False),
        sa.Column("model_id", Id, nullable=False),
        sa.Column("version", sa.Integer, nullable=False),
        sa.Column("placed_at", Moment, nullable=False),
        sa.Column("placed_by", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("pool_id", "model_id", "version"),
        sa.ForeignKeyConstraint(["model_id", "version"], _VERSION),
    )
    op.create_index("ix_placements_model_id_version", "placements", ["model_id", "version"])


def _create_events() -> None:
    op.create_table(
        "events",
        sa.Column("id", Id, primary_key=True, autoincrement=True),
        sa.Column("at", Moment, nullable=False),
        sa.Column("by", sa.Text, nullable=False),
        sa.Column("kind", sa.String(32), nullable=False),
        sa.Column("revision", sa.BigInteger, nullable=False),
        sa.Column("model_id", Id, sa.ForeignKey("models.id")),
        sa.Column("pool_id", Id, sa.ForeignKey("pools.id")),
        sa.Column("version", sa.Integer),
        sa.Column("alias", Name),
        sa.Column("from_version", sa.Integer),
        sa.Column("server", sa.Text),
        sa.Column("why", sa.Text, nullable=False),
        sa.Column("change", Json, nullable=False),
    )
    for columns in (
        ["model_id", "at", "id"],
        ["model_id", "alias", "at", "id"],
        ["pool_id", "at", "id"],
        ["kind", "at", "id"],
        ["at", "id"],
    ):
        op.create_index(f"ix_events_{'_'.join(columns)}", "events", columns)


def _create_marks() -> None:
    op.create_table(
        "model_tags",
        sa.Column("model_id", Id, sa.ForeignKey("models.id"), nullable=False),
        sa.Column("key", Name, nullable=False),
        sa.Column("value", sa.String(256), nullable=False),
        sa.PrimaryKeyConstraint("model_id", "key"),
    )
    op.create_index("ix_model_tags_key_value_model_id", "model_tags", ["key", "value", "model_id"])
    op.create_table(
        "version_tags",
        sa.Column("model_id", Id, nullable=False),
        sa.Column("number", sa.Integer, nullable=False),
        sa.Column("key", Name, nullable=False),
        sa.Column("value", sa.String(256), nullable=False),
        sa.PrimaryKeyConstraint("model_id", "number", "key"),
        sa.ForeignKeyConstraint(["model_id", "number"], _VERSION),
    )
    op.create_index(
        "ix_version_tags_model_id_key_value_number",
        "version_tags",
        ["model_id", "key", "value", "number"],
    )
    op.create_table(
        "approvals",
        sa.Column("model_id", Id, nullable=False),
        sa.Column("number", sa.Integer, nullable=False),
        sa.Column("by", sa.Text, nullable=False),
        sa.Column("at", Moment, nullable=False),
        sa.Column("why", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("model_id", "number", "by"),
        sa.ForeignKeyConstraint(["model_id", "number"], _VERSION),
    )
    op.create_table(
        "uses",
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("model_id", Id, sa.ForeignKey("models.id"), nullable=False),
        sa.Column("version", sa.Integer, nullable=False),
        sa.PrimaryKeyConstraint("kind", "name", "model_id", "version"),
    )
    op.create_index("ix_uses_model_id_version", "uses", ["model_id", "version"])


def _create_answers() -> None:
    op.create_table(
        "answers",
        sa.Column("id", sa.String(64), primary_key=True),
        sa.Column("fingerprint", sa.String(64), nullable=False),
        sa.Column("token", sa.String(64), nullable=False),
        sa.Column("begun_at", Moment, nullable=False),
        sa.Column("expires_at", Moment, nullable=False),
        sa.Column("status", sa.Integer),
        sa.Column("headers", Json),
        sa.Column("body", sa.LargeBinary),
    )
    op.create_index("ix_answers_expires_at", "answers", ["expires_at"])


def _forget_deleted() -> None:
    for table in ("versions", "models"):
        op.execute(f"DELETE FROM {table} WHERE deleted_at IS NOT NULL")
