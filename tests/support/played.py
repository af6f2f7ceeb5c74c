"""Small episodes, by hand and at random, and playing them."""

import hashlib

import numpy as np
from hypothesis import strategies as st

from envs.gym.cluster_env import ClusterEnv
from envs.gym.episodes import Episode
from envs.gym.rewards import Scales
from envs.scenarios import Billing, Failures, Supply
from envs.simulator.cluster_spec import ClusterSpec
from envs.workloads.base import Arrival, Workload, WorkloadRun
from scheduler.decisions.rounds.modes import Mode
from scheduler.domain.pools import Pool
from scheduler.domain.resources import DeviceKind

CPU = Pool("cpu", DeviceKind.CPU, "CPU", 4, nodes=2, dollars_per_device_hour=0.36)
GPU = Pool("gpu", DeviceKind.CUDA, "GPU", 2, dollars_per_device_hour=3.6, watts_per_device=250.0)
CALM = Failures(checkpoint_s=0.0, restart_s=0.0)


class Believed:
    """Estimates that say nothing about the truth, so that the truth can change beneath them."""

    def __init__(self, seed=0):
        self._seed = seed

    def estimate(self, job, run):
        rng = np.random.default_rng((self._seed, job.id, run.width, len(run.device)))
        return float(rng.lognormal(4.0, 1.0))

    def ended(self, job, runtime_s):
        pass

    def corrected(self, job, estimate_s, elapsed_s):
        return 1.5 * elapsed_s + 1.0


def arrivals(seed, jobs=40, every=20.0, devices=("CPU", "GPU")):
    rng = np.random.default_rng(seed)
    now, made = 0.0, []
    for number in range(1, jobs + 1):
        now += float(rng.exponential(every))
        seconds, width = float(rng.lognormal(4.5, 1.0)), int(rng.choice([1, 2]))
        runs = tuple(
            WorkloadRun(device, width, seconds / (1 if device == "CPU" else 4))
            for device in devices
        )
        made.append(
            Arrival(
                number,
                now,
                runs,
                priority=float(rng.choice([20, 50, 80])),
                deadline=now + 4 * seconds if rng.random() < 0.3 else None,
            )
        )
    return Workload(f"played-{seed}", tuple(made))


def episode(seed=0, mode=Mode.EASY, pools=(CPU, GPU), jobs=40, every=20.0, **figures):
    spec = ClusterSpec(tuple(pools), mode, failures=CALM)
    workload = arrivals(seed, jobs, every, tuple(pool.model for pool in pools))
    return Episode(workload, spec, scales=Scales(100.0, 1.0, 0.01), seed=seed, **figures)


def env(mode=Mode.EASY, pools=(CPU, GPU), jobs=40, every=20.0, **figures):
    figures.setdefault("rows", 16)
    figures.setdefault("preference", 0.5)
    figures.setdefault("illegal", "raise")
    return ClusterEnv(lambda seed: episode(seed, mode, pools, jobs, every), **figures)


def whim(observation, mask):
    """Some legal action, the same for the same observation."""
    legal = np.flatnonzero(mask)
    number = int(hashlib.sha256(observation.tobytes()).hexdigest()[:8], 16)
    return int(legal[number % len(legal)])


def play(env, choose=whim, **reset):
    """(action, reward, info) of every step."""
    observation, _ = env.reset(**reset)
    steps, over = [], False
    while not over:
        action = choose(observation, env.action_masks())
        observation, reward, over, truncated, info = env.step(action)
        assert not truncated
        steps.append((action, reward, info))
    return steps


@st.composite
def episodes(draw, failing=True):
    """Anything: modes, billing, elastic and failing nodes, exact or wrong estimates."""
    pools = draw(st.sampled_from([(CPU,), (GPU,), (CPU, GPU)]))
    supplies = tuple(
        Supply(
            pool,
            draw(st.integers(0, pool.nodes)),
            idle_timeout_s=30.0,
            billing=draw(st.sampled_from(list(Billing))),
        )
        for pool in pools
        if draw(st.booleans())
    )
    failures = CALM
    if failing and draw(st.booleans()):
        failures = Failures(per_node_hour=2.0, per_attempt=0.2, restart_s=5.0)
    # Two pools always leave something to decide; one does where jobs have to queue.
    every = draw(st.sampled_from([1.0, 5.0])) if len(pools) == 1 else 30.0
    made = episode(draw(st.integers(0, 1000)), draw(st.sampled_from(list(Mode))), pools, 25, every)
    spec = ClusterSpec(pools, made.spec.mode, supplies=supplies, failures=failures)
    return Episode(made.workload, spec, scales=made.scales, seed=made.seed)
