"""The simulated cluster as a Gymnasium environment: `Fulcrum/Cluster-v0`."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import gymnasium
import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray

from envs.gym import rewards
from envs.gym.actions import action_of
from envs.gym.episodes import (
    Draw,
    Episode,
    NothingToDecideError,
    checked_preference,
    drawn_preference,
    of_scenario,
)
from envs.gym.render_image import picture
from envs.gym.render_text import ansi
from envs.scenarios import Scenario, Split
from envs.simulator.meter import Meter, Reading
from envs.simulator.results import SimulationResult
from envs.simulator.simulation import Simulation
from scheduler.arrays import Bools, Floats32, Ints
from scheduler.decisions.features import encoder
from scheduler.decisions.features.encoder import Encoding, WaitingRule, encoding_of
from scheduler.decisions.kernel import decision_points
from scheduler.decisions.kernel.columns import FORCED, MAY_WAIT, PLACED
from scheduler.decisions.kernel.queue.features import TOP
from scheduler.decisions.rounds.candidates import Candidates
from scheduler.decisions.rounds.policy import Policy
from scheduler.decisions.rounds.round import Round
from scheduler.decisions.state.entries import WAIT
from scheduler.domain.errors import InputError

_TRIES = 100
"""Most workloads drawn until one needs a decision."""


class ClusterEnv(gymnasium.Env[Floats32, np.int64]):
    """One episode is one workload; one step is one choice of a candidate row.

    The environment asks only for real choices: it takes rows that the mode forces, and the only
    legal row of a table, at once. Time passes only when nothing more can be chosen at an instant.
    An episode is terminated when every job has ended; it is never truncated.

    `scenario`: a name, a `Scenario`, or a function that draws an `Episode` from a seed.
    `preference`: w, 0 cheapest … 1 fastest; None or `random`: drawn for every episode. Jobs that
    name their own keep it. `jobs`, `split`: see `Scenario.workload`; a function has its own.
    `rows`: K, rows shown. `reward`: a name of `envs.gym.rewards.REWARDS`; `miss_penalty`: the
    penalty of a missed deadline in it, by default that of the scenario's objective. `illegal`: what
    happens on an action that `action_masks` forbids: `first` takes the first legal row instead and
    counts the action in the info, `raise` raises `InputError`. `waiting`: when WAIT is legal.

    Raises `InputError` or `MissingError`, naming the legal values.
    """

    metadata: dict[str, Any] = {  # noqa: RUF012 - not a ClassVar in gymnasium.Env either
        "render_modes": ["ansi", "rgb_array"],
        "render_fps": 10,
    }

    def __init__(
        self,
        scenario: str | Scenario | Draw = "mixed-cloud",
        preference: float | str | None = None,
        jobs: int | None = None,
        rows: int = 64,
        split: Split | str = Split.TRAIN,
        reward: str = "latency-cost",
        miss_penalty: float | None = None,
        illegal: str = "first",
        render_mode: str | None = None,
        waiting: WaitingRule | str = WaitingRule.BESIDE_BEST,
    ) -> None:
        _check(rows, illegal, render_mode, waiting)
        named = isinstance(scenario, (str, Scenario))
        self._draw: Draw = of_scenario(scenario, jobs, split) if named else scenario  # type: ignore[arg-type, assignment]
        self._preference = checked_preference(preference)
        self._miss_penalty = miss_penalty
        self._strict = illegal == "raise"
        self._waiting = WaitingRule(waiting).code
        self.reward = rewards.named(reward)
        self.render_mode = render_mode
        self.rows = rows
        """K: rows of the observation, and number of actions."""
        self.observation_space = spaces.Box(0.0, TOP, (encoder.size(rows),), dtype=np.float32)
        self.action_space = spaces.Discrete(rows)
        self.preference = 0.5
        """w of this episode."""
        self.scales = rewards.Scales()
        """The units of the rewards of this episode."""
        self._simulation: Simulation | None = None
        self._round: Round | None = None
        self._encoding: Encoding | None = None
        self._reading = Reading()
        self._committed: list[rewards.Commitment] = []
        self._told = 0
        self._choices = self._illegal = 0
        self._rows: Ints = np.zeros(1, dtype=np.int64)
        self._legal: Bools = np.zeros(rows, dtype=np.bool_)

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Floats32, dict[str, Any]]:
        """Begin a new workload and run it to its first decision.

        `options`: `workload` (the seed of the episode, instead of a drawn one) and `preference`.
        Raises `InputError` for others, and if no decision is found in any of 100 workloads.
        """
        super().reset(seed=seed)
        wished = dict(options or {})
        number: int | None = wished.pop("workload", None)
        fixed = checked_preference(wished.pop("preference", self._preference))
        if wished:
            raise InputError(
                f"unknown reset options: {', '.join(wished)}", {"options": "workload, preference"}
            )
        for _ in range(_TRIES if number is None else 1):
            seed_ = int(self.np_random.integers(2**31)) if number is None else int(number)
            self.preference = drawn_preference(self.np_random) if fixed is None else fixed
            self._begin(self._draw(seed_))
            if self._encoding is not None:
                return self._encoding.values, self._info(Reading())
        raise NothingToDecideError(
            "the workload leaves nothing to decide",
            {"scenario": "one with more jobs than fit at once, or several placements a job"},
        )

    def step(self, action: np.int64) -> tuple[Floats32, float, bool, bool, dict[str, Any]]:
        """Choose a row; the reward is for all that happens until the next decision.

        Among equal jobs the most urgent one is taken instead, as in the service
        (`scheduler.decisions.kernel.rules.precedence`).

        Raises `InputError` for an action outside the action space, after the end, or, under
        `illegal="raise"`, for one that is not legal now.
        """
        round_ = self._deciding
        row = self._row_of(int(action))
        self._choices += 1
        round_.take(round_.preceding(row, heed=True))
        self._settle()
        reading = self._meter.read(self.simulation.now)
        interval, self._reading = reading - self._reading, reading
        outcome = self.simulation.outcome() if self._encoding is None else None
        reward = self.reward.of(
            rewards.Step(interval, tuple(self._committed), outcome, self.preference, self.scales)
        )
        self._committed.clear()
        info = self._info(interval)
        if self._encoding is not None:
            return self._encoding.values, reward, False, False, info
        assert outcome is not None
        info["metrics"] = _metrics(reading, outcome)
        return np.zeros(encoder.size(self.rows), dtype=np.float32), reward, True, False, info

    def action_masks(self) -> Bools:
        """(rows,) bool: the legal actions, for MaskablePPO; all False after the end."""
        return self._legal.copy()

    def action_of(self, policy: Policy) -> int:
        """The action that a policy would choose now among the rows that are shown and legal."""
        table = self.table
        return action_of(table, np.searchsorted(table.rows, self._rows), policy, self._legal)

    def unflatten(self, observation: Floats32) -> tuple[Floats32, Floats32]:
        """(…, rows, columns) and (…, globals): views of observations of shape (…, size)."""
        return encoder.unflatten(observation, self.rows)

    @property
    def table(self) -> Candidates:
        """The candidates in physical units. Raises `InputError` when nothing is to be decided."""
        table = self._deciding.table()
        assert table is not None
        return table

    @property
    def simulation(self) -> Simulation:
        """The episode's simulation, with true runtimes. Raises `InputError` before `reset`."""
        if self._simulation is None:
            raise InputError("no episode has begun", {"reset": "must be called first"})
        return self._simulation

    def render(self) -> str | NDArray[np.uint8] | None:
        """Render pools and queue as text (`ansi`) or a device timeline (`rgb_array`)."""
        if self.render_mode == "ansi":
            encoding = self._encoding
            if encoding is None:
                return ansi(self.simulation, None, {}, self.preference)
            positions = enumerate(encoding.positions.tolist())
            shown = {action: position for action, position in positions if self._legal[action]}
            return ansi(self.simulation, self.table, shown, self.preference)
        if self.render_mode == "rgb_array":
            return picture(self.simulation)
        return None

    def _begin(self, episode: Episode) -> None:
        self.scales = episode.scales
        if self._miss_penalty is not None:
            self.scales = replace(self.scales, miss=self._miss_penalty)
        self._meter = Meter()
        spec = replace(episode.spec, preference=self.preference)
        self._simulation = Simulation(
            episode.workload,
            spec,
            episode.estimator,
            self._meter,
            seed=episode.seed,
            record=self.render_mode == "rgb_array",
        )
        self._simulation.world.reserve_shown(self.rows)
        self._reading = Reading()
        self._choices = self._illegal = self._told = 0
        self._committed.clear()
        self._round = self._simulation.next()
        self._settle()

    def _settle(self) -> None:
        """Take forced rows and let time pass, until there is a choice or the end."""
        self._encoding = None
        self._legal[:] = False
        simulation, world = self.simulation, self.simulation.world
        while self._round is not None:
            shown = decision_points.next_decision(
                world.handle, self.rows, self.preference, self._waiting
            )
            if self.reward.when is rewards.When.COMMIT:
                self._tell_placements(self._round)
            if shown:
                self._encoding = encoding_of(world, self.rows)
                self._rows = world.table_row[self._encoding.positions]
                self._legal[:shown] = True
                self._legal[WAIT] = world.state[MAY_WAIT]
                return
            simulation.commit(self._round.plan())
            self._round, self._told = simulation.next(), 0

    def _tell_placements(self, round_: Round) -> None:
        """Note what the round has placed since this was asked last."""
        world, told = round_.world, self._told
        self._told = int(world.count[PLACED])
        for row, placed in zip(
            world.placed_row[told : self._told], round_.plan().placements[told:], strict=True
        ):
            slot = world.row_slot[row]
            self._committed.append(
                rewards.Commitment(
                    wait_s=round_.now - float(world.job_submitted[slot]),
                    delay_s=world.boot_s(placed.pool, placed.nodes),
                    runtime_s=placed.runtime_s,
                    ideal_s=float(world.job_ideal[slot]),
                    dollars=placed.dollars,
                )
            )

    @property
    def _deciding(self) -> Round:
        if self._round is None:
            raise InputError("there is nothing to decide", {"step": "after reset, until the end"})
        return self._round

    def _row_of(self, action: int) -> int:
        """The row of the world that an action means, or the one that replaces an illegal action."""
        if not (0 <= action < self.rows and self._legal[action]):
            action = self._instead_of(action)
        return int(self._rows[action])

    def _instead_of(self, action: int) -> int:
        """The action that replaces an illegal one."""
        legal = np.flatnonzero(self._legal)
        if self._strict or not 0 <= action < self.rows:
            raise InputError(
                f"action {action} is not legal now",
                {"action": f"one of {', '.join(map(str, legal))}"},
            )
        self._illegal += 1
        return int(legal[legal != WAIT][0])

    def _info(self, interval: Reading) -> dict[str, Any]:
        return {
            "interval": interval.time,
            "dollars": interval.dollars,
            "joules": interval.joules,
            "slowdown": interval.slowdown,
            "decisions": self._choices,
            "forced": int(self.simulation.world.state[FORCED]),
            "illegal": self._illegal,
            "preference": self.preference,
        }


