"""A Ray cluster on this machine whose autoscaler boots raylets and ends them."""

from __future__ import annotations

import json
import os
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from scheduler.domain.nodes import POOL_LABEL
from tests.support.ray_cluster import ADDRESS, ENVIRONMENT

_HEAD_ID = "f" * 51 + "00000"
_PROVIDER = "ray.autoscaler._private.fake_multi_node.node_provider.FakeMultiNodeProvider"
_HEAD = "ray.head.default"
_AUTOSCALER = {
    "AUTOSCALER_UPDATE_INTERVAL_S": "1",
    "RAY_FAKE_CLUSTER": "1",
    "RAY_enable_autoscaler_v2": "1",
    "RAY_CLOUD_INSTANCE_ID": _HEAD_ID,
    "RAY_OVERRIDE_NODE_ID_FOR_TESTING": _HEAD_ID,
}
_EMPTY = (
    *("docker", "file_mounts", "auth"),
    *("initialization_commands", "setup_commands", "head_setup_commands"),
    *("worker_setup_commands", "head_start_ray_commands", "worker_start_ray_commands"),
    *("cluster_synced_files", "rsync_exclude", "rsync_filter"),
)


class RayAutoscaler:
    """A head without work; nodes of `pool` have one CPU, two of them at most.

    Ray's own `AutoscalingCluster` ends all Ray processes of the machine, so it is not used.
    """

    def __init__(self, folder: Path, pool: str) -> None:
        os.environ.update(ENVIRONMENT)
        self.pool = pool
        self._port = _free_port()
        config = folder / "autoscaler.json"
        config.write_text(json.dumps(self._config()))
        from ray.cluster_utils import Cluster

        head = {
            "num_cpus": 0,
            "include_dashboard": False,
            "object_store_memory": 80 << 20,
            "memory": 512 << 20,
            "node_ip_address": ADDRESS,
            "gcs_server_port": self._port,
            "autoscaling_config": str(config),
        }
        with _environment(_AUTOSCALER):
            self._cluster = Cluster(initialize_head=True, head_node_args=head)

    @property
    def address(self) -> str:
        return f"{ADDRESS}:{self._port}"

    def machines(self) -> list[str]:
        """Ids of the machines that were booted and live."""
        rows = self._cluster.global_state.node_table()
        return [row["NodeID"] for row in rows if row["Alive"] and row["NodeID"] != _HEAD_ID]

    def drain(self, machine: str, in_s: float) -> None:
        """Say that a machine will be taken away, as a cloud's notice does."""
        from ray._raylet import GcsClient
        from ray.core.generated import autoscaler_pb2

        reason = autoscaler_pb2.DrainNodeReason.Value("DRAIN_NODE_REASON_PREEMPTION")
        deadline = int((time.time() + in_s) * 1000)
        GcsClient(address=self.address).drain_node(machine, reason, "spot notice", deadline)

    def close(self) -> None:
        self._cluster.shutdown()

    def _config(self) -> dict[str, object]:
        dictionaries = ("docker", "file_mounts", "auth")
        empty = {name: {} if name in dictionaries else [] for name in _EMPTY}
        provider = {
            "type": "external",
            "module": _PROVIDER,
            "head_node_id": _HEAD_ID,
            "launch_multiple": True,
            "gcs_address": self.address,
        }
        head = {"resources": {"CPU": 0}, "node_config": {}, "max_workers": 0}
        worker = {
            "resources": {"CPU": 1, "object_store_memory": 80 << 20},
            "labels": {POOL_LABEL: self.pool},
            "node_config": {},
            "min_workers": 0,
            "max_workers": 2,
        }
        return {
            **empty,
            "cluster_name": "test",
            "max_workers": 2,
            "idle_timeout_minutes": 0.05,
            "upscaling_speed": 1.0,
            "file_mounts_sync_continuously": False,
            "provider": provider,
            "head_node_type": _HEAD,
            "available_node_types": {_HEAD: head, "worker": worker},
        }


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind((ADDRESS, 0))
        return int(probe.getsockname()[1])


@contextmanager
def _environment(values: dict[str, str]) -> Iterator[None]:
    os.environ.update(values)
    try:
        yield
    finally:
        for name in values:
            os.environ.pop(name, None)
