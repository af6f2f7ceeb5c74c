"""Sweeps, their trials, and to which array or sweep a job belongs."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"

SERIAL = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def upgrade() -> None:
    """Jobs that are there already belong to none."""
    for column in ("array_number", "sweep"):
        op.add_column("jobs", sa.Column(column, SERIAL))
        op.create_index(f"ix_jobs_{column}_id", "jobs", [column, "id"])
    op.create_table(
        "sweeps",
        sa.Column("id", SERIAL, primary_key=True, autoincrement=False),
        sa.Column("user_name", sa.String, nullable=False),
        sa.Column("project", sa.String, nullable=False),
        sa.Column("state", sa.String, nullable=False),
        sa.Column("reason", sa.String, nullable=False),
        sa.Column("submitted_at", sa.Double, nullable=False),
        sa.Column("finished_at", sa.Double),
        sa.Column("spec", sa.JSON, nullable=False),
        sa.Column("nonce", sa.String, nullable=False),
        sa.Column("actor", sa.String, nullable=False),
        sa.Column("key", sa.String),
        sa.Column("digest", sa.String, nullable=False),
    )
    op.create_index("ix_sweeps_state_id", "sweeps", ["state", "id"])
    op.create_index("ix_sweeps_actor_key", "sweeps", ["actor", "key"], unique=True)
    op.create_table(
        "trials",
        sa.Column("sweep", SERIAL, sa.ForeignKey("sweeps.id"), primary_key=True),
        sa.Column("number", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("parameters", sa.JSON, nullable=False),
        sa.Column("state", sa.String, nullable=False),
        sa.Column("reason", sa.String, nullable=False),
        sa.Column("job", SERIAL, sa.ForeignKey("jobs.id")),
        sa.Column("reports", sa.JSON, nullable=False),
        sa.Column("epochs", sa.Integer),
        sa.Column("value", sa.Double),
    )
