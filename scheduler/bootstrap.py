"""The only place that chooses concrete stores, executors and policies."""

from __future__ import annotations

import logging
import tempfile
from contextlib import ExitStack
from pathlib import Path

from scheduler import settings as config
from scheduler.clock import Clock, SystemClock
from scheduler.decisions.rounds.modes import Mode
from scheduler.decisions.rounds.policy import Policy
from scheduler.decisions.state.preemption import PreemptionMode, PreemptionRules
from scheduler.domain.errors import InputError, MissingError
from scheduler.estimates.estimator import Estimator
from scheduler.executors.base import Executor
from scheduler.hardware.inventory import Inventory, cluster
from scheduler.node.executor import executor as executor_of
from scheduler.policies import lookup
from scheduler.policies.lookup import PolicyResolver
from scheduler.policies.search import limited
from scheduler.service.components import Components
from scheduler.service.data_folder_lock import FolderLock
from scheduler.service.maintenance.retention import PRUNABLE, Kind, RetentionRule, rules
from scheduler.service.paths import Paths
from scheduler.service.policy_control.active_policy import ActivePolicy
from scheduler.service.policy_control.crash_marks import CrashMarks, refusal
from scheduler.service.policy_control.replay_evaluation import Replay
from scheduler.service.service import Service
from scheduler.store.base import Store
from scheduler.store.sql.store import SqlStore

_log = logging.getLogger(__name__)

FALLBACK = "wgc"
"""The policy that decides when the active one cannot, and the baseline of replays."""


def build(
    settings: config.Settings,
    replay: Replay | None = None,
    policies: PolicyResolver = lookup.DEFAULT,
) -> Service:
    """A service on this machine, as the settings say; not yet started.

    The data folder and the database are held until the service stops or its process ends. Raises
    `StateError` if another service holds one of them, `InputError` for settings or a database
    that cannot work, `MissingError` for an unknown policy.
    """
    settings.data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    with ExitStack() as undo:
        lock = FolderLock(settings.data_dir)
        undo.callback(lock.release)
        store = SqlStore(settings.database, service=True)
        undo.callback(store.close)
        executor = executor_of(settings)
        undo.callback(executor.close)
        service = assemble(
            settings,
            store,
            executor,
            cluster(settings),
            SystemClock(),
            lock=lock,
            replay=replay,
            policies=policies,
        )
        undo.pop_all()
        return service


def history(settings: config.Settings) -> Store:
    """The store of the data folder, for reading it beside a service; the caller closes it.

    Raises `MissingError` if the data folder holds no database yet.
    """
    file = settings.data_dir / config.DATABASE_FILE
    if settings.database_url is None and not file.is_file():
        raise MissingError(
            f"there is no job history in {settings.data_dir}",
            {"data_dir": "the data folder of a service that has run jobs"},
        )
    return SqlStore(settings.database)


def assemble(
    settings: config.Settings,
    store: Store,
    executor: Executor,
    inventory: Inventory,
    clock: Clock,
    *,
    lock: FolderLock | None = None,
    replay: Replay | None = None,
    policies: PolicyResolver = lookup.DEFAULT,
) -> Service:
    """A service of given parts, for `build` and tests. It releases `lock` when it stops.

    Raises `InputError` if this machine has the devices of no pool.
    """
    if not inventory.present:
        raise InputError(
            "no pool has devices on this machine",
            {f"pools.{name}": why for name, why in inventory.absent.items()},
        )
    projects = {
        name: project.preference
        for name, project in settings.projects.items()
        if project.preference is not None
    }

    def named(name: str) -> Policy:
        return limited(policies.named(name), settings.search_limit_s or float("inf"))

    crashes = CrashMarks(settings.data_dir / "policy.mark", named, lookup.builtin)
    for name in crashes.refused:
        _log.error("%s; another policy decides", refusal(name))
    active_policy = ActivePolicy(
        crashes.policy,
        policies.named(FALLBACK),
        name=FALLBACK if settings.policy in crashes.refused else settings.policy,
        mode=Mode(settings.backfilling),
        preference=settings.preference,
        projects=projects,
        starvation_s=settings.starvation_s or float("inf"),
        limit_s=settings.decision_limit_s or float("inf"),
        preemption=PreemptionRules(
            PreemptionMode(settings.preemption.mode),
            settings.preemption.min_runtime_s,
            settings.preemption.max_per_job,
        ),
    )
    return Service(
        Components(
            store=store,
            executor=executor,
            inventory=inventory,
            estimator=Estimator(
                store.measurements(), inventory.present, default_s=settings.default_runtime_s
            ),
            active_policy=active_policy,
            policies=lookup.names(),
            folders=Paths(settings.data_dir / "jobs"),
            clock=clock,
            grace_s=settings.executor.grace_s,
            preemption_grace_s=settings.preemption.grace_s,
            origin=_origin(store, clock),
            lock=lock,
            baseline=FALLBACK,
            replay=replay,
            replay_at_start=settings.fit,
            shadow=settings.shadow,
            crashes=crashes,
            disks={
                "data folder": settings.data_dir,
                "run folder": settings.data_dir / "run",
                "temporary folder": Path(tempfile.gettempdir()),
            },
            least_free=settings.min_free,
            retention=_rules(settings.retention),
            success_checkpoints=settings.retention.success_checkpoints,
        )
    )


def _rules(settings: config.RetentionSettings) -> tuple[RetentionRule, ...]:
    kept: dict[Kind, config.KeepSettings] = {kind: getattr(settings, kind) for kind in PRUNABLE}
    return rules({kind: (one.days, one.bytes) for kind, one in kept.items()})


def _origin(store: Store, clock: Clock) -> float:
    try:
        return store.job(1).submitted_at
    except MissingError:
        return clock.now()
