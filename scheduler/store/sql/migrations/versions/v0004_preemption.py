"""What preemption costs a job, and what its checkpoints hold."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Zero for what was there before: nothing was preempted."""
    columns = {
        "jobs": (("preemptions", sa.Integer), ("progress", sa.Double), ("lost_s", sa.Double)),
        "attempts": (("lost_s", sa.Double),),
    }
    for table, added in columns.items():
        for name, kind in added:
            op.add_column(table, sa.Column(name, kind, nullable=False, server_default="0"))
