"""Synthetic workloads of CNN trainings and inferences for given pools.

A job's size is the time it takes alone on one of the fastest devices for its work; its runtimes
elsewhere follow from a table of throughputs. The span of the workload follows from the load:

    ρ = Σ_jobs least device time ÷ (span · Σ_pools devices · s),

where the least device time is that on the fastest device for the work, on as few devices as the job
accepts, and s, the pool's speed, is its rate over the fastest one's (0 where it cannot run), both
averaged over the jobs by their share of the offered time. So 1 is the load at which the cluster,
were every job as narrow as it can be and nothing ever idle, could just keep up. Elastic pools count
with all their nodes. The load of the drawn jobs is exactly ρ, not only on average.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from envs.workloads.arrivals import times
from envs.workloads.base import Arrival, Workload, WorkloadRun
from envs.workloads.streams import Seed, streams, written
from envs.workloads.synthetic import mix
from envs.workloads.synthetic.mix import RunnableWork, Shapes, shapes_of, works_of
from envs.workloads.synthetic.parameters import Synthetic
from envs.workloads.synthetic.people import Activity, activity
from envs.workloads.synthetic.sweeps import groups, offsets, spread
from envs.workloads.throughputs import Throughputs, computed
from scheduler.arrays import Bools, Floats, Ints
from scheduler.domain.errors import InputError
from scheduler.domain.pools import Pool


def draw(
    parameters: Synthetic,
    pools: Sequence[Pool],
    jobs: int,
    seed: Seed,
    throughputs: Throughputs | None = None,
    *,
    population: bool = False,
    backlog: tuple[int, int] = (0, 0),
) -> Workload:
    """`jobs` jobs for these pools; equal arguments give equal workloads.

    Rates are those of `throughputs`; where it is None, or knows no work of a kind, they are
    computed for the pools. A job's first run is on one of the fastest devices for its work.
    Further jobs, the first ones of the workload, may be there when it begins: `population`: those
    that are under way (`_in_service`); `backlog`: a range of the number of those that wait. They do
    not count. Raises `InputError` if no pool can run any of the wanted works.
    """
    if jobs < 0:
        raise InputError(f"{jobs} jobs", {"jobs": "a whole number ≥ 0"})
    generator = _Generator(parameters, pools, throughputs, _Streams(*streams(seed, _STREAMS)))
    arrivals = generator.workload(jobs, backlog, population=population)
    load, name = generator.load, generator.table.name
    source = f"synthetic, load {load:.4f}, throughputs {name}, seed {written(seed)}"
    there = len(arrivals) - jobs
    counted = (there, there + jobs) if there else None
    return Workload("synthetic", tuple(arrivals), source, counted=counted)


class _Streams(NamedTuple):
    """One generator per purpose; order is part of what a seed means."""

    phase: np.random.Generator
    work: np.random.Generator
    size: np.random.Generator
    width: np.random.Generator
    people: np.random.Generator
    load: np.random.Generator
    arrivals: np.random.Generator
    deadlines: np.random.Generator
    priorities: np.random.Generator
    requests: np.random.Generator
    tail: np.random.Generator
    sweeps: np.random.Generator
    population: np.random.Generator
    backlog: np.random.Generator


_STREAMS = len(_Streams._fields)
_CANDIDATES = 64
"""Jobs drawn for each one of the population, which are chosen from them by length."""


class _Drawn(NamedTuple):
    """Jobs, or groups of jobs, as columns of one length."""

    choice: Ints
    """Work."""
    width: Ints
    rigid: Bools
    size: Floats
    user: Ints
    urgency: Floats
    """(3, n) uniform: whether there is a deadline, how late it is, the priority."""
    request: Floats
    """Share of the requested time that a run takes."""

    def at(self, rows: Ints) -> _Drawn:
        """These rows."""
        return _Drawn._make(column[..., rows] for column in self)


class _Generator:
    """Draws the jobs of one workload."""

    def __init__(
        self,
        parameters: Synthetic,
        pools: Sequence[Pool],
        throughputs: Throughputs | None,
        rng: _Streams,
    ) -> None:
        own = computed(pools)
        self.table = own if throughputs is None else throughputs.completed(own)
        self.load = float(rng.load.uniform(*parameters.load))
        self._parameters, self._pools, self._rng = parameters, pools, rng
        self._works = works_of(parameters, self.table, pools)
        self._counts = np.array([pool.count for pool in pools])
        self._shapes: dict[tuple[int, int, bool], Shapes] = {}

    def workload(self, jobs: int, backlog: tuple[int, int], *, population: bool) -> list[Arrival]:
        """All jobs in order of arrival."""
        parameters, rng = self._parameters, self._rng
        sizes = groups(parameters.sweeps, jobs, rng.sweeps)
        of_group = np.repeat(np.arange(len(sizes)), sizes)
        drawn = self._jobs(len(sizes), rng).at(of_group)
        size = mix.cut_off(
            self._works, drawn.choice, drawn.size * spread(parameters.sweeps, sizes, rng.sweeps)
        )
        drawn = drawn._replace(size=size)
        span = self._span(drawn) if jobs else 0.0
        begin = times(parameters.arrivals, len(sizes), span, rng.arrivals)
        submitted = begin[of_group] + offsets(parameters.sweeps, sizes, rng.sweeps)
        order = np.argsort(submitted, kind="stable")
        there = self._in_service() if population and jobs else []
        if backlog[1] and jobs:
            there += self._waiting(backlog, len(there) + 1)
        # A user asks for the same time for all runs of a sweep, the longest one included.
        longest = np.maximum.reduceat(size, np.cumsum(sizes) - sizes)[of_group] if jobs else size
        drawn, submitted, longest = drawn.at(order), submitted[order], longest[order]
        return there + self._arrivals(drawn, submitted, longest, len(there) + 1)

    def _jobs(self, count: int, rng: _Streams) -> _Drawn:
        """`count` jobs as they are submitted."""
        parameters, works = self._parameters, self._works
        users = activity(parameters.people, count, rng.people)
        choice, width = _wanted(parameters, works, count, rng)
        normal = rng.size.standard_normal(count)
        requests = rng.requests.uniform(1 / parameters.overestimate, 1.0, count)
        urgency = np.concatenate(
            (rng.deadlines.random((2, count)), rng.priorities.random((1, count)))
        )
        in_tail, tail, rigid = rng.tail.random((3, count))
        size = np.where(
            mix.happens(works, choice, "tail_share", in_tail),
            mix.heavy(works, choice, tail),
            mix.log_normal(works, choice, normal),
        )
        return _repeated(
            users,
            _Drawn(
                choice,
                width,
                mix.happens(works, choice, "rigid_share", rigid),
                size,
                np.array(users.user, dtype=np.int64),
                urgency,
                requests,
            ),
        )

    def _span(self, drawn: _Drawn) -> float:
        """Seconds over which these jobs arrive."""
        startup, classes = self._parameters.startup_s, drawn.choice.tolist()
        # Jobs of a work that not all its pools can take are a class of their own.
        known = {(index, work.speeds): index for index, work in enumerate(self._works)}
        offered = np.empty(len(classes))
        for row, size in enumerate(drawn.size.tolist()):
            shapes = self._shapes_of(drawn, row)
            offered[row] = shapes.offered_s(size, startup)
            classes[row] = known.setdefault((classes[row], shapes.speeds), len(known))
        of_class = np.bincount(classes, weights=offered, minlength=len(known))
        speeds = np.array([its for _, its in known])
        capacity = float(of_class @ speeds @ self._counts / of_class.sum())
        return float(offered.sum()) / (self.load * capacity)

    def _in_service(self) -> list[Arrival]:
        """Jobs that are under way at time 0, on a cluster that has long been under this load.

        At a random instant a job is met with a probability proportional to its length, and a
        uniform share of it is over (renewal theory: Cox, "Renewal Theory", 1962, ch. 5; the
        inspection paradox). So many are drawn that their devices are the load's share of all, or
        all of them from a load of 1 on.
        """
        rng, parameters = self._rng.population, self._parameters
        own = _Streams(*rng.spawn(_STREAMS))
        most = max(1, int(self._counts.sum()))
        found = self._jobs(_CANDIDATES * most, own)
        found = found._replace(size=mix.cut_off(self._works, found.choice, found.size))
        length = found.size + parameters.startup_s
        rows = rng.choice(len(length), 4 * most, p=length / length.sum())
        left, chosen = min(self.load, 1.0), list[int]()
        for row in rows.tolist():
            shapes = self._shapes_of(found, row)
            left -= shapes.shapes[0].width / shapes.devices(self._counts)
            if left < 0:
                break
            chosen.append(row)
        drawn, done = found.at(np.array(chosen, dtype=np.int64)), rng.random(len(chosen))
        return self._arrivals(drawn, np.zeros(len(chosen)), drawn.size, 1, done)

    def _waiting(self, backlog: tuple[int, int], first: int) -> list[Arrival]:
        """Jobs that are submitted together at time 0, with ids from `first` on."""
        own = _Streams(*self._rng.backlog.spawn(_STREAMS))
        count = int(self._rng.backlog.integers(backlog[0], backlog[1] + 1))
        found = self._jobs(count, own)
        found = found._replace(size=mix.cut_off(self._works, found.choice, found.size))
        return self._arrivals(found, np.zeros(count), found.size, first)

    def _arrivals(
        self,
        drawn: _Drawn,
        submitted: Floats,
        longest: Floats,
        first: int,
        done: Floats | None = None,
    ) -> list[Arrival]:
        """The jobs as values, with ids from `first` on."""
        parameters = self._parameters
        priorities = _priorities(self._works, drawn.choice, drawn.urgency[2])
        shares = np.zeros(len(submitted)) if done is None else done
        startup, arrivals = parameters.startup_s, list[Arrival]()
        columns = np.stack((drawn.size, submitted, longest, shares), axis=1).tolist()
        for row, (size, time, most, share) in enumerate(columns):
            work, shapes = self._works[drawn.choice[row]], self._shapes_of(drawn, row).shapes
            runs = tuple(
                WorkloadRun(device, width, startup + size * factor)
                for device, width, factor in shapes
            )
            ideal = min(run.runtime_s for run in runs)
            user = int(drawn.user[row])
            limit = startup + most * shapes[0].factor
            arrivals.append(
                Arrival(
                    id=first + row,
                    submitted_at=time,
                    runs=runs,
                    requested_s=limit / float(drawn.request[row]),
                    memory_bytes=self.table.memory.get(work.name, 0),
                    kind=work.name,
                    user=f"user {user}",
                    project=f"project {user % parameters.people.projects}",
                    priority=priorities[row],
                    deadline=_deadline(work, drawn.urgency[:2, row], time - share * ideal, ideal),
                    done=share,
                )
            )
        return arrivals

    def _shapes_of(self, drawn: _Drawn, row: int) -> Shapes:
        key = int(drawn.choice[row]), int(drawn.width[row]), bool(drawn.rigid[row])
        found = self._shapes.get(key)
        if found is None:
            work = self._works[key[0]]
            found = shapes_of(self._parameters, work, self.table, self._pools, key[1], key[2])
            self._shapes[key] = found
        return found


def _repeated(users: Activity, drawn: _Drawn) -> _Drawn:
    """A repeated job is its user's last one, a little longer or shorter."""
    again = users.repeats
    return drawn._replace(
        choice=drawn.choice[again.origin],
        width=drawn.width[again.origin],
        rigid=drawn.rigid[again.origin],
        size=drawn.size[again.origin] * again.factor,
    )


