"""The nodes and their history in SQL."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, replace
from typing import Any

from pydantic import TypeAdapter
from sqlalchemy import Connection, Row, delete, insert, select

from scheduler.domain.nodes import Node, NodeEvent, NodeEventName, NodeFacts, NodeState
from scheduler.json_values import plain
from scheduler.store.sql.statements import upsert
from scheduler.store.sql.tables import node_events, nodes

_FACTS = TypeAdapter(NodeFacts)


def read(connection: Connection) -> list[Node]:
    """See `Store.nodes`."""
    return [_node(row) for row in connection.execute(select(nodes).order_by(nodes.c.name))]


def record(
    connection: Connection,
    changed: Sequence[Node],
    events: Sequence[NodeEvent],
    retired: Sequence[str],
) -> None:
    """See `Store.record_nodes`."""
    if changed:
        values = [_values(node) for node in changed]
        connection.execute(upsert(connection.dialect.name, nodes), values)
    if retired:
        connection.execute(delete(nodes).where(nodes.c.name.in_(retired)))
    if events:
        rows = [asdict(replace(event, data=plain(event.data))) for event in events]
        for row in rows:
            del row["seq"]
        connection.execute(insert(node_events), rows)


def history(connection: Connection, node: str | None, after: int, limit: int) -> list[NodeEvent]:
    """See `Store.node_events`."""
    found = select(node_events).where(node_events.c.seq > after)
    if node is not None:
        found = found.where(node_events.c.node == node)
    rows = connection.execute(found.order_by(node_events.c.seq).limit(limit))
    return [NodeEvent(**{**row._mapping, "name": NodeEventName(row.name)}) for row in rows]


def _values(node: Node) -> dict[str, Any]:
    values = {name: getattr(node, name) for name in nodes.columns.keys()}  # noqa: SIM118
    facts = None if node.facts is None else plain(asdict(node.facts))
    return values | {"places": dict(node.places), "facts": facts}


def _node(row: Row[Any]) -> Node:
    facts = None if row.facts is None else _FACTS.validate_python(row.facts)
    return Node(**{**row._mapping, "state": NodeState(row.state), "facts": facts})
