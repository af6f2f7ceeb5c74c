"""From submitted jobs to job specs: resolves references, checks paths and deadlines."""

from __future__ import annotations

import heapq
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from graphlib import CycleError, TopologicalSorter
from typing import Any, Protocol

from api.schemas.fields import MAX_ID, moment
from api.schemas.groups.arrays import Member, members
from api.schemas.jobs import AnyJob, JobUpdateIn
from scheduler.clock import Clock
from scheduler.domain.errors import InputError, MissingError, StateError, UnknownJobError
from scheduler.domain.jobs import Job, JobKind, JobSpec, Retry
from scheduler.domain.lifecycle import JobState
from scheduler.domain.notifications import Notify
from scheduler.domain.references import WEIGHTS, reference_fields, references, renumbered
from scheduler.domain.resources import Request
from scheduler.service.nodes.node_paths import NodePaths
from scheduler.service.queries.job_names import JobNames
from scheduler.validation import summary
from scheduler.workloads.spec.fitting import different_classes, wrong_start
from scheduler.workloads.spec.specs import (
    CnnInferWork,
    PathLook,
    Work,
    check_paths,
    is_job_name,
    profile,
)


@dataclass(frozen=True, slots=True)
class Batch:
    """Specs, ordered so that each follows those it refers to."""

    specs: Sequence[JobSpec]
    order: Sequence[int]
    """`order[k]` is where the k-th spec stood in the request, whose arrays are written out."""
    origins: Sequence[int]
    """`origins[k]` is the position in the request from which the k-th spec comes."""

    def as_sent(self, jobs: Sequence[Any]) -> list[Any]:
        """The jobs of the specs, in the order of the request."""
        found = dict(zip(self.order, jobs, strict=True))
        return [found[position] for position in range(len(jobs))]


class Earlier(Protocol):
    """Knows the jobs that were submitted before."""

    @property
    def names(self) -> JobNames:
        """Finds jobs by their names."""

    @property
    def paths(self) -> NodePaths:
        """Knows what the machines have that jobs run on."""

    def job(self, job_id: int) -> Job:
        """Raises `MissingError`."""


