"""How long the ended attempts of a job ran."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    """For jobs that are there already, from their attempts."""
    op.add_column("jobs", sa.Column("ran_s", sa.Double, nullable=False, server_default="0"))
    op.execute(
        "UPDATE jobs SET ran_s = COALESCE((SELECT SUM(finished_at - started_at) FROM attempts "
        "WHERE attempts.job = jobs.id AND finished_at > started_at), 0)"
    )
