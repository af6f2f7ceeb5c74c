"""One running sweep: its trials are drawn, submitted, judged and ended.

Every step is stored before the next one, and can be taken twice: a trial is stored before its job
is submitted under an idempotency key of the trial, and stored as PRUNING before its job is
cancelled. So a service that is killed between any two steps leaves nothing undone or done twice.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

from scheduler.domain.errors import FulcrumError, InputError, OutageError
from scheduler.domain.groups.sweeps import Sweep, SweepState, SweepTrial, TrialState
from scheduler.domain.jobs import Job, JobKind, JobSpec
from scheduler.domain.lifecycle import JobState
from scheduler.domain.resources import Request
from scheduler.domain.units import counted
from scheduler.service.dispatch.messages import Cancel
from scheduler.service.paths import Paths
from scheduler.service.sweeps.epoch_reports import ReportReader
from scheduler.service.sweeps.study import TrialStudy
from scheduler.service.sweeps.trial_jobs import trial_job
from scheduler.store.base import JobQuery, Store
from scheduler.workloads.spec.paths import PathLook

ACTOR = "sweep"
"""Who submits and cancels the jobs of trials, in their histories."""


@dataclass(frozen=True, slots=True)
class JobAccess:
    """What a sweep needs of the service."""

    store: Store
    paths: Paths
    job: Callable[[int], Job]
    submit: Callable[[JobSpec, str], Job]
    """Submits once per idempotency key."""
    cancel: Callable[[Cancel], None]
    """Returns at once."""
    now: Callable[[], float]
    look: Callable[[Request], PathLook]
    """Looks at paths for a job."""


class SweepRun:
    """A sweep in memory, made of what the store holds. One thread uses it.

    After an error its memory may be ahead of the store: make a new one.
    """

    def __init__(self, sweep: Sweep, access: JobAccess) -> None:
        self.sweep = sweep
        self._access = access
        self._trials = {trial.number: trial for trial in access.store.sweeps.trials(sweep.id)}
        self._study = TrialStudy(sweep.spec)
        self._study.restore(list(self._trials.values()))
        self._readers: dict[int, ReportReader] = {}

    def advance(self, sweep: Sweep) -> None:
        """Do what can be done now; `sweep` as the store has it. Raises `OutageError`."""
        self.sweep = sweep
        self._observe()
        if sweep.state is SweepState.CANCELLING:
            self._abandon_planned()
            self._cancel(self._in(TrialState.LIVE), sweep.reason)
        else:
            self._draw()
            self._submit()
        self._end()

    def _draw(self) -> None:
        spec = self.sweep.spec
        live = sum(not trial.state.final for trial in self._trials.values())
        count = min(spec.parallel - live, spec.trials - len(self._trials))
        first = len(self._trials) + 1
        self._record(
            SweepTrial(self.sweep.id, number, self._study.draw())
            for number in range(first, first + count)
        )

    def _submit(self) -> None:
        for trial in self._in(TrialState.PLANNED):
            try:
                base = self.sweep.spec.job
                look = self._access.look(base.request)
                spec = trial_job(base, trial.parameters, self.sweep.id, trial.number, look)
                job = self._access.submit(spec, f"sweep-{self.sweep.nonce}-{trial.number}")
            except OutageError:
                raise
            except FulcrumError as error:
                if isinstance(error, InputError) or "budget" in error.fields:
                    self._finish(replace(trial, state=TrialState.FAILED, reason=error.message))
                    continue
                # No pool can hold it now, or no more jobs may wait: the next look tries again.
                self._say(f"trial {trial.number} waits: {error.message}")
                return
            self._record([_live(trial, job)])
        self._say("")

    def _abandon_planned(self) -> None:
        """Trials without a job end; those whose job was submitted just before a crash get it."""
        planned = self._in(TrialState.PLANNED)
        if not planned:
            return
        query = JobQuery(sweep=self.sweep.id)
        jobs = {
            job.spec.index: job for job in self._access.store.jobs(query, limit=len(self._trials))
        }
        for trial in planned:
            job = jobs.get(trial.number)
            if job is not None:
                self._record([_live(trial, job)])
            else:
                cancelled = replace(trial, state=TrialState.CANCELLED, reason=self.sweep.reason)
                self._finish(cancelled)

    def _say(self, reason: str) -> None:
        """Let the sweep tell why it waits."""
        if self.sweep.reason != reason:
            running = SweepState.RUNNING
            self.sweep = self._access.store.sweeps.move(
                self.sweep.id, [running], running, reason, self._access.now()
            )

    def _observe(self) -> None:
        changed = []
        for trial in self._in(TrialState.LIVE, TrialState.PRUNING):
            assert trial.job is not None
            job = self._access.job(trial.job)
            now = self._reported(trial, job)
            if job.state.final:
                self._finish(self._ended(now, job))
            elif now != trial:
                changed.append(now)
        self._record(changed)
        for trial in self._in(TrialState.PRUNING):
            self._cancel([trial], trial.reason)

    def _reported(self, trial: SweepTrial, job: Job) -> SweepTrial:
        """The trial with the reports that are new, judged."""
        if not job.attempts:
            return trial
        reader = self._reader(job)
        reader.read(job.attempts)
        known = {report.epoch for report in trial.reports}
        last = max(known, default=0)
        new = [one for one in reader.in_order() if one.epoch not in known and one.epoch > last]
        if not new:
            return trial
        reason = self._study.judge(trial.number, new)
        reports = (*trial.reports, *new)
        direction = self.sweep.spec.direction
        best = min((report.value for report in reports), key=direction.rank)
        trial = replace(trial, reports=reports, value=best, epochs=reader.epochs or trial.epochs)
        if reason and trial.state is TrialState.LIVE and not job.state.final:
            return replace(trial, state=TrialState.PRUNING, reason=reason)
        return trial

    def _ended(self, trial: SweepTrial, job: Job) -> SweepTrial:
        reader = self._reader(job)
        del self._readers[job.id]
        if job.state is JobState.SUCCEEDED:
            value = trial.value if trial.value is not None else reader.final
            if value is not None:
                return replace(trial, state=TrialState.COMPLETED, value=value, reason="")
            metric = self.sweep.spec.metric
            return replace(trial, state=TrialState.FAILED, reason=f"it reported no {metric}")
        if job.state is JobState.CANCELLED:
            if trial.state is TrialState.PRUNING:
                return replace(trial, state=TrialState.PRUNED)
            return replace(trial, state=TrialState.CANCELLED, reason=job.reason)
        return replace(trial, state=TrialState.FAILED, reason=job.reason)

    def _finish(self, trial: SweepTrial) -> None:
        self._record([trial])
        self._study.end(trial)

    def _cancel(self, trials: Iterable[SweepTrial], reason: str) -> None:
        for trial in trials:
            assert trial.job is not None
            if self._access.job(trial.job).state is not JobState.CANCELLING:
                self._access.cancel(Cancel(trial.job, ACTOR, reason))

    def _end(self) -> None:
        trials = self._trials.values()
        cancelling = self.sweep.state is SweepState.CANCELLING
        if not all(trial.state.final for trial in trials):
            return
        if len(trials) < self.sweep.spec.trials and not cancelling:
            return
        completed = sum(trial.state is TrialState.COMPLETED for trial in trials)
        pruned = sum(trial.state is TrialState.PRUNED for trial in trials)
        state = SweepState.SUCCEEDED if completed else SweepState.FAILED
        reason = f"{completed} of {counted(len(trials), 'trial')} completed, {pruned} pruned"
        if cancelling:
            state, reason = SweepState.CANCELLED, self.sweep.reason
        self.sweep = self._access.store.sweeps.move(
            self.sweep.id, [self.sweep.state], state, reason, self._access.now()
        )

    def _reader(self, job: Job) -> ReportReader:
        if job.id not in self._readers:
            metric = self.sweep.spec.metric
            self._readers[job.id] = ReportReader(self._access.paths, job.id, metric)
        return self._readers[job.id]

    def _in(self, *states: TrialState) -> list[SweepTrial]:
        return [trial for trial in self._trials.values() if trial.state in states]

    def _record(self, trials: Iterable[SweepTrial]) -> None:
        changed = list(trials)
        self._access.store.sweeps.record(changed)
        self._trials |= {trial.number: trial for trial in changed}


def _live(trial: SweepTrial, job: Job) -> SweepTrial:
    epochs = job.spec.work.get("epochs") if job.spec.kind is JobKind.CNN_TRAIN else None
    return replace(trial, state=TrialState.LIVE, job=job.id, epochs=epochs)
