"""`fulcrum policy train` and `show`."""

import json
from dataclasses import replace
from itertools import count

import pytest
from typer.testing import CliRunner

from agents.evaluation.run import Conditions, RunKey, run
from agents.training import config as configs
from agents.training.scores import Score
from api.cli.main import app
from api.cli.support.training_options import training_values
from scheduler.domain.errors import InputError
from tests.support.learning_world import mixed_cloud
from tests.support.thinning import thinned

SMALL = {
    "jobs": 12, "rows": 24, "hidden": 16, "workloads": 2, "demonstrations": 40,
    "imitation_epochs": 1, "envs": 2, "n_steps": 16, "batch_size": 16, "n_epochs": 1,
    "validation_workloads": 1,
    "validation_preferences": 0.5,
}  # fmt: skip


def test_a_policy_is_trained_shown_and_compared(tmp_path):
    folder = tmp_path / "run"
    words = ["policy", "train", str(folder), "--steps", "32", "--seed", "3", "--json"]
    for name, value in SMALL.items():
        words += ["--set", f"{name}={value}"]
    result = CliRunner().invoke(app, words)
    assert result.exit_code == 0, result.output
    answer = json.loads(result.stdout)
    assert [point["steps"] for point in answer["curve"]] == [0, 32]
    assert all(point["cpu_seconds"] > 0.0 for point in answer["curve"])
    config = configs.read(folder)
    assert (config.seed, config.steps, config.rows, config.preference) == (3, 32, 24, None)

    shown = CliRunner().invoke(app, ["policy", "show", str(folder / "best")])
    assert shown.exit_code == 0, shown.output
    assert "learned:" in shown.output
    assert "wgc" in shown.output

    key = RunKey("mixed-cloud", answer["policy"], seed=0, preference=0.5)
    found = run(mixed_cloud(), key, Conditions(jobs=10))
    assert found.metrics["objective"] > 0


@pytest.fixture
def train(tmp_path):
    """`policy train` in a folder, of few steps."""

    def run(*words, code=0):
        small = [word for name, value in SMALL.items() for word in ("--set", f"{name}={value}")]
        small = [] if "--resume" in words else small
        done = CliRunner().invoke(app, ["policy", "train", str(tmp_path / "run"), *small, *words])
        assert done.exit_code == code, done.output
        return done

    return run


def killed(monkeypatch, stage):
    """Trainings end where that stage begins."""

    def tell(_, event):
        if event.stage == stage:
            raise KeyboardInterrupt

    monkeypatch.setattr("api.cli.views.training_progress.TrainingBar.tell", tell)


@pytest.mark.slow
def test_a_training_goes_on_and_may_be_prolonged(train, tmp_path, monkeypatch):
    run = tmp_path / "run"
    with monkeypatch.context() as patch:
        killed(patch, "imitation")
        train("--steps", "32", "--seed", "3", code=130)
    assert configs.read(run).seed == 3
    assert "holds a training" in train("--steps", "32", "--seed", "3", code=6).stderr
    # The same words again, as a job's next attempt says them, are no contradiction.
    same = ["--steps", "32", "--seed", "3", "--set", "alternatives=", "--preference", "random"]
    answer = json.loads(train("--resume", *same, "--json").stdout)
    assert [point["steps"] for point in answer["curve"]] == [0, 32]
    answer = json.loads(train("--resume", "--steps", "64", "--json").stdout)
    assert [point["steps"] for point in answer["curve"]] == [0, 32, 64]
    assert configs.read(run).steps == 64
    assert json.loads(train("--resume", "--json").stdout) == answer


@pytest.mark.slow
def test_a_job_goes_on_by_itself_also_before_the_first_checkpoint(train, tmp_path, monkeypatch):
    monkeypatch.setenv("FULCRUM_METRICS", str(tmp_path / "metrics.jsonl"))
    with monkeypatch.context() as patch:
        killed(patch, "imitation")
        train("--steps", "32", code=130)
    answer = json.loads(train("--steps", "32", "--json").stdout)
    assert [point["steps"] for point in answer["curve"]] == [0, 32]


def test_a_resumption_refuses_what_contradicts_the_training(train, tmp_path, monkeypatch):
    file = tmp_path / "other.json"
    file.write_text(json.dumps({"gain": 10}))
    with monkeypatch.context() as patch:
        killed(patch, "demonstrations")
        train("--steps", "32", "--seed", "3", code=130)
    words = ["--seed", "4", "--steps", "16", "--set", "gamma=0.9", "-s", "lab"]
    refused = train("--resume", *words, "--config", str(file), code=6).stderr
    for said in (
        "--seed: 3 is saved, 4 given",
        "--steps: 32 is saved, 16 given",
        "--set gamma: 1.0 is saved, 0.9 given",
        "--scenario: mixed-cloud is saved, lab given",
        "--config: gain: 50.0 is saved, 10 given",
    ):
        assert said in refused
    assert "unknown: gama" in train("--resume", "--set", "gama=1", code=2).stderr
    assert "not on the history" in train("--resume", "--from-history", code=6).stderr
    assert configs.read(tmp_path / "run").seed == 3


