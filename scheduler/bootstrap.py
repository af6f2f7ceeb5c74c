"""The only place that chooses concrete stores, executors and policies."""

from __future__ import annotations

import logging
import tempfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import ExitStack
from functools import partial
from pathlib import Path

from sqlalchemy import make_url

from scheduler import settings as config
from scheduler.clock import Clock, SystemClock
from scheduler.decisions.rounds.modes import Mode
from scheduler.decisions.rounds.policy import Policy
from scheduler.decisions.state.preemption import PreemptionMode, PreemptionRules
from scheduler.domain.errors import InputError, MissingError, StateError
from scheduler.domain.groups.projects import Project, Quota
from scheduler.domain.nodes import LOCAL
from scheduler.domain.notifications import Notify
from scheduler.domain.units import counted
from scheduler.estimates.estimator import Estimator
from scheduler.executors.absent import AbsentExecutor
from scheduler.executors.base import Executor
from scheduler.executors.path_needs import PathFinding
from scheduler.hardware.inventory import Inventory, cluster
from scheduler.hardware.node_pools import inventory_of
from scheduler.node.executor import runner
from scheduler.policies import lookup
from scheduler.policies.lookup import PolicyResolver
from scheduler.policies.search import limited
from scheduler.problems import HealthProblem
from scheduler.service.components import Components
from scheduler.service.data_folder_lock import FolderLock, take_over
from scheduler.service.grace_periods import GracePeriods
from scheduler.service.maintenance.retention import PRUNABLE, Kind, RetentionRule, rules
from scheduler.service.nodes.cluster_nodes import Derive
from scheduler.service.nodes.node_paths import Ask
from scheduler.service.notifications.channels import Channels, MailServer
from scheduler.service.paths import Paths
from scheduler.service.policy_control.active_policy import ActivePolicy
from scheduler.service.policy_control.crash_marks import CrashMarks, refusal
from scheduler.service.policy_control.replay_evaluation import Replay
from scheduler.service.service import Service
from scheduler.service.standby.follower import FollowerService
from scheduler.service.standby.standby import Standby
from scheduler.storage.objects import ObjectStorage
from scheduler.store.base import Store
from scheduler.store.sharing import SharedStore
from scheduler.store.sql.store import SqlStore

_log = logging.getLogger(__name__)

FALLBACK = "wgc"
"""The policy that decides when the active one cannot, and the baseline of replays."""


def build(
    settings: config.Settings,
    replay: Replay | None = None,
    policies: PolicyResolver = lookup.DEFAULT,
    *,
    abandon: bool = False,
) -> Service:
    """A service on this machine, as the settings say; not yet started.

    The data folder and the database are held until the service stops or its process ends. Raises
    `StateError` if another service holds one of them, and unless `abandon` if jobs run where this
    service would not see them; `InputError` for settings or a database that cannot work,
    `MissingError` for an unknown policy.
    """
    settings.data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    with ExitStack() as undo:
        lock = FolderLock(settings.data_dir)
        undo.callback(lock.release)
        store = SqlStore(settings.database, service=True)
        undo.callback(store.close)
        if not abandon:
            _check_reach(store, on_ray=settings.executor.kind == "ray")
        service = _leading(settings, store, lock, replay, policies)
        undo.pop_all()
        return service


def _check_reach(store: SqlStore, *, on_ray: bool) -> None:
    """Raises `StateError` if attempts run on the other kind of nodes: they would count as lost."""
    _, attempts = store.live()
    unseen = {each.job for each in attempts if (LOCAL in each.nodes) == on_ray}
    if not unseen:
        return
    where = "on this machine without Ray" if on_ray else "on nodes of a Ray cluster"
    option, other = ("ray", "--no-ray") if on_ray else ("no-ray", "--ray")
    raise StateError(
        f"{counted(len(unseen), 'job')} of this service ran {where}, and would count as lost",
        {option: f"{other} until they have ended, or --abandon: they start again"},
    )


