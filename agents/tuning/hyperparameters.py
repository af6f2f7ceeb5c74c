"""Search for hyper-parameters of training with Optuna: many trainings; bad ones stop early.

A study is a folder: `study.db` (Optuna's, in SQLite), `trials/N/`, each the run of a training, and
`best.json`, the best settings, for `fulcrum policy train --config`. A trial's score is the best
mean ratio to the baseline on validation workloads. Sampler: TPE (Bergstra et
al., NeurIPS 2011); a trial ends early if it is worse than the median of the others at the same
point (Golovin et al., "Google Vizier", KDD 2017).
"""

from __future__ import annotations

import json
import warnings
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import optuna
from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)
from optuna.trial import FrozenTrial, TrialState

from agents.training.config import Training, current_names, of
from agents.training.lock import exclusive
from agents.training.progress import Tell, TrainingEvent
from agents.training.trainer import train
from scheduler.domain.errors import StateError
from scheduler.files import write_text

DATABASE, TRIALS, BEST = "study.db", "trials", "best.json"
_NETWORK: Mapping[str, BaseDistribution] = {
    "averaging": FloatDistribution(0.8, 0.99),
    "hidden": CategoricalDistribution((32, 64, 96, 128)),
    "final_rate": FloatDistribution(0.0, 1.0),
    "alternative_label_weight": FloatDistribution(0.0, 0.5),
}
SPACES: Mapping[str, Mapping[str, BaseDistribution]] = {
    "ppo": {
        **_NETWORK,
        "learning_rate": FloatDistribution(5e-5, 2e-3, log=True),
        "gamma": CategoricalDistribution((0.99, 0.995, 0.998, 0.999, 1.0)),
        "gae_lambda": FloatDistribution(0.9, 1.0),
        "ent_coef": FloatDistribution(0.0, 0.005),
        "clip_range": FloatDistribution(0.1, 0.3),
        "target_kl": FloatDistribution(0.01, 0.1, log=True),
        "batch_size": CategoricalDistribution((256, 512, 1024, 2048)),
        "n_epochs": IntDistribution(2, 8),
    },
    "ars": {
        **_NETWORK,
        "delta_std": FloatDistribution(0.003, 0.1, log=True),
        "step_size": FloatDistribution(0.0005, 0.05, log=True),
    },
    "cmaes": {
        "hidden": CategoricalDistribution((0, 4, 8)),
        "sigma": FloatDistribution(0.05, 1.5, log=True),
        "correction_limit": FloatDistribution(0.5, 8.0, log=True),
    },
    "search": {
        "hidden": CategoricalDistribution((16, 32, 64)),
        "correction_limit": FloatDistribution(0.5, 8.0, log=True),
        "fit_rate": FloatDistribution(5e-4, 1e-2, log=True),
        "temperature": FloatDistribution(0.1, 1.0, log=True),
        "clip_gain": FloatDistribution(0.5, 5.0, log=True),
    },
}
"""Settings that are searched, by algorithm; all others are as in the study's base. Trials are
compared at equal points of the training, so the length of rollouts is not searched."""
WARM_UP = 4
"""Trials that are not stopped early, and drawn at random but for the first, the base itself."""
_BASE, _AGAIN = "base", "again"


@dataclass(frozen=True, slots=True)
class Trial:
    """One training of the study."""

    number: int
    state: str
    """`running`, `complete`, `pruned` or `fail`."""
    score: float | None
    """Best mean ratio to the baseline so far; less is better."""
    parameters: Mapping[str, Any]


def search(
    folder: Path,
    base: Training,
    trials: int,
    command: str = "",
    tell: Tell = lambda _: None,
    done: Callable[[Trial], None] = lambda _: None,
    *,
    workers: int = 1,
) -> tuple[Trial, ...]:
    """Run trainings until the study in `folder` has `trials` of them; returns all.

    They run one after the other, with `workers` processes each. A study that is there already
    continues; a trial that was interrupted starts again. `done` receives each trial that has ended.
    Raises `StateError` if the folder's study has another base or while another process works in
    it, `InputError` for unknown policies.
    """
    base.check_policies()
    with exclusive(folder, "study"):
        return _search(folder, base, trials, command, tell, done, workers)


