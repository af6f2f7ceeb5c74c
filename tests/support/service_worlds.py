"""A service over a store, a fake executor and a clock that stands still until told otherwise."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from scheduler import bootstrap, settings
from scheduler.decisions.rounds.policy import Policy
from scheduler.domain.errors import OutageError
from scheduler.domain.jobs import Attempt, Job, JobKind, JobSpec, Profile
from scheduler.domain.pools import Pool
from scheduler.domain.resources import DeviceKind, Request
from scheduler.estimates.estimator import Estimator
from scheduler.estimates.options import options
from scheduler.executors.base import Exited
from scheduler.hardware.inventory import Inventory
from scheduler.policies.lookup import DEFAULT, PolicyResolver
from scheduler.service.dispatch.messages import Cancel, Preempt, Update
from scheduler.service.live.placement_options import cheapest
from scheduler.service.service import Service
from scheduler.store.base import Store
from scheduler.store.sql import SqlStore
from scheduler.testing.clock import ManualClock
from scheduler.testing.executors import FakeExecutor
from scheduler.testing.memory_store import MemoryStore
from scheduler.testing.samples import job_spec

CPU = Pool(
    "cpu",
    DeviceKind.CPU,
    "Test CPU",
    2,
    memory_per_node=8 * 2**30,
    dollars_per_device_hour=0.1,
    watts_per_device=10.0,
    flops_per_device=1e10,
)
GPU = Pool(
    "gpu",
    DeviceKind.CUDA,
    "Test GPU",
    1,
    dollars_per_device_hour=3.0,
    watts_per_device=300.0,
    flops_per_device=1e11,
)

Open = Callable[[], Store]


class World:
    """A service and what surrounds it; `restart` builds another over the same surroundings."""

    def __init__(
        self, folder: Path, open_store: Open, pools: Sequence[Pool] = (CPU,), **options: Any
    ) -> None:
        self.folder = folder
        self.clock = ManualClock()
        self.executor: FakeExecutor = options.pop("executor", FakeExecutor)(self.clock)
        if nodes := options.pop("nodes", ()):
            self.executor.known_nodes = {node.name: node for node in nodes}
        self._open = open_store
        self._policies: dict[str, Policy] = {}
        self.store = open_store()
        self.service = self._assemble(pools, options)
        self.service.start(threaded=False)
        self.step()

    def restart(self, pools: Sequence[Pool] = (CPU,), *, step: bool = True, **options: Any) -> None:
        """As after a kill -9: nothing of the old service says a last word."""
        self.executor.close()
        obeys = self.executor.obeys
        self.executor = self.executor.successor()
        self.executor.obeys = obeys
        self.store = self._open()
        self.service = self._assemble(pools, options)
        self.service.start(threaded=False)
        if step:
            self.settle()

    def submit(self, *specs: JobSpec, **options: Any) -> list[Job]:
        """Submitted, heard and decided on."""
        jobs, self.replayed = self.service.jobs.submit(
            specs or (job_spec(),), actor="ann", **options
        )
        self.step()
        return [self.store.job(job.id) for job in jobs]

    def step(self) -> None:
        self.service.dispatcher.step(self.clock.now())
        self.service.live_jobs.validate()

    def settle(self) -> None:
        """Deliver and step until nothing is left to say."""
        self.step()
        while self.executor.deliver():
            self.step()

    def after(self, seconds: float) -> None:
        self.clock.advance(seconds)
        self.settle()

    def finish(self, attempt: str, **result: Any) -> None:
        self.executor.finish(attempt, result)
        self.settle()

    def fail(self, attempt: str, reason: str = "exit code 1", **options: Any) -> None:
        self.executor.fail(attempt, reason, **options)
        self.settle()

    def lose(self, attempt: str) -> None:
        self.executor.lose(attempt)
        self.settle()

    def cancel(self, job: int, reason: str = "") -> None:
        """Raises what `JobControl.cancel` raises."""
        message = Cancel(job, "ann", reason)
        self.service.dispatcher.post(message)
        self.step()
        message.answer.result(0)
        self.settle()

    def preempt(self, job: int, reason: str = "") -> None:
        """Raises what `JobControl.preempt` raises."""
        message = Preempt(job, "ann", reason)
        self.service.dispatcher.post(message)
        self.step()
        message.answer.result(0)
        self.settle()

    def update(self, job: int, **changes: Any) -> None:
        """Raises what `JobControl.update` raises."""
        message = Update(job, changes, "ann")
        self.service.dispatcher.post(message)
        self.step()
        message.answer.result(0)

    def tell(self, attempt: str, **fields: Any) -> None:
        """An event that the executor delivers once more, or late."""
        event = {"time": self.clock.now(), "reason": "exit code 0", "success": True, **fields}
        self.service.dispatcher.post(Exited(attempt, **event))
        self.step()

    def decide_by(self, policy: Policy) -> None:
        """Let a policy decide that no name stands for."""
        self._policies[policy.name] = policy
        self.service.policy_control.use(f"test:{policy.name}", actor="ann")

    def job(self, job: int) -> Job:
        return self.store.job(job)

    def state(self, job: int) -> str:
        return self.store.job(job).state.value

    def attempt(self, job: int) -> Attempt:
        """The newest."""
        return self.store.attempts(job)[-1]

    def names(self, job: int) -> list[str]:
        """Of its events."""
        return [event.name.value for event in self.store.events(job)]

    def progress(self, attempt: str, fraction: float) -> None:
        """A line of the attempt's own, at the present time."""
        line = {"kind": "progress", "fraction": fraction, "time": self.clock.now()}
        self.metrics(attempt, json.dumps(line))

    def checkpoint(self, attempt: str, fraction: float) -> None:
        """A line that says that so much is saved, at the present time."""
        line = {"kind": "checkpoint", "fraction": fraction, "time": self.clock.now()}
        self.metrics(attempt, json.dumps(line))

    def metrics(self, attempt: str, text: str) -> None:
        job, _, number = attempt.partition(".")
        folder = self.service.folders.attempt(int(job), int(number))
        folder.mkdir(parents=True, exist_ok=True)
        with (folder / "metrics.jsonl").open("a") as file:
            file.write(text + "\n")

    def _assemble(self, pools: Sequence[Pool], options: dict[str, Any]) -> Service:
        absent = options.pop("absent", {})
        names, derive = options.pop("node_names", {}), options.pop("derive", None)
        ask, storage = options.pop("ask", None), options.pop("storage", None)
        devices = {
            pool.name: tuple(f"{pool.name}-{at}" for at in range(pool.count)) for pool in pools
        }
        return Service(
            bootstrap.components(
                settings.Settings(data_dir=self.folder, **{"policy": "best-value", **options}),
                self.store,
                self.executor,
                Inventory(tuple(pools), devices, {}, {}, absent, names),
                self.clock,
                derive=derive,
                ask=ask,
                storage=storage,
                policies=PolicyResolver({**DEFAULT.schemes, "test": self._policies.__getitem__}),
            )
        )


