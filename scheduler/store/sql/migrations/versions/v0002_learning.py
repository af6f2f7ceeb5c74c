"""Decisions and measurements: what explanations, estimates and learning live on."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"

SERIAL = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def upgrade() -> None:
    """Two new tables; the old ones stay as they are."""
    op.create_table(
        "decisions",
        sa.Column("id", SERIAL, primary_key=True),
        sa.Column("job", SERIAL, nullable=False),
        sa.Column("attempt", sa.Integer),
        sa.Column("time", sa.Double, nullable=False),
        sa.Column("policy", sa.String, nullable=False),
        sa.Column("action", sa.String, nullable=False),
        sa.Column("candidates", sa.Integer, nullable=False),
        sa.Column("chosen", sa.JSON, nullable=False),
        sa.Column("rivals", sa.JSON, nullable=False),
        sa.Column("reason", sa.String, nullable=False),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_decisions_job_id", "decisions", ["job", "id"])
    op.create_table(
        "measurements",
        sa.Column("job", SERIAL, primary_key=True, autoincrement=False),
        sa.Column("attempt", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("time", sa.Double, nullable=False),
        sa.Column("key", sa.String, nullable=False),
        sa.Column("pool", sa.String, nullable=False),
        sa.Column("model", sa.String, nullable=False),
        sa.Column("width", sa.Integer, nullable=False),
        sa.Column("samples", sa.Double, nullable=False),
        sa.Column("seconds", sa.Double, nullable=False),
        sa.Column("overhead_s", sa.Double, nullable=False),
        sa.Column("estimated_s", sa.Double, nullable=False),
        sa.Column("source", sa.String, nullable=False),
        sa.Column("flops_per_sample", sa.Double, nullable=False),
    )
    op.create_index("ix_measurements_time", "measurements", ["time"])