@pytest.mark.slow
def test_a_training_that_stopped_early_is_not_prolonged(train, monkeypatch):
    worse = count(1.0, 0.1)
    monkeypatch.setattr(
        "agents.training.validation.Validation.evaluate", lambda *_: Score(next(worse), {})
    )
    train("--steps", "96", "--set", "patience=1", "--set", "validate_every=1")
    assert "stopped early: 1 valid" in train("--resume", "--steps", "128", code=6).stderr
    train("--resume")


def settings_of(*options, preference="random"):
    own = {"scenario": "lab", "steps": 10, "seed": 1, "preference": preference}
    values, _ = training_values(own, None, list(options))
    return configs.of(values)


def test_options_have_the_type_of_their_field():
    options = ["tensorboard=true", "expert=none", "gamma=1", "validation_preferences=.1,.9"]
    config = settings_of(*options, preference="0.7")
    assert (config.tensorboard, config.expert, config.gamma) == (True, None, 1.0)
    assert (config.validation_preferences, config.validated_preferences) == ((0.1, 0.9), (0.7,))


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("preference=0.5", 0.5),
        ("preference=none", None),
        ("preference=random", None),
        ("alternatives=", ()),
        ("alternatives=sjf,wgc", ("sjf", "wgc")),
        ("validation_preferences=.5", (0.5,)),
        ("expert=sjf", "sjf"),
        ("criterion=mean_of_ratios", "mean_of_ratios"),
        ("processes=false", False),
        ("jobs=12", 12),
    ],
)
def test_a_value_has_the_type_of_its_field(option, value):
    name = option.partition("=")[0]
    assert getattr(settings_of(option, preference="0.7"), name) == value


@pytest.mark.parametrize(
    ("option", "said"),
    [
        ("jobs=few", "not a whole number"),
        ("gamma=high", "not a number"),
        ("processes=1", "not true or false"),
        ("validation_preferences=.5,x", "'x', not a number"),
        ("preference=costly", "random, cheap, balanced, fast, or a number"),
        ("jobs", "is not NAME=VALUE"),
    ],
)
def test_a_value_of_another_type_is_refused(option, said):
    with pytest.raises(InputError, match=said):
        settings_of(option, preference="0.7")


@pytest.mark.parametrize(
    ("option", "legal"),
    [
        ("alternative_label_weight=-1", "0 … 1"),
        ("demonstrations=0", "≥ 1"),
        ("gain=0", "> 0"),
        ("gamma=2", "> 0, ≤ 1"),
        ("preference=2", "0 … 1, or random"),
    ],
)
def test_what_is_legal_is_said_in_signs(option, legal):
    with pytest.raises(InputError) as caught:
        settings_of(option)
    assert caught.value.fields == {option.partition("=")[0]: legal}


@pytest.mark.parametrize("option", ["expert=sfj", "baseline=sfj", "alternatives=wgc,sfj"])
@pytest.mark.parametrize("command", ["train", "tune"])
def test_unknown_policies_are_named_before_anything_begins(command, option, tmp_path):
    folder = tmp_path / "run"
    done = CliRunner().invoke(app, ["policy", command, str(folder), "--set", option])
    assert done.exit_code == 2
    said = " ".join(done.stderr.split())
    assert f"{option.partition('=')[0]}: there is no policy 'sfj'" in said
    assert "wgc" in said
    assert not folder.exists()


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["--name", "bad name/"], 2, "not a valid policy name"),
        (["--name", "fulcrum"], 6, "the name of a shipped policy"),
        (["--workloads", "7"], 2, "goes with from_history"),
        (["--as-job", "--set", "nope=3"], 2, "unknown: nope"),
        (["--as-job", "-s", "nope"], 3, "nope"),
        (["--as-job", "--set", "expert=sfj"], 2, "there is no policy 'sfj'"),
    ],
)
def test_what_would_be_refused_in_the_end_is_refused_at_once(words, code, said, tmp_path):
    data = ["--data", str(tmp_path / "data"), "--url", "http://127.0.0.1:1"]
    done = CliRunner().invoke(app, [*data, "policy", "train", str(tmp_path / "run"), *words])
    assert done.exit_code == code, done.output
    assert said in " ".join(done.stderr.split())
    assert not (tmp_path / "run").exists()


