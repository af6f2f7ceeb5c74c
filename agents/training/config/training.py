"""The settings of a training, in one value that is saved with the run."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Annotated, Any, Literal, get_args

from annotated_types import Ge, Gt, Le

from scheduler.domain.errors import FulcrumError, InputError
from scheduler.files import write_text
from scheduler.policies.learned_index import LearnedIndex, correctable
from scheduler.policies.lookup import named

FILE = "config.json"
"""The file of the settings in the folder of a run."""

Algorithm = Literal["ppo", "ars", "cmaes", "search"]
"""Maskable PPO; augmented random search; CMA-ES; search and distillation. The first two learn a
network of rows, the others an index of jobs."""
Criterion = Literal["mean_of_ratios", "ratio_of_means"]
"""How episodes are averaged: all count alike, or each as much as it costs the baseline."""
Waits = Literal["beside-best", "free"]
"""Not while a job can start where its price is least; whenever something runs."""
Kept = Literal["best", "last"]
"""The weights that are kept: of the best validation, or averaged, of the last one."""


_CHOICES = (("algo", Algorithm), ("criterion", Criterion), ("waiting", Waits), ("keep", Kept))


@dataclass(frozen=True, slots=True)
class Only:
    """A mark: only these algorithms read the field."""

    algos: tuple[Algorithm, ...]


PPO, ARS, NETWORK = Only(("ppo",)), Only(("ars",)), Only(("ppo", "ars"))
CMAES, SEARCH, INDEX = Only(("cmaes",)), Only(("search",)), Only(("cmaes", "search"))


@dataclass(frozen=True, slots=True)
class Training:
    """Equal settings give equal weights on the same machine and versions.

    A marked field is read by the algorithms of its mark alone. The others refuse it unless it has
    its default. Some defaults differ by algorithm: `agents.training.config.values.DEFAULTS`.
    """

    scenario: str = "mixed-cloud"
    """Name or file."""
    steps: Annotated[int, Ge(1)] = 1_000_000
    """Decisions, rounded up to whole rollouts: of PPO `envs` · `n_steps` decisions, of ARS
    2 · `n_delta` · `n_eval_episodes` episodes. Of an index each job of an episode is one decision:
    CMA-ES counts the episodes of all candidates, up to whole generations; search those that the
    policy plays, without the play-outs, up to whole rounds."""
    algo: Algorithm = "ppo"
    seed: Annotated[int, Ge(0)] = 0
    preference: float | None = None
    """w; None: drawn for every episode, with extra mass at both ends."""
    jobs: Annotated[int, Ge(1)] = 160
    """Jobs in an episode."""
    rows: Annotated[int, Ge(2), NETWORK] = 64
    """K: rows the network sees."""
    waiting: Annotated[Waits, NETWORK] = "beside-best"
    """When WAIT is legal."""
    hidden: Annotated[int, Ge(0)] = 64
    """Hidden units; of an index 0 is legal, too: the correction is linear."""
    workloads: Annotated[int, Ge(1), NETWORK] = 256
    """Different training workloads. The baseline's trajectories through up to
    `agents.training.environments.baseline.CAPACITY` of them are kept, which saves time where
    `preference` is fixed."""
    baseline: str = "wgc"
    """The policy whose objective divides the reward."""
    criterion: Criterion = "mean_of_ratios"
    """What is learned and validated: the reward is divided by the baseline's objective on the same
    workload, or by its mean over workloads. A few workloads decide means of the slowdown."""
    gain: Annotated[float, Gt(0), NETWORK] = 50.0
    """Return that equals the baseline's whole episode: critics learn returns of this size well."""
    clip_reward: Annotated[float, Gt(0), NETWORK] = 25.0
    """Largest loss or gain of a single step, so that starvation does not dominate the rest. A limit
    on one side only would reward a policy for moving a loss to another time."""

    expert: Annotated[str | None, NETWORK] = "wgc"
    """The policy that is imitated before learning; None: start from random weights."""
    demonstrations: Annotated[int, Ge(1), NETWORK] = 30_000
    """Decisions of the expert."""
    dagger_steps: Annotated[int, Ge(0), NETWORK] = 0
    """Decisions at which the imitating policy plays and the expert says what it would do. They show
    states that the policy's own mistakes lead to (DAgger; Ross, Gordon, Bagnell, AISTATS 2011)."""
    dagger_rounds: Annotated[int, Ge(1), NETWORK] = 2
    """Parts of the DAgger steps; after each the policy is fitted to all decisions so far."""
    imitation_epochs: Annotated[int, Ge(1), NETWORK] = 8
    imitation_batch: Annotated[int, Ge(2), NETWORK] = 256
    """Small, for many updates: a policy that imitates only half waits where it should act."""
    imitation_rate: Annotated[float, Gt(0), NETWORK] = 1e-3
    alternatives: Annotated[tuple[str, ...], NETWORK] = ()
    """Heuristics whose choices are worth trying where they differ from the expert's."""
    best_expert_per_episode: Annotated[bool, NETWORK] = False
    """On each episode the best of the expert and the alternatives is imitated: no one heuristic
    suits every cluster, and the network sees which cluster it is on."""
    alternative_label_weight: Annotated[float, Ge(0), Le(1), NETWORK] = 0.3
    """Share of the alternatives in what is imitated. Over-confident imitation does not explore; a
    policy that tries every legal row learns little among its blunders."""

    envs: Annotated[int, Ge(1), PPO] = 16
    processes: Annotated[bool, PPO] = False
    """Give each environment its own process."""
    n_steps: Annotated[int, Ge(1), PPO] = 256
    """Decisions of each environment in a rollout."""
    batch_size: Annotated[int, Ge(2), PPO] = 1024
    n_epochs: Annotated[int, Ge(1), PPO] = 4
    gamma: Annotated[float, Gt(0), Le(1), PPO] = 1.0
    """Discount per decision. There are hundreds: below 1, putting things off pays."""
    gae_lambda: Annotated[float, Ge(0), Le(1), PPO] = 0.95
    learning_rate: Annotated[float, Gt(0), PPO] = 3e-4
    """Falls linearly. Without an expert 7e-4 … 1e-3."""
    final_rate: Annotated[float, Ge(0), Le(1), NETWORK] = 0.1
    """Share of `learning_rate` or `step_size` that is left at the end."""
    clip_range: Annotated[float, Gt(0), PPO] = 0.2
    target_kl: Annotated[float, Gt(0), PPO] = 0.02
    ent_coef: Annotated[float, Ge(0), PPO] = 0.0

    n_delta: Annotated[int, Ge(1), ARS] = 16
    """N of Mania et al.: directions tried in a rollout, each both ways."""
    n_top: Annotated[int, Ge(1), ARS] = 8
    """b: the best of them, which the step is made of; at most `n_delta`."""
    delta_std: Annotated[float, Gt(0), ARS] = 0.02
    """ν: standard deviation of the noise on each weight."""
    step_size: Annotated[float, Gt(0), ARS] = 0.005
    """α: `learning_rate` of Stable-Baselines3's ARS; falls linearly. Divided by the standard
    deviation of the returns."""
    n_eval_episodes: Annotated[int, Ge(1), Only(("ars", "cmaes"))] = 2
    """Episodes of each candidate; all candidates of a rollout or generation play the same ones."""

    base: Annotated[str | None, INDEX] = None
    """The policy whose order is corrected: a textbook order, wgc, or a learned index to go on from,
    whose number of hidden units and largest correction count; None: the baseline."""
    correction_limit: Annotated[float, Ge(0), INDEX] = 4.0
    """B: the largest correction; indices are on a logarithmic scale. 0, with `cmaes` on wgc: the
    order stays, and only what changes wgc's constants is learned."""
    augment: Annotated[bool, INDEX] = True
    """Whether training episodes vary in load, runtimes and widths."""

    population: Annotated[int, Ge(4), CMAES] = 16
    """Candidates of a generation."""
    sigma: Annotated[float, Gt(0), CMAES] = 0.4
    """Standard deviation of the first candidates."""

    search_episodes: Annotated[int, Ge(1), SEARCH] = 40
    """Episodes of a round."""
    searched_share: Annotated[float, Gt(0), Le(1), SEARCH] = 0.3
    """Share of their choices that are searched."""
    tried_jobs: Annotated[int, Ge(2), SEARCH] = 8
    """K: jobs of the order that are tried first."""
    futures: Annotated[int, Ge(2), SEARCH] = 8
    """M: futures in which each of them is played out. All are: values of bad jobs teach, too."""
    future_length: Annotated[int, Ge(1), SEARCH] = 48
    """H: arrivals of a future."""
    histories: Annotated[int, Ge(1), SEARCH] = 12
    """Workloads whose jobs futures are drawn from; the policy plays none of them."""
    improved_from: Annotated[int, Ge(0), SEARCH] = 2
    """The round, from 0, from which what was learned plays the futures out. Before, the base does:
    several times faster."""
    tries_favourites: Annotated[bool, SEARCH] = False
    """Whether the jobs that are tried are the first ones by what was learned, not by the base. It
    shows what favourites cost that are far behind in the base's order."""
    members: Annotated[int, Ge(1), SEARCH] = 4
    """Networks that are learned apart, each from other random weights; their mean is kept, as one
    network. Single ones differ much: few choices hold most of what is to be gained."""
    fit_epochs: Annotated[int, Ge(1), SEARCH] = 40
    fit_batch: Annotated[int, Ge(2), SEARCH] = 64
    fit_rate: Annotated[float, Gt(0), SEARCH] = 3e-3
    fit_decay: Annotated[float, Ge(0), SEARCH] = 1e-4
    temperature: Annotated[float, Gt(0), SEARCH] = 0.3
    """Of the softmax over the candidates' indices."""
    clip_gain: Annotated[float, Gt(0), SEARCH] = 1.5
    """Savings are within ± this, in units of their mean size."""

    averaging: Annotated[float, Ge(0), Le(1), NETWORK] = 0.95
    """Share of the averaged weights that stays after a rollout."""

    validate_every: Annotated[int, Ge(1)] = 20
    """Rollouts, generations or rounds between validations."""
    validation_workloads: Annotated[int, Ge(1)] = 12
    validation_preferences: tuple[float, ...] = (0.2, 0.5, 0.8)
    """Replaced by `preference` where that is fixed."""
    patience: Annotated[int, Ge(1)] = 20
    """Validations without a new best after which the training stops early."""
    keep: Kept = "best"
    """`last` where validation has too few jobs to tell good weights from lucky ones."""
    checkpoint_every: Annotated[int, Ge(1), NETWORK] = 5
    """Rollouts between checkpoints."""
    tensorboard: Annotated[bool, NETWORK] = False

    def __post_init__(self) -> None:
        """Raises `InputError` naming the field and what is legal."""
        for name, legal in _CHOICES:
            value = getattr(self, name)
            if value not in get_args(legal):
                raise InputError(f"{name} is {value!r}", {name: ", ".join(get_args(legal))})
        if self.criterion == "ratio_of_means" and self.preference is None:
            raise InputError(
                "ratio_of_means needs one preference: means at different ones cannot be compared",
                {"preference": "0 … 1", "criterion": "mean_of_ratios where it is random"},
            )
        for field in fields(self):
            value = getattr(self, field.name)
            marks = getattr(_hint(field.name), "__metadata__", ())
            bounds = [mark for mark in marks if not isinstance(mark, Only)]
            for mark in marks:
                foreign = isinstance(mark, Only) and self.algo not in mark.algos
                if foreign and value != field.default:
                    raise InputError(
                        f"{self.algo} does not read {field.name}",
                        {field.name: f"left out, or with algo={' or '.join(mark.algos)}"},
                    )
            if not all(_within(value, bound) for bound in bounds):
                raise InputError(f"{field.name} is {value}", {field.name: _legal(bounds)})
        if self.n_top > self.n_delta:
            raise InputError(
                f"n_top is {self.n_top}", {"n_top": f"at most n_delta, {self.n_delta}"}
            )
        self._check_hidden()
        for w in (*self.validation_preferences, self.preference):
            if w is not None and not 0 <= w <= 1:
                raise InputError(f"preference is {w}", {"preference": "0 … 1, or random"})
        if not self.validation_preferences:
            raise InputError("no preference to validate", {"validation_preferences": "0 … 1"})

    def _check_hidden(self) -> None:
        if not self.learns_index and self.hidden < 1:
            raise InputError("hidden is 0", {"hidden": "≥ 1"})
        if self.algo == "search" and self.hidden % self.members:
            raise InputError(
                f"{self.hidden} hidden units cannot be shared by {self.members} members",
                {"hidden": f"a multiple of {self.members}"},
            )

    @property
    def learns_index(self) -> bool:
        """Whether the algorithm learns an index of jobs, not a network of rows."""
        return self.algo in INDEX.algos

    @property
    def corrected(self) -> str:
        """The policy whose order an index corrects."""
        return self.baseline if self.base is None else self.base

    @property
    def rollout(self) -> int:
        """Decisions in a rollout of PPO."""
        return self.envs * self.n_steps

    @property
    def rollouts(self) -> int:
        """Rollouts of PPO in the whole training."""
        return -(-self.steps // self.rollout)

    @property
    def goal(self) -> int:
        """Decisions at which the training is over."""
        return self.rollouts * self.rollout if self.algo == "ppo" else self.steps

    @property
    def imitated(self) -> int:
        """Decisions that are imitated before learning."""
        if self.expert is None or self.learns_index:
            return 0
        return self.demonstrations + self.dagger_steps

    @property
    def validated_preferences(self) -> tuple[float, ...]:
        """Preferences at which the policy is validated."""
        return self.validation_preferences if self.preference is None else (self.preference,)

    def check_policies(self) -> None:
        """Raises `InputError` that names the field if a policy does not exist or cannot be used."""
        parts = {"expert": (self.expert,), "baseline": (self.baseline,), "base": (self.base,)}
        for field, names in {**parts, "alternatives": self.alternatives}.items():
            for name in filter(None, names):
                try:
                    named(name)
                except FulcrumError as error:
                    legal = "; ".join(error.fields.values())
                    raise InputError(f"{field}: {error.message}", {field: legal}) from error
        if self.learns_index and not isinstance(base := named(self.corrected), LearnedIndex):
            correctable(base)

    def save(self, run: Path) -> None:
        """Write all settings into the folder of the run, or nothing."""
        write_text(run / FILE, json.dumps(asdict(self), indent=2) + "\n")


def _hint(name: str) -> object:
    if name not in _HINTS:
        from typing import get_type_hints

        _HINTS.update(get_type_hints(Training, include_extras=True))
    return _HINTS[name]


_HINTS: dict[str, object] = {}


def _within(value: Any, bound: object) -> bool:
    match bound:
        case Ge(least):
            return bool(value >= least)
        case Gt(below):
            return bool(value > below)
        case Le(most):
            return bool(value <= most)
    return True


def _legal(bounds: Sequence[object]) -> str:
    """`≥ 0`, `> 0`, `> 0, ≤ 1` or `0 … 1`."""
    match bounds:
        case [Ge(least), Le(most)]:
            return f"{least} … {most}"
    words = []
    for bound in bounds:
        match bound:
            case Ge(least):
                words.append(f"≥ {least}")
            case Gt(below):
                words.append(f"> {below}")
            case Le(most):
                words.append(f"≤ {most}")
    return ", ".join(words)