def _check(rows: int, illegal: str, render_mode: str | None, waiting: str) -> None:
    if rows < 2:
        raise InputError(f"{rows} rows", {"rows": "a whole number ≥ 2: WAIT and another"})
    if illegal not in ("first", "raise"):
        raise InputError(f"illegal is {illegal!r}", {"illegal": "first or raise"})
    if render_mode not in (None, *ClusterEnv.metadata["render_modes"]):
        raise InputError(f"no render mode {render_mode!r}", {"render_mode": "ansi, rgb_array"})
    if waiting not in set(WaitingRule):
        raise InputError(f"waiting is {waiting!r}", {"waiting": f"one of {', '.join(WaitingRule)}"})


def _metrics(reading: Reading, outcome: SimulationResult) -> dict[str, float]:
    """Metrics of a whole episode; seconds, dollars and joules where the name says so."""
    jobs = len(outcome.job)
    return {
        "jobs": float(jobs),
        "mean_jct_s": float(np.mean(outcome.jct)),
        "mean_wait_s": float(np.mean(outcome.wait)),
        "mean_bounded_slowdown": float(np.mean(outcome.bounded_slowdown)),
        "mean_slowdown": reading.slowdown / jobs,
        "job_seconds": reading.job_seconds,
        "dollars": reading.dollars,
        "joules": reading.joules,
        "misses": float(reading.misses),
        "makespan_s": outcome.makespan,
        "utilisation": outcome.utilisation,
        "fairness": outcome.fairness,
    }
