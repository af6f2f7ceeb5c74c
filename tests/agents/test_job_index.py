"""Learning an index of jobs: it finds what is to be gained, and a stopped run goes on as if not."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from onnx.reference import ReferenceEvaluator

from agents.process_pool import ProcessPool
from agents.serving.artifact import BEST, INPUT, load
from agents.training import config as configs
from agents.training.job_index.export import BASE_INPUT, TrainedOn, exported
from agents.training.job_index.labels import JobLabels, labelled
from agents.training.job_index.network import fitted, fitted_member
from agents.training.job_index.run_state import IndexRun
from agents.training.job_index.task import IndexTask, played, simulation, starting
from agents.training.job_index.training import begin, learn, start_in
from agents.training.progress import TrainingProgress
from envs.gym.episodes import Episode, stratified_preferences
from envs.gym.rewards import Scales
from envs.workloads.augmentation import LOADS, RUNTIMES, augmented
from scheduler.decisions.kernel.learned.job_features import CLUSTER_WIDTH, JOB_COLUMNS, JOB_WIDTH
from scheduler.decisions.kernel.learned.job_index import LIMIT
from scheduler.decisions.kernel.queue.orders import FCFS
from scheduler.decisions.kernel.wgc_adjustment import ADJUSTMENT
from scheduler.decisions.rounds.modes import Mode
from scheduler.decisions.rounds.round import Round
from scheduler.decisions.search.settings import SearchSettings
from scheduler.domain.errors import InputError
from scheduler.policies.heuristics import HEURISTICS
from scheduler.policies.learned_index import LearnedIndex
from scheduler.policies.lookup import named
from scheduler.policies.search import SearchedPolicy
from tests.policies.test_search import SPEC, mixed
from tests.support.thinning import thinned
from tests.support.worlds import option, pool, snapshot, waiting

SHARED = {
    "baseline": "fcfs", "hidden": 4, "preference": 1.0, "validation_workloads": 6, "augment": False,
    "jobs": 60,
}  # fmt: skip
SEARCH = configs.of({
    **SHARED, "algo": "search", "histories": 2, "tried_jobs": 4, "futures": 4, "future_length": 12,
    "search_episodes": 2, "searched_share": 0.5, "fit_epochs": 30, "steps": 240,
})  # fmt: skip
CMAES = configs.of({
    **SHARED, "algo": "cmaes", "population": 8, "n_eval_episodes": 2, "validate_every": 3,
    "steps": 5760,
})  # fmt: skip
TRIED = SearchSettings(jobs=4, futures=4, length=12, patience=1e9)
ON = TrainedOn("made-up", "0" * 12, Mode.EASY)


def episode(seed):
    return Episode(mixed(seed, 60), SPEC, scales=Scales(bounded=True))


def task(config=SEARCH, start=None):
    start = start or starting(config)
    return IndexTask(config, start, episode, lambda seed: episode(500 + seed))


def trained(config, folder, tell=lambda _: None):
    """Learn, or go on; the artifact that is left."""
    if not (folder / configs.FILE).is_file():
        begin(config, ON, folder, TrainingProgress())
    config.save(folder)
    with ProcessPool(task(config, start_in(folder))) as pool_:
        learn(pool_, IndexRun.read(folder), ON, tell)
    return load(folder / BEST)


@pytest.mark.parametrize("config", [SEARCH, CMAES], ids=["search", "cmaes"])
def test_it_learns_that_short_jobs_go_first(config, tmp_path):
    events = []
    manifest = trained(config, tmp_path, events.append).manifest
    judged = manifest.evaluation["policy"]
    assert judged["mean"] < 0.7
    assert judged["workloads"] == 6
    assert judged["error"] > 0.0
    assert judged["won"] == 1.0
    assert judged["median"] < 0.8
    assert manifest.evaluation["fcfs"]["mean"] == 1.0
    assert manifest.steps > 0
    assert not manifest.kept_base
    scores = [event.scores["raw"].mean for event in events if event.stage == "validated"]
    assert (scores[0], min(scores)) == (1.0, judged["mean"])
    assert [point["raw"]["mean"] for point in manifest.curve] == scores[: len(manifest.curve)]


@pytest.mark.parametrize("stage", thinned(["validated", "heuristics", "learning"]))
@pytest.mark.parametrize("config", [SEARCH, CMAES], ids=["search", "cmaes"])
def test_a_stopped_run_goes_on_as_if_it_had_not_been(config, stage, tmp_path):
    whole = trained(config, tmp_path / "whole")
    seen = []

    def stop(event):
        seen.append(event.stage)
        if event.stage == stage and seen.count(stage) > 1:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        trained(config, tmp_path / "parts", stop)
    resumed = trained(config, tmp_path / "parts")
    assert whole.weights == resumed.weights
    curves = [
        [(point["steps"], point["raw"]) for point in one.manifest.curve] for one in (whole, resumed)
    ]
    assert curves[0] == curves[1]


@pytest.mark.parametrize("keep", ["best", "last"])
def test_a_policy_that_is_no_better_is_the_base_and_says_so(keep, tmp_path):
    """SJF is what is to be learned here: nothing is better."""
    config = replace(CMAES, baseline="sjf", sigma=50.0, steps=960, validate_every=1, keep=keep)
    found = trained(config, tmp_path)
    manifest = found.manifest
    assert manifest.kept_base
    assert manifest.steps == 0
    assert manifest.evaluation["policy"]["mean"] == 1.0
    assert len(manifest.curve) == 2
    assert manifest.curve[-1]["raw"]["mean"] >= 1.0
    first = episode(0)
    assert len(set(played(first, [found.index("own"), named("sjf")]))) == 1


def test_training_goes_on_from_what_was_learned_before(tmp_path, monkeypatch):
    trained(CMAES, tmp_path / "first")
    before = load(tmp_path / "first" / BEST).index("learned:first")
    monkeypatch.setattr("agents.training.job_index.task.named", lambda _: before)
    start = starting(replace(CMAES, base="learned:first", hidden=0))
    assert np.array_equal(start.weights, before.weights)
    begin(replace(CMAES, base="learned:first"), ON, tmp_path / "next", TrainingProgress())
    monkeypatch.undo()
    # What it was has been saved with the run.
    assert np.array_equal(start_in(tmp_path / "next").weights, before.weights)


def test_distillation_keeps_what_changes_the_constants_of_wgc(tmp_path):
    config = replace(SEARCH, baseline="wgc", steps=1, hidden=8, keep="last")
    first = starting(replace(config, hidden=4))
    weights = first.weights.copy()
    weights[-ADJUSTMENT:] = np.linspace(-0.5, 0.5, ADJUSTMENT)
    start = LearnedIndex(first.base, weights)
    run = IndexRun(tmp_path)
    with ProcessPool(task(config, start)) as pool_:
        learn(pool_, run, ON)
    assert run.latest[LIMIT] == config.correction_limit
    assert run.latest[-ADJUSTMENT:].astype(np.float32).tolist() == weights[-ADJUSTMENT:].tolist()
    assert np.abs(run.latest[LIMIT + 1 : -ADJUSTMENT]).max() > 0.0


def test_every_generation_covers_all_preferences():
    own = task(replace(CMAES, preference=None))
    drawn = own.preferences(0, 10)
    assert (drawn[0], drawn[-1]) == (0.0, 1.0)
    assert drawn == sorted(drawn) == own.preferences(0, 10) != own.preferences(1, 10)
    assert own.episode(0, drawn[3]).spec.preference == drawn[3]
    assert task(CMAES).preferences(0, 3) == [1.0] * 3
    many = np.concatenate([stratified_preferences(4, np.random.default_rng(n)) for n in range(500)])
    assert np.mean(many == 0.0) == pytest.approx(0.1, abs=0.02)
    assert np.mean(many < 0.5) == pytest.approx(0.5, abs=0.02)


def test_futures_have_the_preference_of_the_episode():
    own = task()
    assert set(own.arrivals(0.2).preference.tolist()) == {0.2}


def test_a_workload_is_described_once_and_played_as_if_each_time():
    first = episode(3).at(1.0)
    names = ["fcfs", "sjf", "fcfs"]
    alone = [
        first.scales.value(simulation(first).run(named(name)), 1.0) / len(first.workload.jobs)
        for name in names
    ]
    assert played(first, [named(name) for name in names]) == alone


def test_labels_hold_what_the_policy_would_see():
    own, first = task(), episode(0)
    player = own.policy(None)
    search = SearchedPolicy(player, own.arrivals(1.0), TRIED, own.objective(first))
    labels = labelled(first, player, search, 1.0, 0)
    assert len(labels.gains) > 10
    assert labels.columns.shape == (*labels.gains.shape, JOB_WIDTH + CLUSTER_WIDTH)
    tried = np.isfinite(labels.gains)
    assert (tried.sum(axis=1) >= 2).all()
    assert (labels.gains[:, 0] == 0.0).all()
    assert (labels.advantages(3.0)[~tried] == 0.0).all()
    assert np.abs(labels.advantages(3.0)).max() <= 3.0


def test_the_jobs_that_the_learned_policy_likes_are_tried():
    """Also if they are far behind in the order of the base, whose own choice is the first."""
    own, base = task(), HEURISTICS["fcfs"]
    liking = own.start.weights.copy()
    liking[LIMIT + 1 + JOB_COLUMNS.index("length_rank")] = -50.0
    player = own.policy(liking)
    jobs = [waiting(at, option(3600.0 - 100.0 * at), submitted=at) for at in range(1, 21)]
    world = snapshot(pool("gpu", devices=1), jobs).world.copy()
    opened = Round(world, 1000.0, Mode.NONE)
    assert opened.free
    search = SearchedPolicy(
        base, own.arrivals(1.0), TRIED, own.objective(episode(0)), naming=player
    )
    assert search.search(world).jobs.tolist() == [1, 20, 19, 18]
    with pytest.raises(ValueError, match="plays out what another names"):
        replace(search, policy=own.policy(None)).search(world)


def test_labelling_changes_no_schedule():
    own, first = task(), episode(0)
    player = own.policy(None)
    search = SearchedPolicy(player, own.arrivals(1.0), TRIED, own.objective(first))
    assert len(labelled(first, player, search, 0.5, 0).gains) > 0
    assert len(set(played(first, [player, HEURISTICS["fcfs"]]))) == 1


def synthetic():
    """Labels of choices in which one column says what a job saves."""
    columns = np.random.default_rng(0).normal(size=(400, 4, JOB_WIDTH + CLUSTER_WIDTH))
    return JobLabels(
        columns, np.zeros((400, 4)), columns[:, :, 3] - columns[:, :1, 3], np.array([400])
    )


def test_the_network_learns_which_job_saves_most():
    labels = synthetic()
    network = fitted_member(labels, replace(SEARCH, fit_epochs=100, members=1), 0)
    chosen = network(torch.as_tensor(labels.columns, dtype=torch.float32)).argmax(1).numpy()
    assert (chosen == labels.gains.argmax(1)).mean() > 0.9


@pytest.mark.parametrize("hidden", [0, 8])
def test_the_mean_of_the_members_is_one_network(hidden):
    labels, config = synthetic(), replace(SEARCH, fit_epochs=2, hidden=hidden)
    weights = starting(config).weights.copy()
    weights[LIMIT + 1 :] = fitted(labels, config)
    members = [fitted_member(labels, config, seed) for seed in range(4)]
    seen = torch.as_tensor(labels.columns[0], dtype=torch.float32)
    with torch.no_grad():
        mean = torch.stack([member.total(seen) for member in members]).mean(0)
        expected = config.correction_limit * torch.nn.functional.softsign(mean).numpy()
    values = {INPUT: seen.numpy(), BASE_INPUT: np.zeros(4, dtype=np.float32)}
    (found,) = ReferenceEvaluator(exported(FCFS, weights)).run(None, values)
    assert found == pytest.approx(expected, abs=1e-4)


def test_hidden_units_that_cannot_be_shared_are_refused():
    with pytest.raises(InputError, match="cannot be shared"):
        replace(SEARCH, hidden=6)


@pytest.mark.parametrize("base", ["priority", "srtf"])
def test_a_base_that_has_no_index_to_correct_is_refused(base):
    with pytest.raises(InputError, match="no index can be learned on"):
        replace(CMAES, base=base).check_policies()


@pytest.mark.slow
@pytest.mark.parametrize(("config", "more"), [(SEARCH, 360), (CMAES, 8640)])
def test_more_steps_may_be_asked_of_a_run(config, more, tmp_path):
    config = replace(config, validate_every=1)
    trained(config, tmp_path / "parts")
    longer = trained(replace(config, steps=more), tmp_path / "parts")
    whole = trained(replace(config, steps=more), tmp_path / "whole")
    assert longer.weights == whole.weights
    assert IndexRun.read(tmp_path / "parts").steps == IndexRun.read(tmp_path / "whole").steps


def test_algorithms_have_defaults_of_their_own():
    config = configs.of({"algo": "cmaes"})
    assert (config.hidden, config.baseline, config.validation_workloads) == (0, "wgc:random", 200)
    assert configs.of({"algo": "search", "hidden": 8}).hidden == 8
    assert configs.of({}).hidden == 64
    with pytest.raises(InputError, match="cmaes does not read demonstrations"):
        configs.of({"algo": "cmaes", "demonstrations": 7})
    with pytest.raises(InputError, match="ppo does not read sigma"):
        configs.of({"sigma": 2.0})


def test_augmented_jobs_come_at_another_rate_and_keep_their_number():
    workload = mixed(0, 60)
    other = augmented(workload, np.random.default_rng(1))
    load = workload.jobs[-1].submitted_at / other.jobs[-1].submitted_at
    longer = {
        round(one.runs[0].runtime_s / two.runs[0].runtime_s, 9)
        for one, two in zip(other.jobs, workload.jobs, strict=True)
    }
    assert LOADS[0] <= load <= LOADS[1]
    assert len(longer) == 1
    assert RUNTIMES[0] <= longer.pop() <= RUNTIMES[1]
    assert augmented(workload, np.random.default_rng(1)) == other


def test_an_episode_is_played_from_its_beginning_each_time():
    first = episode(0)
    assert simulation(first).now == simulation(first).now == 0.0
