"""Rules that say which of a pool's nodes a placement takes.

A rule decides between nodes that suffice; whether one suffices does not depend on it. Nodes that
are up come before nodes that have to boot, and among equal ones the fullest is taken. How a rule
chooses is in `scheduler.decisions.kernel.cluster.node_choice`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from scheduler.decisions.kernel.cluster import node_choice
from scheduler.domain.errors import InputError


@dataclass(frozen=True, slots=True)
class NodePlacementRule:
    """A rule by name; get one from `RULES` or `rule`."""

    name: str
    summary: str
    """One line for people, with its source."""
    code: int


BEST_FIT = NodePlacementRule(
    "best-fit", "the fullest node that suffices (Johnson 1973)", node_choice.BEST_FIT
)
DOT_PRODUCT = NodePlacementRule(
    "dot-product",
    "least demand · free, over devices and memory (Panigrahy 2011)",
    node_choice.DOT_PRODUCT,
)
FGD = NodePlacementRule(
    "fgd", "least growth of fragmentation, given the mix (Weng 2023)", node_choice.FRAGMENTATION
)

RULES: Mapping[str, NodePlacementRule] = {each.name: each for each in (BEST_FIT, DOT_PRODUCT, FGD)}


def rule(name: str) -> NodePlacementRule:
    """The rule of that name; raises `InputError` listing the legal ones."""
    if name not in RULES:
        raise InputError(
            f"there is no node placement rule {name!r}", {"placement": f"one of {', '.join(RULES)}"}
        )
    return RULES[name]
