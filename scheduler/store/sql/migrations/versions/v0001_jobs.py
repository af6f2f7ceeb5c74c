"""Jobs, attempts, held devices, events, idempotency keys, settings."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

SERIAL = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def upgrade() -> None:
    """From nothing."""
    op.create_table(
        "jobs",
        sa.Column("id", SERIAL, primary_key=True, autoincrement=False),
        sa.Column("kind", sa.String, nullable=False),
        sa.Column("user_name", sa.String, nullable=False),
        sa.Column("project", sa.String, nullable=False),
        sa.Column("name_folded", sa.String, nullable=False),
        sa.Column("state", sa.String, nullable=False),
        sa.Column("reason", sa.String, nullable=False),
        sa.Column("version", sa.Integer, nullable=False),
        sa.Column("attempts", sa.Integer, nullable=False),
        sa.Column("failures", sa.Integer, nullable=False),
        sa.Column("submitted_at", sa.Double, nullable=False),
        sa.Column("eligible_at", sa.Double, nullable=False),
        sa.Column("started_at", sa.Double),
        sa.Column("finished_at", sa.Double),
        sa.Column("retry_of", SERIAL, sa.ForeignKey("jobs.id")),
        sa.Column("spec", sa.JSON, nullable=False),
    )
    op.create_index("ix_jobs_submitted_at", "jobs", ["submitted_at"])
    op.create_index("ix_jobs_state_id", "jobs", ["state", "id"])
    op.create_index("ix_jobs_user_name_id", "jobs", ["user_name", "id"])
    op.create_index("ix_jobs_project_id", "jobs", ["project", "id"])
    op.create_table(
        "attempts",
        sa.Column("job", SERIAL, sa.ForeignKey("jobs.id"), primary_key=True, autoincrement=False),
        sa.Column("number", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("state", sa.String, nullable=False),
        sa.Column("pool", sa.String, nullable=False),
        sa.Column("width", sa.Integer, nullable=False),
        sa.Column("devices", sa.JSON, nullable=False),
        sa.Column("memory_bytes", sa.BigInteger, nullable=False),
        sa.Column("estimated_runtime_s", sa.Double, nullable=False),
        sa.Column("estimated_dollars", sa.Double, nullable=False),
        sa.Column("estimated_joules", sa.Double, nullable=False),
        sa.Column("estimate_source", sa.String, nullable=False),
        sa.Column("placed_at", sa.Double, nullable=False),
        sa.Column("started_at", sa.Double),
        sa.Column("finished_at", sa.Double),
        sa.Column("pid", sa.BigInteger),
        sa.Column("exit_reason", sa.String),
        sa.Column("dollars", sa.Double),
        sa.Column("joules", sa.Double),
        sa.Column("result", sa.JSON),
    )
    op.create_index("ix_attempts_finished_at", "attempts", ["finished_at"])
    op.create_index("ix_attempts_state", "attempts", ["state"])
    op.create_table(
        "held_devices",
        sa.Column("pool", sa.String, primary_key=True),
        sa.Column("device", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("job", SERIAL, nullable=False),
        sa.Column("attempt", sa.Integer, nullable=False),
        sa.ForeignKeyConstraint(["job", "attempt"], ["attempts.job", "attempts.number"]),
    )
    op.create_table(
        "events",
        sa.Column("seq", SERIAL, primary_key=True),
        sa.Column("job", SERIAL, sa.ForeignKey("jobs.id"), nullable=False),
        sa.Column("name", sa.String, nullable=False),
        sa.Column("time", sa.Double, nullable=False),
        sa.Column("actor", sa.String, nullable=False),
        sa.Column("reason", sa.String, nullable=False),
        sa.Column("attempt", sa.Integer),
        sa.Column("state_before", sa.String),
        sa.Column("state_after", sa.String, nullable=False),
        sa.Column("data", sa.JSON, nullable=False),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_events_job_seq", "events", ["job", "seq"])
    op.create_table(
        "idempotency_keys",
        sa.Column("actor", sa.String, primary_key=True),
        sa.Column("key", sa.String, primary_key=True),
        sa.Column("digest", sa.String, nullable=False),
        sa.Column("jobs", sa.JSON, nullable=False),
        sa.Column("time", sa.Double, nullable=False),
    )
    op.create_table(
        "settings",
        sa.Column("name", sa.String, primary_key=True),
        sa.Column("value", sa.JSON),
    )
