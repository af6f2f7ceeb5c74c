"""Nodes, their history, and on which nodes attempts were placed."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"

SERIAL = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def upgrade() -> None:
    """Attempts that are there already were placed on the service's own machine."""
    op.add_column(
        "attempts", sa.Column("nodes", sa.JSON, nullable=False, server_default='["local"]')
    )
    op.create_table(
        "nodes",
        sa.Column("name", sa.String, primary_key=True),
        sa.Column("state", sa.String, nullable=False),
        sa.Column("since", sa.Double, nullable=False),
        sa.Column("reason", sa.String, nullable=False),
        sa.Column("places", sa.JSON, nullable=False),
        sa.Column("drained_by", sa.String, nullable=False),
        sa.Column("seen_at", sa.Double, nullable=False),
        sa.Column("facts", sa.JSON),
    )
    op.create_table(
        "node_events",
        sa.Column("seq", SERIAL, primary_key=True),
        sa.Column("node", sa.String, nullable=False),
        sa.Column("name", sa.String, nullable=False),
        sa.Column("time", sa.Double, nullable=False),
        sa.Column("actor", sa.String, nullable=False),
        sa.Column("reason", sa.String, nullable=False),
        sa.Column("data", sa.JSON, nullable=False),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_node_events_node_seq", "node_events", ["node", "seq"])
