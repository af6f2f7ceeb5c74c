"""Which service leads, and what followers ask it to change."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    """Empty: until now each database had one service."""
    op.create_table(
        "leader",
        sa.Column("one", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("holder", sa.String, nullable=False),
        sa.Column("address", sa.String, nullable=False),
        sa.Column("epoch", sa.BigInteger, nullable=False),
        sa.Column("until", sa.Double, nullable=False),
    )
    serial = sa.BigInteger().with_variant(sa.Integer, "sqlite")
    op.create_table(
        "requests",
        sa.Column("id", serial, primary_key=True),
        sa.Column("name", sa.String, nullable=False),
        sa.Column("job", serial, nullable=False),
        sa.Column("actor", sa.String, nullable=False),
        sa.Column("data", sa.JSON(none_as_null=True), nullable=False),
        sa.Column("time", sa.Double, nullable=False),
        sa.Column("answered_at", sa.Double),
        sa.Column("error", sa.JSON(none_as_null=True)),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_requests_answered_at", "requests", ["answered_at"])
