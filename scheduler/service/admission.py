"""Which jobs are accepted: those that could start on this cluster some day."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from scheduler.domain.errors import InfeasibleError, InputError, MissingError
from scheduler.domain.jobs import JobSpec
from scheduler.domain.lifecycle import JobState
from scheduler.domain.units import money
from scheduler.estimates.estimator import Estimator
from scheduler.estimates.options import PoolEstimate, feasible, options
from scheduler.service.dispatch.placement_options import cheapest
from scheduler.service.maintenance.retention import Kind, Retention
from scheduler.service.nodes.cluster_nodes import ClusterNodes
from scheduler.workloads.spec.specs import references


@dataclass(frozen=True, slots=True)
class Placements:
    """The placements that the present pools offer. Errors say why absent pools do not help."""

    nodes: ClusterNodes
    estimator: Estimator

    def require(self, spec: JobSpec) -> None:
        """Raise `InfeasibleError` if no pool could ever hold the job."""
        with self._naming_absent_pools(spec):
            feasible(spec.request, self.nodes.inventory.present)

    def estimates(self, spec: JobSpec) -> Sequence[PoolEstimate]:
        """Every placement with its estimate; raises `InfeasibleError` if there is none."""
        with self._naming_absent_pools(spec):
            return options(spec, self.nodes.inventory.present, self.estimator)

    @contextmanager
    def _naming_absent_pools(self, spec: JobSpec) -> Iterator[None]:
        inventory = self.nodes.inventory
        try:
            yield
        except InfeasibleError as error:
            absent = [
                f"pool {pool.name} cannot run it: {why}"
                for pool in inventory.pools
                if (why := inventory.absent.get(pool.name))
                and spec.request.accepts(pool.kind, pool.model)
            ]
            raise InfeasibleError("; ".join((error.message, *absent)), error.fields) from None


@dataclass(frozen=True, slots=True)
class Admission:
    """Refuses jobs that could never start."""

    placements: Placements
    retention: Retention

    def check(self, spec: JobSpec, prefix: str = "") -> None:
        """Raise `InputError` for a model that is not there, or if it could never start.

        The latter is an `InfeasibleError`: no pool can hold it, or its budget is too low.

        `prefix` stands before the names of wrong fields.
        """
        for number in references(spec.work):
            if number > 0 and number not in self.retention.live_jobs.jobs:
                self._require_model(number, prefix)
        try:
            self.placements.require(spec)
        except InfeasibleError as error:
            fields = {f"{prefix}{field}": legal for field, legal in error.fields.items()}
            raise InfeasibleError(error.message, fields) from None
        if spec.budget is None:
            return
        least = cheapest(self.placements.estimates(spec))
        if least > spec.budget:
            raise InfeasibleError(
                f"its cheapest placement costs {money(least, up=True)} by estimate",
                {f"{prefix}budget": f"at least {money(least, up=True)}"},
            )

    def _require_model(self, number: int, prefix: str) -> None:
        problem = self._without_model(number)
        if problem:
            raise InputError(problem, {f"{prefix}work.models": problem})

    def _without_model(self, number: int) -> str:
        """Why that job has no model; empty if it has one, or may leave one."""
        retention = self.retention
        model = retention.folders.artifacts(number) / "model.pt"
        try:
            job = retention.store.job(number)
            retention.require(job, Kind.MODELS, model)
        except MissingError as error:
            return error.message
        if job.state.final and job.state is not JobState.SUCCEEDED and not model.is_file():
            return f"job {number} ended {job.state} and left no model"
        return ""
