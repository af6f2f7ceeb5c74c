"""Examples of answers about sweeps, made of the domain's values as those in `answers`."""

from __future__ import annotations

from pydantic import BaseModel

from api.schemas.groups.sweep_answers import SubmittedSweepOut, SweepDetail, SweepOut, SweepPage
from scheduler.domain.groups.sweeps import (
    Dimension,
    Direction,
    EpochReport,
    Pruner,
    PrunerKind,
    Sweep,
    SweepMethod,
    SweepSpec,
    SweepState,
    SweepTrial,
    TrialState,
)
from scheduler.domain.jobs import JobKind, JobSpec, Profile
from scheduler.service.sweeps.views import SweepView, TrialView

_SPEC = SweepSpec(
    job=JobSpec(
        kind=JobKind.CNN_TRAIN,
        work={"model": "simple-cnn", "dataset": "digits", "epochs": 10},
        profile=Profile("cnn-train:simple-cnn:8:32:digits", 12930.0, 3.6e6),
        name="digits",
        user="ada",
        project="vision",
    ),
    parameters={"work.learning_rate": Dimension(low=1e-4, high=0.1, log=True)},
    method=SweepMethod.TPE,
    trials=2,
    parallel=2,
    metric="validation_accuracy",
    direction=Direction.MAXIMIZE,
    pruner=Pruner(PrunerKind.MEDIAN),
)
_SWEEP = Sweep(
    3,
    _SPEC,
    SweepState.SUCCEEDED,
    "1 of 2 trials completed, 1 pruned",
    1_767_261_600.0,
    "",
    1_767_261_660.0,
)
_BEST = SweepTrial(
    3,
    2,
    {"work.learning_rate": 0.0031},
    TrialState.COMPLETED,
    job=18,
    reports=(EpochReport(10, 0.981, 2.3),),
    epochs=10,
    value=0.981,
)
_PRUNED = SweepTrial(
    3,
    1,
    {"work.learning_rate": 0.094},
    TrialState.PRUNED,
    "pruned at epoch 3: validation_accuracy 0.61, median of 5 completed trials 0.84",
    17,
    (EpochReport(3, 0.61, 2.0),),
    10,
    0.61,
)

SWEEP_ANSWERS: dict[str, BaseModel] = {
    "sweep": SweepOut.of(_SWEEP),
    "submitted-sweep": SubmittedSweepOut.submitted(_SWEEP, ()),
    "sweeps": SweepPage(sweeps=(SweepOut.of(_SWEEP),), next_cursor=None),
    "sweep-detail": SweepDetail.with_trials(
        SweepView(
            _SWEEP,
            (
                TrialView(_BEST, None, 23.4, 0.00026, None),
                TrialView(_PRUNED, None, 6.2, 0.00007, 14.0),
            ),
            _BEST,
        )
    ),
}
