"""Keep pools, their servers and placements in a SQL database."""

from datetime import datetime

from sqlalchemy import ScalarSelect, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from registry.pool_tables import PlacementRow, PoolRow, ServerRow
from registry.pools import Placement, Pool, PoolServer, ServerState
from registry.sql_models import INTEGER_MAX, in_prefix, model_id
from registry.tables import ModelRow


class SqlPoolRows:
    """Pools within one session; see `registry.port.PoolRows`."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def pool(self, name: str) -> Pool | None:
        """Return the pool, or None."""
        live = (PoolRow.name == name, PoolRow.deleted_at.is_(None))
        row = self._session.scalar(select(PoolRow).where(*live))
        return row.value() if row else None

    def pools(self, *, prefix: str, after: str | None, limit: int | None) -> tuple[Pool, ...]:
        """Return pools by name; `after` is a name."""
        found = select(PoolRow).where(PoolRow.deleted_at.is_(None))
        if prefix:
            found = found.where(*in_prefix(PoolRow.name, prefix))
        if after is not None:
            found = found.where(PoolRow.name > after)
        rows = self._session.scalars(found.order_by(PoolRow.name).limit(limit))
        return tuple(row.value() for row in rows)

    def lock_pool(self, name: str) -> Pool | None:
        """Return the pool, or None, and keep other writers off it until the transaction ends."""
        row = self._locked_pool(name)
        return row.value() if row and row.deleted_at is None else None

    def add_pool(self, pool: Pool) -> tuple[Pool, bool]:
        """Lock the pool, added unless it exists; return it as it now is, and whether it was."""
        row = self._locked_pool(pool.name)
        if row is None:
            row, added = self._inserted_pool(pool)
        else:
            added = row.deleted_at is not None
        if added:
            row.description, row.created_by = pool.description, pool.created_by
            row.created_at, row.deleted_at = pool.created_at, None
            self._session.flush()
        return row.value(), added

    def put_pool(self, pool: Pool) -> None:
        """Keep what may change of a pool."""
        row = self._pool_row(pool.name)
        row.description = pool.description
        row.revision = pool.revision
        row.changed_at = pool.changed_at or pool.created_at
        self._session.flush()

    def delete_pool(self, name: str, at: datetime) -> None:
        """Take the pool away; its events stay readable."""
        self._pool_row(name).deleted_at = at
        self._session.flush()

    def server(self, pool: str, url: str) -> PoolServer | None:
        """Return the pool's server, a removed one too, or None."""
        mine = (ServerRow.pool_id == pool_id(pool), ServerRow.url == url)
        row = self._session.scalar(select(ServerRow).where(*mine))
        return row.value(pool) if row else None

    def servers(
        self, pool: str, *, removed: bool, after: str | None, limit: int | None
    ) -> tuple[PoolServer, ...]:
        """Return the pool's servers by address, on wish the removed too; `after` is an address."""
        found = select(ServerRow).where(ServerRow.pool_id == pool_id(pool))
        if not removed:
            found = found.where(ServerRow.state != ServerState.REMOVED)
        if after is not None:
            found = found.where(ServerRow.url > after)
        rows = self._session.scalars(found.order_by(ServerRow.url).limit(limit))
        return tuple(row.value(pool) for row in rows)

    def put_server(self, server: PoolServer) -> str:
        """Add the server, or keep what changed of it; return the pool that has it."""
        row = ServerRow(
            pool_id=self._pool_row(server.pool).id,
            url=server.url,
            state=server.state,
            added_at=server.added_at,
            added_by=server.added_by,
            revision=server.revision,
        )
        try:
            with self._session.begin_nested():
                self._session.merge(row)
        except IntegrityError:
            held = (ServerRow.url == server.url, ServerRow.state != ServerState.REMOVED)
            return self._session.scalars(
                select(PoolRow.name).join(ServerRow, ServerRow.pool_id == PoolRow.id).where(*held)
            ).one()
        return server.pool

    def placements(
        self, *, pool: str | None = None, model: str | None = None, version: int | None = None
    ) -> tuple[Placement, ...]:
        """Return what is wanted where, by pool, model and version."""
        if (version or 0) > INTEGER_MAX:
            return ()
        found = (
            select(PlacementRow, PoolRow.name, ModelRow.name)
            .join(PoolRow, PoolRow.id == PlacementRow.pool_id)
            .join(ModelRow, ModelRow.id == PlacementRow.model_id)
        )
        if pool is not None:
            found = found.where(PlacementRow.pool_id == pool_id(pool))
        if model is not None:
            found = found.where(PlacementRow.model_id == model_id(model))
        if version is not None:
            found = found.where(PlacementRow.version == version)
        rows = self._session.execute(
            found.order_by(PoolRow.name, ModelRow.name, PlacementRow.version)
        )
        return tuple(row.value(pool, model) for row, pool, model in rows)

    def add_placement(self, placement: Placement) -> None:
        """Add a wish that is not there yet, to a locked pool and model."""
        self._session.add(
            PlacementRow(
                pool_id=self._pool_row(placement.pool).id,
                model_id=model_id(placement.model),
                version=placement.version,
                placed_at=placement.placed_at,
                placed_by=placement.placed_by,
            )
        )
        self._session.flush()

    def remove_placement(self, pool: str, model: str, version: int) -> None:
        """Take a wish away."""
        row = self._session.scalars(
            select(PlacementRow).where(
                PlacementRow.pool_id == pool_id(pool),
                PlacementRow.model_id == model_id(model),
                PlacementRow.version == version,
            )
        ).one()
        self._session.delete(row)
        self._session.flush()

    def _locked_pool(self, name: str) -> PoolRow | None:
        found = select(PoolRow).where(PoolRow.name == name).with_for_update(key_share=True)
        return self._session.scalar(found.execution_options(populate_existing=True))

    def _pool_row(self, name: str) -> PoolRow:
        return self._session.scalars(select(PoolRow).where(PoolRow.name == name)).one()

    def _inserted_pool(self, pool: Pool) -> tuple[PoolRow, bool]:
        row = PoolRow(
            name=pool.name,
            description=pool.description,
            created_at=pool.created_at,
            created_by=pool.created_by,
            revision=pool.revision,
            changed_at=pool.changed_at or pool.created_at,
        )
        try:
            with self._session.begin_nested():
                self._session.add(row)
        except IntegrityError:
            # Another process added it between the look and the insert: its row counts.
            found = self._locked_pool(pool.name)
            assert found is not None
            return found, False
        return row, True


def pool_id(name: str) -> ScalarSelect[int]:
    """Return the query for the number by which other tables name the pool, a deleted one too."""
    return select(PoolRow.id).where(PoolRow.name == name).scalar_subquery()
