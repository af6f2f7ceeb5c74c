"""Names of the agents' actors, by which services know their own agents and those of others."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

_KIND = "agent"
_ID_LETTERS = 12


def agent_name(node: str, node_id: str, version: str) -> str:
    """Of the agent of a node on the Ray node `node_id`; `version`: see `BridgeConfig`."""
    return f"{prefix(node)}{node_id[:_ID_LETTERS]}:{version}"


def prefix(node: str) -> str:
    """What the names of all agents of this node begin with."""
    return f"{_KIND}:{node}:"


def foreign(
    actors: Iterable[Mapping[str, str]], namespace: str, node_ids: Iterable[str]
) -> dict[str, list[str]]:
    """Another namespace → the nodes that its agents are on.

    `actors`: `name` and `namespace` of each; `node_ids`: of the Ray nodes that there are. Actors
    of other programs may be called agents too, but do not name a Ray node.
    """
    known = {node_id[:_ID_LETTERS] for node_id in node_ids}
    found: dict[str, set[str]] = {}
    for actor in actors:
        kind, _, rest = actor["name"].partition(":")
        node, _, node_id = rest.rpartition(":")[0].rpartition(":")
        if kind == _KIND and node_id in known and actor["namespace"] != namespace:
            found.setdefault(actor["namespace"], set()).add(node)
    return {other: sorted(nodes) for other, nodes in sorted(found.items())}
