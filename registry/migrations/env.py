"""Run migrations on the connection that `registry.schema` gives; Alembic executes this file."""

from alembic import context

from registry.schema import VERSION_TABLE
from registry.tables import Base

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=Base.metadata,
    version_table=VERSION_TABLE,
)
with context.begin_transaction():
    context.run_migrations()