def standby(
    settings: config.Settings,
    replay: Replay | None = None,
    policies: PolicyResolver = lookup.DEFAULT,
) -> Standby:
    """A service that follows the leader of its database, and leads if there is none.

    It holds the data folder while it leads. Raises as `build`; `InputError` for a SQLite database.
    """
    if make_url(settings.database).get_backend_name() == "sqlite":
        raise InputError(
            "two services need a PostgreSQL database; SQLite is for one",
            {"standby": "false, or database_url = postgresql://user@host/database"},
        )
    settings.data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    with ExitStack() as undo:
        store = SqlStore(settings.database)
        undo.callback(store.close)
        inventory, derive = _hardware(settings)
        parts = components(
            settings,
            store,
            AbsentExecutor(),
            inventory,
            SystemClock(),
            ask=None if derive is None else _nobody_says,
            storage=None if settings.storage is None else ObjectStorage(settings.storage),
            replay=replay,
            policies=policies,
            shared=store,
            derive=derive,
            leads=False,
        )

        def lead() -> Service:
            lock = take_over(settings.data_dir, hangs=store.displaced)
            try:
                return _leading(settings, store, lock, replay, policies)
            except BaseException:
                lock.release()
                raise

        result = Standby(FollowerService(parts, store), store, lead)
        undo.pop_all()
        return result


def _leading(
    settings: config.Settings,
    store: SqlStore,
    lock: FolderLock,
    replay: Replay | None,
    policies: PolicyResolver,
) -> Service:
    """A service over an open store that runs jobs as the settings say."""
    runs = runner(settings)
    inventory, derive = _hardware(settings)
    try:
        parts = components(
            settings,
            store,
            runs.executor,
            inventory,
            SystemClock(),
            ask=runs.ask,
            storage=runs.storage,
            node_warnings=runs.warnings,
            lock=lock,
            replay=replay,
            policies=policies,
            shared=store if store.shared else None,
            derive=derive,
        )
        return Service(parts)
    except BaseException:
        runs.executor.close()
        raise


def _nobody_says(*_: object) -> Mapping[str, Sequence[PathFinding]]:
    """A follower has no connection to nodes: it believes what jobs name, and the leader asks."""
    return {}


def _hardware(settings: config.Settings) -> tuple[Inventory, Derive | None]:
    """The pools of this machine; or none yet, and how nodes that join become pools."""
    if settings.executor.kind == "local":
        return cluster(settings), None
    return Inventory((), {}, {}, {}), partial(inventory_of, wishes=settings.pools)


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


def components(
    settings: config.Settings,
    store: Store,
    executor: Executor,
    inventory: Inventory,
    clock: Clock,
    *,
    lock: FolderLock | None = None,
    replay: Replay | None = None,
    policies: PolicyResolver = lookup.DEFAULT,
    shared: SharedStore | None = None,
    derive: Derive | None = None,
    ask: Ask | None = None,
    storage: ObjectStorage | None = None,
    node_warnings: Callable[[], Iterable[HealthProblem]] = tuple,
    leads: bool = True,
) -> Components:
    """The components of a service: those given, and others as the settings say.

    `lock` is released when the service stops. `shared`: the store, if other services may use it.
    `derive`, `ask`, `storage`, `node_warnings`: see `Components`. `leads`: False for a follower,
    which refuses no policy for the crashes of earlier services. Raises `InputError` if this machine
    has the devices of no pool.
    """
    if derive is None and not inventory.present:
        raise InputError(
            "no pool has devices on this machine",
            {f"pools.{name}": why for name, why in inventory.absent.items()},
        )
    crashes = _crash_marks(settings, policies) if leads else None
    return Components(
        store=store,
        executor=executor,
        ask=ask,
        storage=storage,
        node_warnings=node_warnings,
        inventory=inventory,
        estimator=Estimator(
            store.measurements(), inventory.present, default_s=settings.default_runtime_s
        ),
        active_policy=_active_policy(settings, policies, crashes),
        policies=lookup.names(),
        folders=Paths(settings.data_dir / "jobs"),
        clock=clock,
        grace=GracePeriods(settings.executor.grace_s, settings.preemption.grace_s),
        origin=_origin(store, clock),
        shared=shared,
        lock=lock,
        derive=derive,
        baseline=FALLBACK,
        replay=replay,
        replay_at_start=settings.fit,
        shadow=settings.shadow,
        crashes=crashes,
        disks=_disks(settings.data_dir),
        least_free=settings.min_free,
        retention=_rules(settings.retention),
        projects={name: _project(name, each) for name, each in settings.projects.items()},
        fair_share=settings.sharing.fair_share,
        half_life_s=settings.sharing.half_life_s,
        success_checkpoints=settings.retention.success_checkpoints,
        channels=_channels(settings.notifications),
    )