@dataclass(slots=True)
class Intake:
    """Makes specs of jobs; the service knows earlier jobs, `clock` what is in the past."""

    service: Callable[[], Earlier]
    clock: Clock

    def one(self, job: AnyJob, user: str) -> JobSpec:
        """The spec of a job on its own. Raises `InputError` naming every wrong field."""
        if job.array:
            problem = "makes several jobs, so it belongs into a batch (POST /v1/jobs:batch)"
            raise InputError(f"array {problem}", {"array": problem})
        draft = _Draft(self, [Member(job)], user, batch=False)
        return draft.build()[0][0]

    def several(self, jobs: Sequence[AnyJob], user: str) -> Batch:
        """The specs of jobs that may refer to one another, and to earlier jobs, by name.

        An array becomes one spec for each index, and its name stands for all of them. A reference
        to the k-th spec (from 1) is -k. Raises `InputError` naming every wrong field: unknown and
        ambiguous names, cycles, missing folders, deadlines in the past.
        """
        return Batch(*_Draft(self, members(jobs), user, batch=True).build())

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
    members: Sequence[Member]
    user: str
    batch: bool
    jobs: Sequence[AnyJob] = field(init=False)
    wrong: dict[str, str] = field(default_factory=dict)
    unknown: set[str] = field(default_factory=set)
    """Those wrong fields that name jobs which do not exist."""
    names: dict[str, list[int]] = field(default_factory=lambda: defaultdict(list))
    edges: dict[int, set[int]] = field(default_factory=dict)
    """Position → positions it refers to."""
    earlier: dict[int | str, Job] = field(default_factory=dict)
    """Stored jobs that were referred to, by number and name: a batch asks for each once."""
    voters: dict[str, list[tuple[int | str, Mapping[str, Any]]]] = field(default_factory=dict)
    """Field of a job's models → those that may vote together, with the work of their trainings."""
    looks: Callable[[Request], PathLook] = field(init=False)
    """What the request sees of the machines that could run a job, by what that asks for."""

    def __post_init__(self) -> None:
        self.looks = self.intake.service().paths.looks()
        self.jobs = [member.job for member in self.members]

    def build(self) -> tuple[list[JobSpec], list[int], list[int]]:
        if self.batch:
            for position, member in enumerate(self.members):
                if member.name:
                    self.names[member.name].append(position)
        for position, job in enumerate(self.jobs):
            self.edges[position] = set(self._references(position, job))
        order = self._order()
        now = self.intake.clock.now()
        for position, job in enumerate(self.jobs):
            self._check(position, job, now)
        if self.wrong:
            kind = UnknownJobError if self.unknown >= self.wrong.keys() else InputError
            raise kind(summary(self.wrong), self.wrong)
        place = {position: at for at, position in enumerate(order, start=1)}
        specs: list[JobSpec] = []
        for position in order:
            specs.append(self._spec(self.members[position], place, specs, now))
        return specs, order, [self.members[position].origin for position in order]

    def _references(self, position: int, job: AnyJob) -> Iterator[int]:
        """Positions in the batch; notes what cannot be referred to."""
        for at, item in enumerate(job.after):
            yield from self._named(item, self._field(position, f"after.{at}"))
        for place, item in reference_fields(job.work.model_dump()):
            if self._is_folder(item):
                continue
            name = self._field(position, f"work.{place}")
            found = self._named(item, name)
            if len(found) > 1 and place == WEIGHTS:
                self.wrong[name] = f"{item!r} is an array of {len(found)} jobs; legal: one job"
            elif found:
                source = self.jobs[found[0]]
                self._require_model(job, item, source.kind, source.work.model_dump(), name)
                yield from found
            elif name not in self.wrong:
                earlier = self._earlier(item).spec
                self._require_model(job, item, earlier.kind, earlier.work, name)

    def _named(self, item: int | str, name: str) -> Sequence[int]:
        """Positions of a job of this batch; empty: an earlier job, or none (then noted)."""
        positions = self.names.get(str(item), []) if isinstance(item, str) else []
        count = len({self.members[position].origin for position in positions})
        if count == 1:
            return positions
        if positions:
            self.wrong[name] = f"{count} jobs of this batch are named {item!r}"
            return ()
        try:
            self._earlier(item)
        except StateError as error:
            self.wrong[name] = error.message
        except MissingError:
            self.unknown.add(name)
            legal = f"; the batch has {', '.join(self.names)}" if self.names else ""
            self.wrong[name] = (
                f"there is no job {item}"
                if isinstance(item, int)
                else f"no job is named {item!r}{legal}"
            )
        return ()

    def _earlier(self, item: int | str) -> Job:
        if item not in self.earlier:
            service = self.intake.service()
            if isinstance(item, str):
                self.earlier[item] = service.names.find(item, self.user)
            else:
                self.earlier[item] = service.job(item if item <= MAX_ID else 0)
        return self.earlier[item]

    def _is_folder(self, item: int | str) -> bool:
        return isinstance(item, str) and item not in self.names and not is_job_name(item)

    def _require_model(
        self, job: AnyJob, item: int | str, kind: str, work: Mapping[str, Any], name: str
    ) -> None:
        """Note a reference to a job that leaves no model, or one that the weights do not fit."""
        if kind != JobKind.CNN_TRAIN:
            self.wrong[name] = (
                f"job {item} is a {kind} job and leaves no model; legal: cnn-train jobs"
            )
        elif name.endswith(WEIGHTS) and work["model"] != job.work.model_dump()["model"]:
            model = name.removesuffix(WEIGHTS) + "model"
            self.wrong[model] = f"job {item} trains {work['model']}; legal: the same model"
        elif name.endswith(WEIGHTS) and (wrong := wrong_start(job.work.model_dump(), work)):
            place, problem = wrong
            self.wrong[name.removesuffix(WEIGHTS) + place] = f"job {item} {problem}"
        elif not name.endswith(WEIGHTS):
            self._require_same_classes(item, work, name)

    def _require_same_classes(self, item: int | str, work: Mapping[str, Any], name: str) -> None:
        """Note a model that cannot vote with an earlier one of the same job."""
        voters = self.voters.setdefault(name.rpartition(".")[0], [])
        for other, known in voters:
            if different_classes(work, known):
                self.wrong[name] = (
                    f"job {item} learns the classes of {work['dataset']}, job {other} those of "
                    f"{known['dataset']}; only models that know the same classes vote together"
                )
                return
        voters.append((item, work))

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
            models = tuple(item if self._is_folder(item) else 1 for item in work.models)
            work = work.model_copy(update={"models": models})
        try:
            check_paths(work, self._look(job))
        except InputError as error:
            for name, text in error.fields.items():
                self.wrong.setdefault(self._field(position, name), text)
        if job.deadline is not None and moment(job.deadline, now) <= now:
            self.wrong[self._field(position, "deadline")] = _past(job.deadline)

    def _look(self, job: AnyJob) -> PathLook:
        return self.looks(Request(job.devices, *job.width, job.memory))

    def _spec(
        self, member: Member, place: Mapping[int, int], specs: Sequence[JobSpec], now: float
    ) -> JobSpec:
        job = member.job
        after = [number for item in job.after for number in self._resolved(item, place)]
        stored = renumbered(
            job.work.model_dump(mode="json"),
            lambda item: [item] if self._is_folder(item) else self._resolved(item, place),
        )
        after += [number for number in references(stored) if self._awaited(number)]
        work: Work = job.work
        if isinstance(work, CnnInferWork):
            work = work.model_copy(update={"models": tuple(stored["models"])})

        def trained(number: int) -> Mapping[str, Any]:
            spec = specs[-number - 1] if number < 0 else self._earlier(number).spec
            return spec.work

        return JobSpec(
            kind=JobKind(job.kind),
            work=stored,
            profile=profile(job.kind, work, trained, self._look(job)),
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
            array=None if member.first is None else -place[member.first],
            parallel=job.parallel,
            index=member.index,
            notify=Notify(job.notify.to, job.notify.on),
            secrets=dict(job.secrets),
        )

    def _resolved(self, item: int | str, place: Mapping[int, int]) -> list[int]:
        if isinstance(item, str) and item in self.names:
            return [-place[position] for position in self.names[item]]
        return [self._earlier(item).id]

    def _awaited(self, number: int) -> bool:
        """Whether a job waits for the one whose model it reads: not if that left it and failed."""
        if number < 0:
            return True
        state = self._earlier(number).state
        return not state.final or state is JobState.SUCCEEDED

    def _field(self, position: int, name: str) -> str:
        return f"jobs.{self.members[position].origin}.{name}" if self.batch else name


def _past(deadline: str) -> str:
    return f"{deadline} is in the past"