def _search(
    folder: Path,
    base: Training,
    trials: int,
    command: str,
    tell: Tell,
    done: Callable[[Trial], None],
    workers: int,
) -> tuple[Trial, ...]:
    study = _open(folder, base)
    space = _space(base)

    def objective(trial: optuna.Trial) -> float:
        values = {name: _suggest(trial, name, each) for name, each in space.items()}
        config = replace(base, **values)
        run = folder / TRIALS / f"{trial.number:03}"
        best = float("inf")
        validations = 0

        def heard(event: TrainingEvent) -> None:
            nonlocal best, validations
            tell(event)
            if event.stage != "validated":
                return
            best = min(best, *(score.mean for score in event.scores.values()))
            trial.report(best, validations)
            validations += 1
            if trial.should_prune():
                raise optuna.TrialPruned

        return train(config, run, command, heard, workers=workers).best

    def ended(study: optuna.Study, frozen: FrozenTrial) -> None:
        if frozen.state is TrialState.COMPLETE:
            config = replace(base, **current_names(study.best_params))
            write_text(folder / BEST, json.dumps(asdict(config), indent=2) + "\n")
        done(_trial(frozen))

    left = trials - sum(trial.state.is_finished() for trial in _counted(study))
    if left > 0:
        study.optimize(objective, left, callbacks=[ended])
    return tuple(_trial(frozen) for frozen in study.trials)


def _open(folder: Path, base: Training) -> optuna.Study:
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    storage = optuna.storages.RDBStorage(f"sqlite:///{(folder / DATABASE).absolute()}")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        study = optuna.create_study(
            storage=storage, study_name=folder.absolute().name, load_if_exists=True
        )
        study.sampler = optuna.samplers.TPESampler(
            # Resumed studies draw other candidates than those they have.
            seed=base.seed + len(study.trials),
            multivariate=True,
            n_startup_trials=WARM_UP,
        )
    study.pruner = optuna.pruners.MedianPruner(n_startup_trials=WARM_UP, n_warmup_steps=1)
    known = study.user_attrs.get(_BASE)
    if known is None:
        study.set_user_attr(_BASE, json.dumps(asdict(base)))
        study.enqueue_trial({name: getattr(base, name) for name in _space(base)})
    elif of(json.loads(known)) != base:
        raise StateError(
            f"the study in {folder} has another base", {"folder": "a new one, or the same options"}
        )
    _again(study)
    return study


def _space(base: Training) -> dict[str, BaseDistribution]:
    """The space that is searched, wide enough for the base itself, which is the first trial."""
    return {name: _with(each, getattr(base, name)) for name, each in SPACES[base.algo].items()}


def _with(space: BaseDistribution, value: Any) -> BaseDistribution:
    match space:
        case FloatDistribution():
            return FloatDistribution(min(space.low, value), max(space.high, value), log=space.log)
        case IntDistribution():
            return IntDistribution(min(space.low, value), max(space.high, value))
        case CategoricalDistribution():
            return CategoricalDistribution(tuple(sorted({*space.choices, value})))
    raise AssertionError(space)


def _again(study: optuna.Study) -> None:
    """Enqueue each interrupted trial once."""
    for frozen in study.get_trials(states=(TrialState.RUNNING,)):
        study.tell(frozen.number, state=TrialState.FAIL)
    known = study.user_attrs.get(_AGAIN, [])
    for frozen in study.get_trials(states=(TrialState.FAIL,)):
        if frozen.params and frozen.number not in known:
            study.enqueue_trial(current_names(frozen.params))
            known = [*known, frozen.number]
    study.set_user_attr(_AGAIN, known)


def _counted(study: optuna.Study) -> list[FrozenTrial]:
    """Trials that count: those that were not interrupted."""
    return study.get_trials(states=(TrialState.COMPLETE, TrialState.PRUNED))


def _suggest(trial: optuna.Trial, name: str, space: BaseDistribution) -> Any:
    match space:
        case FloatDistribution():
            return trial.suggest_float(name, space.low, space.high, log=space.log)
        case IntDistribution():
            return trial.suggest_int(name, space.low, space.high)
        case CategoricalDistribution():
            return trial.suggest_categorical(name, space.choices)
    raise AssertionError(space)


def _trial(frozen: FrozenTrial) -> Trial:
    values = frozen.intermediate_values.values()
    score = frozen.value if frozen.value is not None else min(values, default=None)
    return Trial(frozen.number, frozen.state.name.lower(), score, frozen.params)