def _wanted(
    parameters: Synthetic, works: list[RunnableWork], jobs: int, rng: _Streams
) -> tuple[Ints, Ints]:
    """Work and most devices of each job, as if none were repeated."""
    training = rng.phase.random(jobs) < parameters.training_share
    place = rng.work.random(jobs)
    choice = np.zeros(jobs, dtype=np.int64)
    width = np.ones(jobs, dtype=np.int64)
    for_width = rng.width.random(jobs)
    for phase, here in ((True, training), (False, ~training)):
        indices = [index for index, work in enumerate(works) if work.training is phase]
        if not indices or not here.any():
            continue
        weights = np.array([works[index].weight for index in indices])
        choice[here] = np.array(indices)[mix.drawn(weights, place[here])]
        widths = works[indices[0]].phase.widths
        which = mix.drawn(np.array([weight for _, weight in widths]), for_width[here])
        width[here] = np.array([value for value, _ in widths])[which]
    return choice, width


def _priorities(works: list[RunnableWork], choice: Ints, uniform: Floats) -> list[float]:
    result = np.zeros(len(choice))
    for index, work in enumerate(works):
        here = choice == index
        values, weights = (np.array(column) for column in zip(*work.phase.priorities, strict=True))
        result[here] = values[mix.drawn(weights, uniform[here])]
    priorities: list[float] = result.tolist()
    return priorities


def _deadline(work: RunnableWork, uniform: Floats, submitted: float, ideal: float) -> float | None:
    """The deadline of a job, if it has one (s)."""
    phase = work.phase
    if uniform[0] >= phase.deadline_share:
        return None
    slack = phase.slack[0] + float(uniform[1]) * (phase.slack[1] - phase.slack[0])
    return submitted + slack * ideal + phase.grace_s
