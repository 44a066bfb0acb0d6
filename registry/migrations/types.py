"""Name the column types of every schema, frozen as they were."""

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSONB

Json = sa.JSON().with_variant(JSONB(), "postgresql")
Id = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
Moment = sa.DateTime(timezone=True)
Name = sa.String(128).with_variant(sa.String(128, collation="C"), "postgresql")
Url = sa.String(512).with_variant(sa.String(512, collation="C"), "postgresql")
