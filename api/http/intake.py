"""From submitted jobs to job specs: resolves references, checks paths and deadlines."""

from __future__ import annotations

import heapq
import os
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from graphlib import CycleError, TopologicalSorter
from typing import Any

from api.schemas.fields import MAX_ID, moment
from api.schemas.jobs import AnyJob, CnnInferJob, JobUpdateIn
from scheduler.clock import Clock
from scheduler.domain.errors import InputError, MissingError
from scheduler.domain.jobs import Job, JobKind, JobSpec, Retry
from scheduler.domain.resources import Request
from scheduler.validation import summary
from scheduler.workloads.spec.specs import CnnInferWork, Look, Work, check_paths, profile


@dataclass(frozen=True, slots=True)
class Batch:
    """Specs, ordered so that each follows those it refers to."""

    specs: Sequence[JobSpec]
    order: Sequence[int]
    """`order[k]` is where the k-th spec stood in the request."""

    def as_sent(self, jobs: Sequence[Any]) -> list[Any]:
        """The jobs of the specs, in the order of the request."""
        found = dict(zip(self.order, jobs, strict=True))
        return [found[position] for position in range(len(jobs))]


@dataclass(slots=True)
class Intake:
    """Makes specs of jobs; `job` tells what earlier jobs are, `clock` what is in the past."""

    job: Callable[[int], Job]
    """Raises `MissingError`."""
    clock: Clock

    def one(self, job: AnyJob, user: str) -> JobSpec:
        """The spec of a job on its own. Raises `InputError` naming every wrong field."""
        draft = _Draft(self, [job], user, batch=False)
        specs, _ = draft.build()
        return specs[0]

    def several(self, jobs: Sequence[AnyJob], user: str) -> Batch:
        """The specs of jobs that may refer to one another by name.

        A reference to the k-th spec (from 1) is -k. Raises `InputError` naming every wrong
        field: unknown and ambiguous names, cycles, missing folders, deadlines in the past.
        """
        return Batch(*_Draft(self, jobs, user, batch=True).build())

    def changes(self, update: JobUpdateIn) -> dict[str, Any]:
        """The new values of a spec's fields. Raises `InputError` for a deadline in the past."""
        values = {name: getattr(update, name) for name in update.model_fields_set}
        if update.deadline is not None:
            now = self.clock.now()
            values["deadline"] = moment(update.deadline, now)
            if values["deadline"] <= now:
                wrong = {"deadline": _past(update.deadline)}
                raise InputError(summary(wrong), wrong)
        return values