def dollars(spec: JobSpec, pool: Pool) -> float:
    """What the cheapest placement on the pool costs by an estimate without history."""
    return cheapest(options(spec, (pool,), Estimator()))


def train(**fields: Any) -> JobSpec:
    """A training: 1000 samples of 1 GFLOP, so 100 s on a test CPU and 10 s on a test GPU."""
    return job_spec(
        **{
            "kind": JobKind.CNN_TRAIN,
            "work": {"model": "simple-cnn"},
            "profile": Profile("simple-cnn:28", 1000.0, 1e9),
            **fields,
        }
    )


def wide(width: int, *devices: str, memory: int = 0) -> Request:
    return Request(devices or ("any",), width, width, memory)


def memory_store() -> Open:
    """One store, however often it is opened."""
    store = MemoryStore()
    store.close = lambda: None  # type: ignore[method-assign]
    return lambda: store


def sql_store(folder: Path) -> Open:
    return lambda: SqlStore(f"sqlite:///{folder}/fulcrum.sqlite")


class Failing:
    """A store that does not answer once in a while.

    `fail["record"] = 2`: the next two calls of `record` raise. `lose`: the next `record` takes
    effect, and yet raises.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self.fail: dict[str, int] = {}
        self.lose = 0
        self.calls: list[str] = []

    def record(self, *arguments: Any) -> list[bool]:
        self._count("record")
        answer = self._store.record(*arguments)
        if self.lose:
            self.lose -= 1
            raise OutageError("the connection broke after the commit")
        return answer

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._store, name)

        def call(*arguments: Any, **options: Any) -> Any:
            self._count(name)
            return found(*arguments, **options)

        return call

    def _count(self, name: str) -> None:
        self.calls.append(name)
        if self.fail.get(name, 0):
            self.fail[name] -= 1
            raise OutageError("the database does not answer")
