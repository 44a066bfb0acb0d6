"""One module for each schema, read by Alembic."""
