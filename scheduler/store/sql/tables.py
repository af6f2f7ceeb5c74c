"""The tables. Typed columns for what is filtered, sorted or summed; JSON for the rest.

Times are Unix seconds. The schema is changed by a migration and here, both at once; a test holds
them against each other.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    Column,
    Dialect,
    Double,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    TypeDecorator,
)

from scheduler.text import shown


class Text(TypeDecorator[str]):
    """Text as `shown`: exit reasons and names may carry any bytes of files and programs."""

    impl = String
    cache_ok = True

    def process_bind_param(self, value: Any, dialect: Dialect) -> str | None:
        """On the way into the database."""
        return None if value is None else shown(value)


Serial = BigInteger().with_variant(Integer, "sqlite")
"""SQLite numbers rows by itself only in a column called INTEGER."""

Json = JSON(none_as_null=True)

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
    }
)

jobs = Table(
    "jobs",
    metadata,
    Column("id", Serial, primary_key=True, autoincrement=False),
    Column("kind", Text, nullable=False),
    Column("user_name", Text, nullable=False),
    Column("project", Text, nullable=False),
    Column("name_folded", Text, nullable=False),  # found by parts, in any case
    Column("state", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("version", Integer, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("failures", Integer, nullable=False),
    Column("submitted_at", Double, nullable=False, index=True),
    Column("eligible_at", Double, nullable=False),
    Column("started_at", Double),
    Column("finished_at", Double),
    Column("retry_of", Serial, ForeignKey("jobs.id")),
    Column("spec", Json, nullable=False),
    Column("nonce", Text, nullable=False, server_default=""),
    Column("preemptions", Integer, nullable=False, server_default="0"),
    Column("progress", Double, nullable=False, server_default="0"),
    Column("lost_s", Double, nullable=False, server_default="0"),
    Column("ran_s", Double, nullable=False, server_default="0"),
    Column("array_number", Serial),
    Column("sweep", Serial),
    Index(None, "state", "id"),
    Index(None, "user_name", "id"),
    Index(None, "project", "id"),
    Index(None, "array_number", "id"),
    Index(None, "sweep", "id"),
)

attempts = Table(
    "attempts",
    metadata,
    Column("job", Serial, ForeignKey("jobs.id"), primary_key=True, autoincrement=False),
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("state", Text, nullable=False),
    Column("pool", Text, nullable=False),
    Column("width", Integer, nullable=False),
    Column("devices", Json, nullable=False),
    Column("memory_bytes", BigInteger, nullable=False),
    Column("estimated_runtime_s", Double, nullable=False),
    Column("estimated_dollars", Double, nullable=False),
    Column("estimated_joules", Double, nullable=False),
    Column("estimate_source", Text, nullable=False),
    Column("placed_at", Double, nullable=False),
    Column("started_at", Double),
    Column("finished_at", Double, index=True),
    Column("pid", BigInteger),
    Column("exit_reason", Text),
    Column("dollars", Double),
    Column("joules", Double),
    Column("result", Json),
    Column("nonce", Text, nullable=False, server_default=""),
    Column("lost_s", Double, nullable=False, server_default="0"),
    Column("nodes", Json, nullable=False, server_default='["local"]'),
    Index(None, "state"),
)

# One row per busy device: the key itself forbids a second holder.
held_devices = Table(
    "held_devices",
    metadata,
    Column("pool", Text, primary_key=True),
    Column("device", Integer, primary_key=True, autoincrement=False),
    Column("job", Serial, nullable=False),
    Column("attempt", Integer, nullable=False),
    ForeignKeyConstraint(["job", "attempt"], ["attempts.job", "attempts.number"]),
)

events = Table(
    "events",
    metadata,
    Column("seq", Serial, primary_key=True),
    Column("job", Serial, ForeignKey("jobs.id"), nullable=False),
    Column("name", Text, nullable=False),
    Column("time", Double, nullable=False),
    Column("actor", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("attempt", Integer),
    Column("state_before", Text),
    Column("state_after", Text, nullable=False),
    Column("data", Json, nullable=False),
    Index(None, "job", "seq"),
    sqlite_autoincrement=True,
)

decisions = Table(
    "decisions",
    metadata,
    Column("id", Serial, primary_key=True),
    Column("job", Serial, nullable=False),  # 0: the policy chose to wait
    Column("attempt", Integer),
    Column("time", Double, nullable=False),
    Column("policy", Text, nullable=False),
    Column("action", Text, nullable=False),
    Column("candidates", Integer, nullable=False),
    Column("chosen", Json, nullable=False),
    Column("rivals", Json, nullable=False),
    Column("reason", Text, nullable=False),
    Index(None, "job", "id"),
    sqlite_autoincrement=True,
)

# No foreign key: measurements of other clusters may be brought in.
measurements = Table(
    "measurements",
    metadata,
    Column("job", Serial, primary_key=True, autoincrement=False),
    Column("attempt", Integer, primary_key=True, autoincrement=False),
    Column("time", Double, nullable=False, index=True),
    Column("key", Text, nullable=False),
    Column("pool", Text, nullable=False),
    Column("model", Text, nullable=False),
    Column("width", Integer, nullable=False),
    Column("samples", Double, nullable=False),
    Column("seconds", Double, nullable=False),
    Column("overhead_s", Double, nullable=False),
    Column("estimated_s", Double, nullable=False),
    Column("source", Text, nullable=False),
    Column("flops_per_sample", Double, nullable=False),
)

settings = Table(
    "settings",
    metadata,
    Column("name", Text, primary_key=True),
    Column("value", Json),
)

idempotency_keys = Table(
    "idempotency_keys",
    metadata,
    Column("actor", Text, primary_key=True),
    Column("key", Text, primary_key=True),
    Column("digest", Text, nullable=False),
    Column("jobs", Json, nullable=False),  # ids, in order
    Column("time", Double, nullable=False),
)

nodes = Table(
    "nodes",
    metadata,
    Column("name", Text, primary_key=True),
    Column("state", Text, nullable=False),
    Column("since", Double, nullable=False),
    Column("reason", Text, nullable=False),
    Column("places", Json, nullable=False),  # pool → number of the node in it
    Column("drained_by", Text, nullable=False),
    Column("seen_at", Double, nullable=False),
    Column("facts", Json),
)

# No foreign key: the history of nodes that were retired stays.
node_events = Table(
    "node_events",
    metadata,
    Column("seq", Serial, primary_key=True),
    Column("node", Text, nullable=False),
    Column("name", Text, nullable=False),
    Column("time", Double, nullable=False),
    Column("actor", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("data", Json, nullable=False),
    Index(None, "node", "seq"),
    sqlite_autoincrement=True,
)

# One row: the service that leads a PostgreSQL database, as the database's clock sees it.
leader = Table(
    "leader",
    metadata,
    Column("one", Integer, primary_key=True, autoincrement=False),
    Column("holder", Text, nullable=False),
    Column("address", Text, nullable=False),
    Column("epoch", BigInteger, nullable=False),
    Column("until", Double, nullable=False),
)

# What followers ask the leader to change.
requests = Table(
    "requests",
    metadata,
    Column("id", Serial, primary_key=True),
    Column("name", Text, nullable=False),
    Column("job", Serial, nullable=False),
    Column("actor", Text, nullable=False),
    Column("data", Json, nullable=False),
    Column("time", Double, nullable=False),
    Column("answered_at", Double, index=True),
    Column("error", Json),  # null: it took effect
    sqlite_autoincrement=True,
)

sweeps = Table(
    "sweeps",
    metadata,
    Column("id", Serial, primary_key=True, autoincrement=False),
    Column("user_name", Text, nullable=False),
    Column("project", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("submitted_at", Double, nullable=False),
    Column("finished_at", Double),
    Column("spec", Json, nullable=False),
    Column("nonce", Text, nullable=False),
    Column("actor", Text, nullable=False),
    Column("key", Text),  # idempotency key of the submission
    Column("digest", Text, nullable=False),
    Index(None, "state", "id"),
    Index(None, "actor", "key", unique=True),
)

trials = Table(
    "trials",
    metadata,
    Column("sweep", Serial, ForeignKey("sweeps.id"), primary_key=True, autoincrement=False),
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("parameters", Json, nullable=False),
    Column("state", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("job", Serial, ForeignKey("jobs.id")),
    Column("reports", Json, nullable=False),
    Column("epochs", Integer),
    Column("value", Double),
)
