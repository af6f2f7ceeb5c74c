"""The parts of a service."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from scheduler.clock import Clock
from scheduler.decisions.state.usage import WEEK_S
from scheduler.domain.groups.projects import Project
from scheduler.estimates.estimator import Estimator
from scheduler.executors.base import Executor
from scheduler.hardware.inventory import Inventory
from scheduler.problems import HealthProblem
from scheduler.service.data_folder_lock import FolderLock
from scheduler.service.grace_periods import GracePeriods
from scheduler.service.maintenance.retention import RetentionRule
from scheduler.service.nodes.cluster_nodes import Derive
from scheduler.service.nodes.node_paths import Ask
from scheduler.service.notifications.channels import Channels
from scheduler.service.paths import Paths
from scheduler.service.policy_control.active_policy import ActivePolicy
from scheduler.service.policy_control.crash_marks import CrashMarks
from scheduler.service.policy_control.replay_evaluation import Replay
from scheduler.storage.objects import ObjectStorage
from scheduler.store.base import Store
from scheduler.store.sharing import SharedStore


@dataclass(frozen=True, slots=True)
class Components:
    """The parts of a service; `scheduler.bootstrap` chooses them."""

    store: Store
    executor: Executor
    inventory: Inventory
    """The pools, if `derive` is None; else those at the start, which may be none."""
    estimator: Estimator
    active_policy: ActivePolicy
    policies: Mapping[str, str]
    """Name → summary of every policy that can be used."""
    folders: Paths
    clock: Clock
    grace: GracePeriods = GracePeriods()  # noqa: RUF009 - frozen
    origin: float = 0.0
    """Unix seconds of the first job ever: what formulas count submission times from."""
    shared: SharedStore | None = None
    """The store, if other services may use it at the same time."""
    lock: FolderLock | None = None
    """The lock of the data folder; released when the service stops."""
    baseline: str = "wgc"
    """The policy that a learned one is compared with on this cluster."""
    replay: Replay | None = None
    """None: policies decide without a replay."""
    replay_at_start: bool = True
    """Whether a learned policy is replayed at the start."""
    shadow: str | None = None
    """A policy that sees every decision and changes none."""
    crashes: CrashMarks | None = None
    """Marks the calls of policies; None: they are not marked."""
    disks: Mapping[str, Path] = field(default_factory=dict)
    """Name → folder that must not run full; the first is the service's own."""
    least_free: int = 0
    """Bytes that must be free there."""
    retention: Sequence[RetentionRule] = ()
    """Which files of ended jobs are removed."""
    projects: Mapping[str, Project] = field(default_factory=dict)
    """What the settings say of projects."""
    fair_share: bool = True
    """Whether projects take turns by what they used of their shares."""
    half_life_s: float = WEEK_S
    """After so long, usage counts half."""
    derive: Derive | None = None
    """Makes pools of the executor's nodes; None: the pools are fixed."""
    ask: Ask | None = None
    """Asks nodes what they have of what jobs name; None: jobs run on the service's machine."""
    storage: ObjectStorage | None = None
    """Where the files of jobs are; None: in the data folder, which all nodes share."""
    node_warnings: Callable[[], Iterable[HealthProblem]] = tuple
    """What is not well with the nodes, but keeps no job from starting."""
    channels: Channels = Channels()  # noqa: RUF009 - frozen
    """Where notifications may go."""
    success_checkpoints: bool = False
    """Whether a training that succeeded keeps its checkpoints."""

    @property
    def data(self) -> Path:
        """The data folder, which holds the jobs' folders."""
        return self.folders.root.parent