def test_a_wrong_hyper_parameter_names_the_legal_ones():
    with pytest.raises(InputError, match="unknown: gama") as caught:
        settings_of("gama=1")
    assert "gamma" in caught.value.fields["config"]


def test_old_names_of_settings_work_with_a_warning(capsys, tmp_path):
    file = tmp_path / "old.json"
    file.write_text(json.dumps({"teacher": "sjf", "lessons": 40, "reference": "fcfs"}))
    values, sources = training_values({}, file, ["hesitation=0.1", "lessons=50"])
    assert values == {
        "expert": "sjf", "demonstrations": 50, "baseline": "fcfs", "alternative_label_weight": 0.1,
    }  # fmt: skip
    assert sources["alternative_label_weight"] == "--set hesitation"
    assert "--set hesitation is now called alternative_label_weight" in capsys.readouterr().err


def test_runs_with_old_names_are_read_without_a_warning(tmp_path, capsys):
    (tmp_path / "config.json").write_text(json.dumps({"contest": True, "corrections": 7}))
    config = configs.read(tmp_path)
    assert (config.best_expert_per_episode, config.dagger_steps) == (True, 7)
    assert not capsys.readouterr().err


def test_a_setting_under_both_its_names_is_refused():
    with pytest.raises(InputError, match="the same setting"):
        configs.of({"teacher": "wgc", "expert": "sjf"})


TINY_INDEX = {
    "jobs": 10, "validation_workloads": 2, "validation_preferences": 0.5, "population": 4,
    "n_eval_episodes": 1, "validate_every": 1,
}  # fmt: skip


def index_words(folder, *words, **settings):
    small = {**TINY_INDEX, **settings}
    given = [word for name, value in small.items() for word in ("--set", f"{name}={value}")]
    return ["policy", "train", str(folder), "--algo", "cmaes", "--steps", "2000", *given, *words]


@pytest.mark.parametrize("scale", thinned(["best", "start"]))
def test_an_index_is_trained_registered_compared_and_shown(tmp_path, scale):
    """`start`: a distribution that wanders off at once, so that the base is kept."""
    sigma = 0.1 if scale == "best" else 1e6
    data = ["--data", str(tmp_path / "data")]
    words = index_words(tmp_path / "run", "--name", "mine", "--json", sigma=sigma)
    done = CliRunner().invoke(app, [*data, *words])
    assert done.exit_code == 0, done.output
    answer = json.loads(done.stdout)
    assert answer["curve"][0]["raw"]["mean"] == 1.0
    assert answer["best"] <= 1.0
    listed = CliRunner().invoke(app, [*data, "policy", "ls"])
    kept = answer["best"] == 1.0
    assert ("wgc:random itself" if kept else "corrects wgc:random") in listed.stdout
    shown = CliRunner().invoke(app, [*data, "policy", "show", "mine"])
    assert shown.exit_code == 0, shown.output
    assert "corrects the order of wgc:random" in shown.stdout
    assert ("it is kept" in shown.stdout) is kept
    key = RunKey("mixed-cloud", f"learned:{tmp_path / 'run' / 'best'}", seed=0, preference=0.5)
    found = run(mixed_cloud(), key, Conditions(jobs=10)).metrics["objective"]
    base = run(mixed_cloud(), replace(key, policy="wgc:random"), Conditions(jobs=10))
    assert found == base.metrics["objective"] or not kept


@pytest.mark.slow
def test_an_index_is_the_same_with_two_processes_and_after_an_interruption(tmp_path, monkeypatch):
    digests = []
    for name, workers in (("one", "1"), ("two", "2")):
        words = index_words(tmp_path / name, "--workers", workers, n_eval_episodes=2)
        done = CliRunner().invoke(app, words)
        assert done.exit_code == 0, done.output
        digests.append(json.loads((tmp_path / name / "index.json").read_text()))
    words = index_words(tmp_path / "parts", "--workers", "1", n_eval_episodes=2)
    with monkeypatch.context() as patch:
        killed(patch, "learning")
        assert CliRunner().invoke(app, words).exit_code == 130
    again = ["policy", "train", str(tmp_path / "parts"), "--resume", "--workers", "1"]
    assert CliRunner().invoke(app, again).exit_code == 0
    digests.append(json.loads((tmp_path / "parts" / "index.json").read_text()))
    for name in ("weights", "fitness", "steps"):
        assert digests[0][name] == digests[1][name] == digests[2][name]
