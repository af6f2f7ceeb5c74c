"""Rounds of random worlds, the same in every process: `python -m tests.support.played_rounds`.

It prints the plans as JSON, so that processes with other settings of the compiler can be compared.
"""

import json
import random
import sys

import numpy as np

from scheduler.decisions.rounds.modes import Mode
from scheduler.decisions.rounds.round import Round
from scheduler.decisions.rounds.run import decide
from scheduler.decisions.state.entries import EstimatedPlacement, RunningAttempt
from scheduler.decisions.state.node_placement import RULES
from scheduler.decisions.state.world import World
from scheduler.policies.heuristics import HEURISTICS
from scheduler.policies.lookup import named
from tests.support.worlds import pool, waiting

POLICIES = ("sjf", "wfp3", "f1", "best-value", "wgc", "wgc:random")
NOW = 1000.0


def world(draw: random.Random) -> World:
    """One to three pools, half full, and up to twelve jobs, some of them alike."""
    pools = [
        pool(
            f"pool{index}",
            draw.choice([1, 2, 4]),
            nodes=draw.randint(1, 3),
            memory_per_node=draw.choice([0, 0, 16]),
            boot_s=draw.choice([0.0, 0.0, 60.0]),
            dollars_per_device_hour=draw.choice([0.0, 0.5, 2.5]),
        )
        for index in range(draw.randint(1, 3))
    ]
    made = World(pools, rule=RULES[draw.choice(list(RULES))])
    for job in range(1001, 1001 + draw.randint(0, 8)):
        where, memory = draw.randrange(len(pools)), draw.choice([0, 2, 3])
        nodes = made.fit(where, draw.randint(1, 3), memory)
        if nodes is not None:
            end = draw.choice([900.0, 1000.0, 1000.0 + draw.randint(1, 900), np.inf])
            made.start(RunningAttempt(end, job, where, nodes, memory))
    options = []
    for job in range(1, 1 + draw.randint(1, 12)):
        if not options or draw.random() < 0.6:
            options = _options(draw, pools)
        made.ask([(each.pool, each.width) for each in options], options[0].memory)
        made.add(
            waiting(
                job,
                options,
                float(draw.randint(0, 1000)),
                priority=float(draw.choice([0, 10, 50, 100])),
                deadline=draw.choice([np.inf, float(draw.randint(900, 5000))]),
                preference=draw.choice([0.0, 0.5, 1.0]),
            )
        )
    return made


def _options(draw: random.Random, pools) -> list[EstimatedPlacement]:
    memory, found = draw.choice([0, 4, 20]), []
    for where in draw.sample(range(len(pools)), draw.randint(1, len(pools))):
        for width in draw.sample([1, 2, 3, 5], draw.randint(1, 2)):
            runtime = float(draw.choice([10, 60, draw.randint(1, 5000)]))
            dollars = runtime * width * pools[where].dollars_per_device_hour / 3600
            found.append(EstimatedPlacement(where, width, memory, runtime, dollars, runtime))
    return found


def plans(seeds: range) -> list[object]:
    """What two rounds, 200 s after each other, decide in each world under each policy and mode."""
    found: list[object] = []
    for seed in seeds:
        start = world(random.Random(seed))
        for name in POLICIES:
            for mode in Mode:
                found.append([seed, name, mode.value, *_two_rounds(start.copy(), name, mode)])
    return found


def _two_rounds(played: World, name: str, mode: Mode) -> list[object]:
    policy = HEURISTICS.get(name) or named(name)
    now, committed, seen = NOW, (), []
    for _ in range(2):
        round_ = Round(played, now, mode, committed)
        plan = decide(round_, policy)
        committed = plan.reservations
        seen += [
            [
                [what.job, what.pool, what.nodes, what.memory, what.runtime_s, what.action.value]
                for what in plan.placements
            ],
            [[what.job, what.pool, what.width, what.start] for what in plan.reservations],
        ]
        for placed in plan.placements:
            played.remove(placed.job)
        now += 200.0
        for attempt in played.running():
            if attempt.end <= now:
                played.finish(attempt.job)
    return seen


if __name__ == "__main__":
    print(json.dumps(plans(range(int(sys.argv[1])))))
