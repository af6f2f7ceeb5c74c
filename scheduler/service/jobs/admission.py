"""Which jobs are accepted: those that could start on this cluster some day."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from scheduler.domain.errors import InfeasibleError, InputError, MissingError
from scheduler.domain.jobs import Job, JobSpec
from scheduler.domain.lifecycle import JobState
from scheduler.domain.references import WEIGHTS, reference_fields
from scheduler.domain.units import money
from scheduler.estimates.estimator import Estimator
from scheduler.estimates.options import PoolEstimate, feasible, options
from scheduler.files import regular
from scheduler.service.live.placement_options import cheapest
from scheduler.service.maintenance.retention import Kind, Retention
from scheduler.service.nodes.cluster_nodes import ClusterNodes
from scheduler.service.nodes.node_paths import NodePaths
from scheduler.service.notifications.channels import Channels
from scheduler.storage.stored_folders import holds
from scheduler.workloads.spec.paths import needs

MODEL = "model.pt"
"""The file in a training's artifacts that others read."""
CARD = "model.json"
"""The file beside it that names its classes."""


@dataclass(frozen=True, slots=True)
class Placements:
    """The placements that the present pools offer. Errors say why absent pools do not help."""

    nodes: ClusterNodes
    estimator: Estimator
    paths: NodePaths

    def require(self, spec: JobSpec) -> None:
        """Raise `InfeasibleError` if no pool could ever hold the job."""
        pools = self.nodes.inventory.present
        with self._naming_absent_pools(spec):
            places = feasible(spec.request, pools)
        lacking = self.paths.obstacles(spec, sure=True)
        if all(pools[pool].name in lacking for pool, _ in places):
            raise _without_paths(spec, lacking)

    def estimates(self, spec: JobSpec, *, sure: bool = False) -> Sequence[PoolEstimate]:
        """Every placement with its estimate; raises `InfeasibleError` if there is none.

        Pools with a node that lacks what the job names are left out. With `sure`, a node that has
        said nothing yet is believed to have all.
        """
        pools = self.nodes.inventory.present
        with self._naming_absent_pools(spec):
            found = options(spec, pools, self.estimator)
        if not (lacking := self.paths.obstacles(spec, sure=sure)):
            return found
        left = [one for one in found if pools[one.pool].name not in lacking]
        if not left:
            raise _without_paths(spec, lacking)
        return left

    @contextmanager
    def _naming_absent_pools(self, spec: JobSpec) -> Iterator[None]:
        inventory = self.nodes.inventory
        try:
            yield
        except InfeasibleError as error:
            absent = [
                f"pool {pool.name} cannot run it: {why}"
                for pool in inventory.pools
                if (why := inventory.absent.get(pool.name)) and pool.suits(spec.request)
            ]
            raise InfeasibleError("; ".join((error.message, *absent)), error.fields) from None


@dataclass(frozen=True, slots=True)
class Admission:
    """Refuses jobs that could never start."""

    placements: Placements
    retention: Retention
    channels: Channels

    def check(self, spec: JobSpec, prefix: str = "") -> None:
        """Raise `InputError` for a model that will not be, `InfeasibleError` if it cannot run.

        `InputError` also for an address that may hear of no job. A job cannot run if no pool
        could ever hold it, or if its budget is too low. `prefix` stands before the names of wrong
        fields.
        """
        self.channels.check(spec.notify, f"{prefix}notify.to")
        classes: dict[int, Sequence[str]] = {}
        for field, number in reference_fields(spec.work):
            known = isinstance(number, int) and number in self.retention.live_jobs.jobs
            if isinstance(number, int) and number > 0 and not known:
                self._require_model(number, f"{prefix}work.{field}")
                if field != WEIGHTS and (found := self._classes(number)):
                    classes[number] = found
                    _require_same(classes, number, f"{prefix}work.{field}")
        try:
            self.placements.require(spec)
        except InfeasibleError as error:
            fields = {f"{prefix}{field}": legal for field, legal in error.fields.items()}
            raise InfeasibleError(error.message, fields) from None
        if spec.budget is None:
            return
        least = cheapest(self.placements.estimates(spec, sure=True))
        if least > spec.budget:
            raise InfeasibleError(
                f"its cheapest placement costs {money(least, up=True)} by estimate",
                {f"{prefix}budget": f"at least {money(least, up=True)}"},
            )

    def _classes(self, number: int) -> Sequence[str]:
        """What the model of a job that has ended knows; empty: its model.json does not tell."""
        path = self.retention.folders.artifacts(number) / CARD
        try:
            with regular(path) as file:
                found = json.load(file)["classes"]
        except (OSError, ValueError, KeyError, TypeError):
            return ()
        return tuple(map(str, found)) if isinstance(found, list) else ()

    def _require_model(self, number: int, field: str) -> None:
        """Raise `InputError` naming `field` if the job has ended and its model is not there."""
        retention = self.retention
        job = retention.store.job(number)
        model = retention.folders.artifacts(number) / MODEL
        if not job.state.final or holds(model.parent, MODEL):
            return
        try:
            retention.require(job, Kind.MODELS, model)
        except MissingError as error:
            problem = error.message
        else:
            problem = _without_model(job)
        raise InputError(problem, {field: problem})


def _without_paths(spec: JobSpec, lacking: Mapping[str, str]) -> InfeasibleError:
    said = "; ".join(f"pool {pool}: {why}" for pool, why in lacking.items())
    legal = (
        "what all nodes of a pool have on which jobs may start: put it on the others too, drain "
        "them, or give the nodes that have it a pool of their own (label fulcrum/pool)"
    )
    return InfeasibleError(
        f"no pool has what it names on all its nodes; {said}",
        dict.fromkeys(needs(spec.work), legal),
    )


def _require_same(classes: Mapping[int, Sequence[str]], number: int, field: str) -> None:
    """Raise `InputError` naming `field` if `number` knows other classes than the first model."""
    first = next(iter(classes))
    if classes[number] == classes[first]:
        return
    problem = (
        f"job {number} knows {_few(classes[number])}, job {first} {_few(classes[first])}; "
        "only models that know the same classes in the same order vote together"
    )
    raise InputError(problem, {field: problem})


def _few(classes: Sequence[str]) -> str:
    more = f" and {len(classes) - 3} more" if len(classes) > 3 else ""
    return f"the classes {', '.join(classes[:3])}{more}"


def _without_model(job: Job) -> str:
    match job.state:
        case JobState.SUCCEEDED:
            return f"{MODEL} of job {job.id} is missing from its artifacts"
        case JobState.CANCELLED:
            return f"job {job.id} was cancelled before it left a model"
        case _:
            return f"job {job.id} failed and left no model: {job.reason}"