def _crash_marks(settings: config.Settings, policies: PolicyResolver) -> CrashMarks:
    marks = CrashMarks(
        settings.data_dir / "policy.mark", _named(settings, policies), lookup.builtin
    )
    for name in marks.refused:
        _log.error("%s; another policy decides", refusal(name))
    return marks


def _active_policy(
    settings: config.Settings, policies: PolicyResolver, crashes: CrashMarks | None
) -> ActivePolicy:
    refused = crashes is not None and settings.policy in crashes.refused
    return ActivePolicy(
        _named(settings, policies) if crashes is None else crashes.policy,
        policies.named(FALLBACK),
        name=FALLBACK if refused else settings.policy,
        mode=Mode(settings.backfilling),
        preference=settings.preference,
        projects={
            name: project.preference
            for name, project in settings.projects.items()
            if project.preference is not None
        },
        starvation_s=settings.starvation_s or float("inf"),
        limit_s=settings.decision_limit_s or float("inf"),
        preemption=PreemptionRules(
            PreemptionMode(settings.preemption.mode),
            settings.preemption.min_runtime_s,
            settings.preemption.max_per_job,
        ),
    )


def _named(settings: config.Settings, policies: PolicyResolver) -> Callable[[str], Policy]:
    """Policy by name, with the settings' limit of searches."""

    def named(name: str) -> Policy:
        return limited(policies.named(name), settings.search_limit_s or float("inf"))

    return named


def _disks(data: Path) -> dict[str, Path]:
    """Name → folder that must not run full; the service's own is the first."""
    temporary = Path(tempfile.gettempdir())
    return {"data folder": data, "run folder": data / "run", "temporary folder": temporary}


def _project(name: str, settings: config.ProjectSettings) -> Project:
    hard, soft = (Quota(**quota.model_dump()) for quota in (settings.hard, settings.soft))
    return Project(name, settings.share, hard, soft)


def _rules(settings: config.RetentionSettings) -> tuple[RetentionRule, ...]:
    kept: dict[Kind, config.KeepSettings] = {kind: getattr(settings, kind) for kind in PRUNABLE}
    return rules({kind: (one.days, one.bytes) for kind, one in kept.items()})


def _channels(settings: config.NotificationSettings) -> Channels:
    """Where notifications go. Raises `InputError` for an address in `to` that is not allowed."""
    smtp = settings.smtp
    mail = None
    if smtp is not None:
        values = smtp.model_dump() | {"password": smtp.password.get_secret_value()}
        mail = MailServer(**values)
    channels = Channels(
        webhooks=settings.webhooks,
        secret=settings.secret.get_secret_value(),
        mail=mail,
        mail_domains=settings.mail_domains,
        everybody=Notify(settings.to, settings.on),
    )
    channels.check(channels.everybody, "notifications.to")
    return channels


def _origin(store: Store, clock: Clock) -> float:
    try:
        return store.job(1).submitted_at
    except MissingError:
        return clock.now()
