"""Elastic pools: their nodes are booted for jobs, and shut down when no job needs them."""

from __future__ import annotations

from dataclasses import dataclass, replace

from scheduler.domain.errors import InputError
from scheduler.domain.nodes import POOL_LABEL, NodeFacts, NodeState
from scheduler.domain.resources import DeviceKind
from scheduler.domain.units import counted

_PLACEHOLDER = "#"


@dataclass(frozen=True, slots=True)
class Elasticity:
    """When nodes of a pool are booted and shut down, in the service and in the simulator.

    A placement boots the nodes that it needs. A node whose last attempt leaves is shut down
    `idle_timeout_s` seconds later, unless an attempt came meanwhile or no more than `min_nodes`
    nodes are on then.
    """

    min_nodes: int = 0
    """Nodes that are always on."""
    idle_timeout_s: float = 300.0

    def lacking(self, on: int) -> int:
        """How many nodes must be booted although no job needs them; `on`: up or booting."""
        return max(0, self.min_nodes - on)

    def spares(self, on: int) -> bool:
        """Whether a node whose idle time is over is shut down; `on`: up or booting."""
        return on > self.min_nodes


@dataclass(frozen=True, slots=True)
class ElasticPool:
    """A pool of up to `nodes` nodes; each has a name that lasts, whichever machine it is."""

    name: str
    kind: DeviceKind
    model: str
    devices: int
    """Per node."""
    nodes: int
    """The most that are on."""
    elasticity: Elasticity = Elasticity()
    boot_timeout_s: float = 600.0
    """A node that is not up so many seconds after it was asked for has failed."""
    memory_bytes: int = 0
    """Per node, until one has told its own; 0: not limited."""

    @property
    def node_names(self) -> tuple[str, ...]:
        """The names of its nodes, in the order in which they are booted."""
        return tuple(f"{self.name}-{number}" for number in range(self.nodes))

    def off(self, node: str, memory_bytes: int = 0) -> NodeFacts:
        """What is known of a node that is off; `memory_bytes`: what it had when it was on.

        Its devices are placeholders; see `device`.
        """
        memory_bytes = memory_bytes or self.memory_bytes
        names = tuple(f"{_PLACEHOLDER}{number}" for number in range(self.devices))
        facts = NodeFacts(
            node,
            NodeState.OFF,
            labels={POOL_LABEL: self.name},
            memory_bytes=memory_bytes,
            elastic=True,
        )
        if self.kind is DeviceKind.CPU:
            return replace(facts, cpus=names, cpu_model=self.model)
        each = memory_bytes // self.devices
        return replace(facts, gpus=tuple((name, self.model, each) for name in names))

    def on(self, told: NodeFacts) -> NodeFacts:
        """What a node of this pool is, from what its agent tells.

        It has the devices that the pool counts, and no others. Raises `InputError` if it has too
        few.
        """
        found = len(told.cpus if self.kind is DeviceKind.CPU else told.gpus)
        if found < self.devices:
            raise InputError(
                f"it has {counted(found, f'{self.kind} device')} instead of {self.devices}",
                {f"pools.{self.name}.devices": f"{found}, or larger machines"},
            )
        told = replace(told, labels={**told.labels, POOL_LABEL: self.name}, elastic=True)
        if self.kind is DeviceKind.CPU:
            return replace(told, cpus=told.cpus[: self.devices], cpu_model=self.model, gpus=())
        gpus = tuple((name, self.model, size) for name, _, size in told.gpus[: self.devices])
        memory = min(size for _, _, size in gpus) * self.devices
        return replace(told, gpus=gpus, cpus=(), memory_bytes=memory)


def device(facts: NodeFacts, name: str) -> str:
    """The device of a node that a launch names; `facts`: of the node, which is up now.

    A placement on a node that is off cannot know its devices, so it names their positions.
    """
    if not name.startswith(_PLACEHOLDER):
        return name
    names = facts.cpus or tuple(identifier for identifier, _, _ in facts.gpus)
    return names[int(name.removeprefix(_PLACEHOLDER))]
