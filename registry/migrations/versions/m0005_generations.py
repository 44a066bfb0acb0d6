"""Count the generations of models and pools, by which copies of them are out of date."""

import secrets

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"

_MARK_BYTES = 8


def upgrade() -> None:
    """Add the first generation of everything that is there."""
    generations = op.create_table(
        "generations",
        sa.Column("scope", sa.String(133), primary_key=True),
        sa.Column("number", sa.BigInteger, nullable=False),
        sa.Column("mark", sa.String(16), nullable=False),
    )
    connection = op.get_bind()
    models = connection.execute(sa.text("SELECT name FROM models")).scalars().all()
    pools = connection.execute(sa.text("SELECT name FROM pools")).scalars().all()
    scopes = [*models, *(f"pool:{name}" for name in pools), "*"]
    op.bulk_insert(
        generations,
        [{"scope": scope, "number": 1, "mark": secrets.token_hex(_MARK_BYTES)} for scope in scopes],
    )


def downgrade() -> None:
    """Forget the generations; programs of the older schema keep no copies by them."""
    op.drop_table("generations")
