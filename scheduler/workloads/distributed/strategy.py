"""The options of a Lightning trainer that works on several processes (DDP).

Distributed data parallel training: Li et al. 2020, "PyTorch Distributed: Experiences on
Accelerating Data Parallel Training", VLDB 13(12).
"""

from __future__ import annotations

import os
from typing import Any

from lightning.fabric.plugins.environments.cluster_environment import ClusterEnvironment
from lightning.pytorch.strategies import DDPStrategy

from scheduler.domain.resources import DeviceKind
from scheduler.workloads.distributed.ranks import Rank


class RankEnvironment(ClusterEnvironment):
    """Tells Lightning which of the attempt's processes this is; all of them run already.

    Nodes may have unequal numbers of processes, so Lightning must not count ranks itself.
    """

    def __init__(self, rank: Rank) -> None:
        super().__init__()
        self._rank = rank

    @property
    def creates_processes_externally(self) -> bool:
        """The launcher has made them."""
        return True

    @property
    def main_address(self) -> str:
        """Where the store of the attempt is."""
        return os.environ["MASTER_ADDR"]

    @property
    def main_port(self) -> int:
        """Where the store of the attempt is."""
        return int(os.environ["MASTER_PORT"])

    @staticmethod
    def detect() -> bool:
        """Never: it is given to the trainer."""
        return False

    def world_size(self) -> int:
        """Processes of the attempt."""
        return self._rank.world

    def set_world_size(self, size: int) -> None:
        """No effect: it is known."""

    def global_rank(self) -> int:
        """Among all processes of the attempt."""
        return self._rank.index

    def set_global_rank(self, rank: int) -> None:
        """No effect: it is known."""

    def local_rank(self) -> int:
        """Among the processes of this part."""
        return self._rank.local

    def node_rank(self) -> int:
        """The part."""
        return self._rank.part


def options(rank: Rank, device_kind: DeviceKind) -> dict[str, Any]:
    """Arguments of `Trainer`, its plugins left out, that say where a training works."""
    accelerator = "cpu" if device_kind is DeviceKind.CPU else "cuda"
    if rank.world == 1:
        return {"accelerator": accelerator, "devices": 1}
    return {
        "accelerator": accelerator,
        "devices": rank.parts[rank.part],
        "num_nodes": len(rank.parts),
        "strategy": DDPStrategy(
            cluster_environment=RankEnvironment(rank), gradient_as_bucket_view=True
        ),
    }
