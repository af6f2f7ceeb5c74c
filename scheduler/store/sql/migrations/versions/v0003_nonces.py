"""Nonces of jobs and attempts: a number may come again, a nonce does not."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """One new column each; empty for what was there before."""
    for table in ("jobs", "attempts"):
        nonce = sa.Column("nonce", sa.String, nullable=False, server_default="")
        op.add_column(table, nonce)