@dataclass(slots=True)
class _Draft:
    """A request that becomes specs; collects all errors."""

    intake: Intake
    jobs: Sequence[AnyJob]
    user: str
    batch: bool
    wrong: dict[str, str] = field(default_factory=dict)
    names: dict[str, list[int]] = field(default_factory=lambda: defaultdict(list))
    edges: dict[int, set[int]] = field(default_factory=dict)
    """Position → positions it refers to."""
    earlier: dict[int, Job] = field(default_factory=dict)
    """Stored jobs that were referred to: a batch asks for each once."""
    look: Look = field(default_factory=Look)
    """What the request sees of folders."""

    def build(self) -> tuple[list[JobSpec], list[int]]:
        if self.batch:
            for position, job in enumerate(self.jobs):
                if job.name:
                    self.names[job.name].append(position)
        for position, job in enumerate(self.jobs):
            self.edges[position] = set(self._references(position, job))
        order = self._order()
        now = self.intake.clock.now()
        for position, job in enumerate(self.jobs):
            self._check(position, job, now)
        if self.wrong:
            raise InputError(summary(self.wrong), self.wrong)
        place = {position: at for at, position in enumerate(order, start=1)}
        specs: list[JobSpec] = []
        for position in order:
            specs.append(self._spec(self.jobs[position], place, specs, now))
        return specs, order

    def _references(self, position: int, job: AnyJob) -> Iterator[int]:
        """Positions in the batch; notes what cannot be referred to."""
        for at, item in enumerate(job.after):
            found = self._named(item, self._field(position, f"after.{at}"))
            if found is not None:
                yield found
        if not isinstance(job, CnnInferJob):
            return
        for at, item in enumerate(job.work.models):
            name = self._field(position, f"work.models.{at}")
            if isinstance(item, str) and self._is_folder(item):
                continue
            found = self._named(item, name)
            if found is not None:
                self._require_training(self.jobs[found].kind, item, name)
                yield found
            elif isinstance(item, int) and name not in self.wrong:
                self._require_training(self._earlier(item).spec.kind, item, name)

    def _named(self, item: int | str, name: str) -> int | None:
        """The position of a job of this batch; None: an earlier job, or none (then noted)."""
        if isinstance(item, int):
            try:
                self._earlier(item if item <= MAX_ID else 0)
            except MissingError:
                self.wrong[name] = f"there is no job {item}"
            return None
        positions = self.names.get(item, [])
        if len(positions) == 1:
            return positions[0]
        if positions:
            self.wrong[name] = f"{len(positions)} jobs of this batch are named {item!r}"
        elif self.batch:
            legal = ", ".join(self.names) or "none has a name"
            self.wrong[name] = f"no job of this batch is named {item!r}; legal: {legal}"
        else:
            self.wrong[name] = f"{item!r}: names are legal within a batch only; give a job's number"
        return None

    def _earlier(self, number: int) -> Job:
        if number not in self.earlier:
            self.earlier[number] = self.intake.job(number)
        return self.earlier[number]

    def _is_folder(self, item: str) -> bool:
        if item in self.names:
            return False
        return not self.batch or "/" in item or os.path.isdir(item)  # noqa: PTH112 — never raises

    def _require_training(self, kind: str, item: int | str, name: str) -> None:
        if kind != JobKind.CNN_TRAIN:
            self.wrong[name] = f"job {item} is a {kind} job; legal: cnn-train jobs"

    def _order(self) -> list[int]:
        """Positions, each after those it refers to, otherwise as sent."""
        sorter: TopologicalSorter[int] = TopologicalSorter(self.edges)
        try:
            sorter.prepare()
        except CycleError as error:
            cycle: list[int] = error.args[1]
            text = " → ".join(self.jobs[position].name for position in reversed(cycle))
            for position in dict.fromkeys(cycle):
                self.wrong[self._field(position, "after")] = f"waits for itself: {text}"
            return []
        ready, order = list(sorter.get_ready()), []
        heapq.heapify(ready)
        while ready:
            position = heapq.heappop(ready)
            order.append(position)
            sorter.done(position)
            for following in sorter.get_ready():
                heapq.heappush(ready, following)
        return order

    def _check(self, position: int, job: AnyJob, now: float) -> None:
        """Note paths that do not exist and a deadline that has passed."""
        work: Work = job.work
        if isinstance(work, CnnInferWork):
            # A number stands for any job: only folders are looked for.
            models = tuple(1 if item in self.names else item for item in work.models)
            work = work.model_copy(update={"models": models})
        try:
            check_paths(work, self.look)
        except InputError as error:
            for name, text in error.fields.items():
                self.wrong.setdefault(self._field(position, name), text)
        if job.deadline is not None and moment(job.deadline, now) <= now:
            self.wrong[self._field(position, "deadline")] = _past(job.deadline)

    def _spec(
        self, job: AnyJob, place: Mapping[int, int], specs: Sequence[JobSpec], now: float
    ) -> JobSpec:
        after = [self._resolved(item, place) for item in job.after]
        work: Work = job.work
        if isinstance(work, CnnInferWork):
            models = tuple(
                self._resolved(item, place) if isinstance(item, int) or item in self.names else item
                for item in work.models
            )
            work = work.model_copy(update={"models": models})
            after += [item for item in models if isinstance(item, int)]

        def trained(number: int) -> Mapping[str, Any]:
            spec = specs[-number - 1] if number < 0 else self._earlier(number).spec
            return spec.work

        return JobSpec(
            kind=JobKind(job.kind),
            work=work.model_dump(mode="json"),
            profile=profile(job.kind, work, trained, self.look),
            name=job.name,
            user=self.user,
            project=job.project,
            request=Request(job.devices, *job.width, job.memory),
            priority=job.priority,
            preference=job.preference,
            deadline=None if job.deadline is None else moment(job.deadline, now),
            budget=job.budget,
            after=tuple(dict.fromkeys(after)),
            retry=Retry(job.retry.max_attempts, job.retry.backoff_s),
            max_duration_s=job.max_duration,
            secrets=dict(job.secrets),
        )

    def _resolved(self, item: int | str, place: Mapping[int, int]) -> int:
        return item if isinstance(item, int) else -place[self.names[item][0]]

    def _field(self, position: int, name: str) -> str:
        return f"jobs.{position}.{name}" if self.batch else name


def _past(deadline: str) -> str:
    return f"{deadline} is in the past"
