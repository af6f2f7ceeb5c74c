"""The pure parts of `python -m benchmarks.policy`."""

import json
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from agents.evaluation.statistics import Interval
from agents.serving.artifact import ArtifactManifest, save
from agents.serving.artifact import load as load_artifact
from agents.training import config as configs
from agents.training.job_index.export import TrainedOn, export
from agents.training.job_index.task import starting
from agents.training.progress import TrainingProgress
from agents.training.trainer import train
from benchmarks.policy import artifacts, document, evaluation, plots, steady
from benchmarks.policy.cases import CaseFigures, Drawn, Fresh, fresh, under
from benchmarks.policy.document import ReportPart
from benchmarks.policy.evaluation import KeptResults, Measuring, policy_of, task_key
from benchmarks.policy.parts import curves
from benchmarks.policy.steady import Setting
from benchmarks.policy.tables import Section, Table, number, signed
from benchmarks.policy.variants import variants
from envs.scenarios import Split, load
from scheduler.decisions.kernel.wgc_adjustment import ADJUSTMENT
from scheduler.decisions.rounds.modes import Mode
from scheduler.domain.errors import InputError
from scheduler.policies.heuristics import HEURISTICS
from scheduler.policies.learned_index import on
from scheduler.policies.lookup import named
from tests.support.learning_world import TINY
from tests.support.policy_benchmark import entry

PARTS = ("index", "constants")
FOUND = CaseFigures(
    jct_s=10.0, dollars=2.0, slowdown=1.5, wait_s=3.0, latency=0.1, cost=0.2, missed=0.5
)


class TestTables:
    def test_a_difference_is_marked_only_if_it_is_significant(self):
        assert signed(Interval(-0.041, -0.05, -0.032, 48)) == "−4.1 % [−5.0, −3.2] ✓"
        assert signed(Interval(0.041, 0.032, 0.05, 48)) == "+4.1 % [+3.2, +5.0] ✗"
        assert signed(Interval(0.041, 0.032, 0.05, 48), less=False).endswith("✓")
        assert signed(Interval(-0.041, -0.05, 0.01, 48)) == "−4.1 % [−5.0, +1.0]"
        assert signed(Interval(-0.041, -0.05, -0.032, 3)) == "−4.1 % [−5.0, −3.2]"
        assert signed(Interval(math.nan, math.nan, math.nan, 0)) == "–"

    def test_nothing_has_no_sign(self):
        assert signed(Interval(-1e-9, math.nan, math.nan, 1)) == "0.0 %"

    def test_numbers_have_as_many_digits_as_say_something(self):
        assert [number(value) for value in (0.0123, 1.5, 123.4, 0.0)] == [
            "0.0123",
            "1.50",
            "123",
            "0",
        ]

    def test_markdown_aligns_and_escapes(self):
        text = Table("T", ["a", ">b"], [["x|y", "1"]], "Note.").markdown()
        assert text == "**T**\n\n| a | b |\n| --- | --: |\n| x\\|y | 1 |\n\nNote."

    def test_a_folded_table_is_shown_when_asked(self):
        assert Table("T", ["a"], [["1"]], folded=True).markdown().startswith("<details><summary>T<")


class TestSteadyState:
    def test_policies_are_compared_on_the_workloads_that_both_have_played(self):
        here = entry({"slow": [1.0, 1.0], "wgc": [2.0, 2.0, 90.0]})
        assert steady.gain(here, "slow", "wgc").relative.mean == pytest.approx(-0.5)
        assert steady.gain(here, "lost", "wgc") is None

    def test_mean_median_and_share_won_stand_side_by_side(self):
        """One workload carries the mean; the policy is worse on all others."""
        here = entry({"one": [1.01] * 7 + [1.0], "wgc": [1.0] * 7 + [100.0]})
        assert steady.cells(here, "one", "wgc")[1:] == ["+1.0 %", "1 of 8"]
        assert steady.gain(here, "one", "wgc").relative.mean < -0.9

    def test_where_clusters_count_alike_ratios_are_compared(self):
        """A tenth less on a cheap cluster and a tenth more on an expensive one is no difference."""
        runs = {"one": [0.9, 110.0] * 4, "wgc": [1.0, 100.0] * 4}
        assert steady.gain(entry(runs, alike=True), "one", "wgc").relative.mean == pytest.approx(0)
        assert steady.gain(entry(runs), "one", "wgc").relative.mean > 0.09

    def test_workloads_that_share_jobs_mark_nothing(self):
        runs = {"one": [0.9] * 8, "wgc": [1.0] * 8}
        assert steady.cells(entry(runs), "one", "wgc")[0].endswith("✓")
        assert not steady.cells(entry(runs, distinct=2), "one", "wgc")[0].endswith("✓")

    def test_a_cluster_that_hardly_queues_is_told(self):
        quiet = entry({}, regime={**entry({})["regime"], "waiting": 0.2})
        [row] = steady.regimes([quiet]).rows
        assert row[-1] == "20% (hardly queues)"

    def test_every_order_comes_with_every_placement_where_devices_differ(self):
        mixed = Setting("", load("mixed-cloud"), 0.5, 1, "wgc:mixed-cloud")
        names = list(steady._placed(steady.ORDERS, mixed))
        assert len(names) == len(set(names)) == 5 * len(steady.ORDERS)
        assert "saf@wgc:mixed-cloud" in names
        assert steady._placed(("sjf",), replace(mixed, scenario=load("hpc-kth"))) == ("sjf",)

    def test_rivals_are_chosen_on_other_workloads_than_those_of_the_test(self, monkeypatch):
        monkeypatch.setattr(steady, "ORDERS", ("fcfs", "sjf"))
        setting = Setting("here", load("mixed-cloud"), 1.0, 2)
        how = Measuring(quick=True, jobs=5, kept=KeptResults(None))
        found = steady.fair_rivals(how, "test", [setting])[setting.key]
        assert list(found.values()) == sorted(found.values())
        assert len(found) == steady.FINALISTS
        assert all(f"/{Split.TUNING}/" in key for key in how.kept._known)

    def test_slow_policies_play_fewer_workloads(self):
        setting = Setting("", load("mixed-cloud"), 0.8, 48)
        [network] = artifacts.find("ppo", seeds=1).trained
        for policy, most in ((network.policy, 6), ("wgc+search/0.1", 6), ("wgc", 48)):
            assert len(setting.cases(Measuring(), steady._most(policy))) == most

    @pytest.mark.parametrize("name", ["cheapest", "fastest", "wgc"])
    @pytest.mark.parametrize("w", [0.0, 0.5, 1.0])
    def test_nobody_is_better_than_the_bound(self, name, w):
        case = Drawn(load("mixed-cloud"), 3, w, 30)
        assert 0 < case.bound() <= case.run(named(name)).at(w)

    def test_unknown_policies_are_told(self):
        missing = []
        assert steady.known(["wgc", "nonsense"], missing) == {"wgc": "wgc"}
        assert missing[0].startswith("nonsense: ")


class TestVariants:
    def test_all_differ_and_can_be_drawn(self):
        made = variants(load("mixed-cloud"))
        assert len({scenario.digest for scenario in made.values()}) == len(made) == 9
        for scenario in made.values():
            workload = scenario.workload(1, 5, Split.TEST)
            assert len(workload.jobs[workload.counted_slice]) == 5

    def test_sizes_and_pools(self):
        made = variants(load("mixed-cloud"))
        sizes = {name: sum(pool.count for pool in made[name].pools) for name in made}
        base = sizes["as it is"]
        assert sizes["half the size"] == base / 2
        assert sizes["2.5 × the size"] == base * 2.5
        assert [len(made[name].pools) for name in ("three pools", "five pools")] == [3, 5]


class TestEvaluation:
    CASE = Drawn(load("mixed-cloud"), 0, 0.5, 4)

    @pytest.fixture
    def file(self, tmp_path):
        return tmp_path / "runs.jsonl"

    @pytest.mark.parametrize("workers", [1, 2])
    def test_results_are_kept_and_failures_are_noted(self, file, workers):
        cases, missing = [self.CASE, replace(self.CASE, seed=1)], []
        how = Measuring(workers=workers, kept=KeptResults(file))
        policies = {"first": "fcfs", "bad": "nonsense"}
        found = how.runs("test", ["key"], policies, lambda *_: cases, missing)
        assert list(found["key"]) == ["first"]
        assert missing == ["bad: failed (key)"]
        with file.open("a") as rest:
            rest.write('{"key": "half a li')
        kept = KeptResults(file)
        assert [kept[task_key(case, "fcfs")] for case in cases] == found["key"]["first"]

    def test_results_of_other_code_do_not_count(self, file, monkeypatch):
        key = task_key(self.CASE, "fcfs")
        KeptResults(file).add(key, FOUND)
        assert key in KeptResults(file)
        monkeypatch.setattr(evaluation, "code", lambda: "other")
        assert key not in KeptResults(file)

    def test_keys_tell_cases_apart(self):
        scenario = load("mixed-cloud")
        case = Drawn(scenario, 0, 0.5, 4)
        others = [
            replace(case, seed=1),
            replace(case, w=0.2),
            replace(case, jobs=5),
            replace(case, split=Split.TUNING),
            Fresh(0, 4, Mode.COMMIT),
            Fresh(0, 4, Mode.COMMIT_FCFS),
        ]
        assert len({one.key for one in (case, *others)}) == 7

    def test_a_fresh_sequence_is_the_same_whenever_it_is_drawn(self):
        one = fresh(3, 256)
        fresh.cache_clear()
        assert fresh(3, 256) == one

    def test_heuristics_have_no_mode_of_their_own(self):
        assert under(HEURISTICS["sjf"], Mode.COMMIT) is HEURISTICS["sjf"]


class TestArtifacts:
    def test_what_is_not_there_is_missing_and_no_error(self, tmp_path):
        nothing = artifacts.find("mixed-cloud", folder=tmp_path)
        assert nothing.trained == ()
        assert nothing.missing == ("mixed-cloud: 0 of 3 trainings are there",)

    def test_a_damaged_one_is_told(self, tmp_path):
        folder = tmp_path / "random-1"
        folder.mkdir()
        (folder / "policy.onnx").write_bytes(b"")
        found_ = artifacts.find("random", folder=tmp_path, seeds=1)
        assert found_.trained == ()
        assert found_.missing[0].startswith("random-1: ")

    def test_groups_do_not_mix(self, tmp_path):
        for name in ("hpc-kth-1", "hpc-lublin-1", "hpc-lublin-file-2", "hpc-lublin-notes"):
            (tmp_path / name).mkdir()
        missing = artifacts.find("hpc-lublin", folder=tmp_path).missing
        assert [one.partition(":")[0] for one in missing] == [
            "hpc-lublin-1",
            "hpc-lublin-file-2",
            "hpc-lublin",
        ]

    def test_trainings_that_cannot_be_compared_are_told(self, tmp_path):
        """Seeds that differ in more than the seed; scenarios that are others by now."""
        train(TINY, tmp_path / "run")
        one = load_artifact(tmp_path / "run" / "best")
        longer = {**one.manifest.config, "seed": 1, "demonstrations": 61}
        save(tmp_path / "tiny-1", one.weights, one.manifest)
        save(tmp_path / "tiny-2", one.weights, replace(one.manifest, config=longer))
        save(tmp_path / "tiny-3", one.weights, replace(one.manifest, scenario_digest="old"))
        assert artifacts.find("tiny", folder=tmp_path).missing == (
            "tiny-2 has other settings than tiny-1: demonstrations",
            "tiny-3: mixed-cloud has changed since it was trained",
        )


class TestMakingAnew:
    @pytest.fixture
    def made(self, tmp_path):
        """A training's artifact that today's encoding refuses."""
        folder = tmp_path / "artifacts" / "tiny-1"
        train(TINY, tmp_path / "first", "the command")
        artifact = load_artifact(tmp_path / "first" / "best")
        save(folder, artifact.weights, replace(artifact.manifest, encoding="old"))
        return folder, artifact

    def again(self, folder, tmp_path):
        artifacts.train_again("tiny", folder=folder.parent, runs=tmp_path / "runs")

    @pytest.mark.slow
    def test_what_is_refused_today_is_trained_again_as_it_was(self, made, tmp_path):
        folder, first = made
        assert artifacts.find("tiny", folder=folder.parent).trained == ()
        self.again(folder, tmp_path)
        again = load_artifact(folder)
        assert again.weights == first.weights
        assert again.manifest.command == "the command"
        assert not (tmp_path / "runs").exists()

    def test_an_interrupted_one_is_gone_on_with(self, made, tmp_path):
        folder, _ = made
        train(TINY, tmp_path / "runs" / "tiny-1", "half")
        self.again(folder, tmp_path)
        assert load_artifact(folder).manifest.command == "half"

    def test_nothing_is_trained_while_a_log_is_missing(self, made, tmp_path):
        folder, first = made
        lost = {**first.manifest.config, "scenario": str(tmp_path / "lost.toml")}
        save(folder.with_name("tiny-2"), first.weights, replace(first.manifest, config=lost))
        with pytest.raises(InputError, match="tiny-2 cannot be trained"):
            self.again(folder, tmp_path)
        assert not (tmp_path / "runs").exists()


class TestCurves:
    CURVE = (
        {"steps": 0, "seconds": 9.0, "cpu_seconds": 10.0, "raw": {"mean": 1.2}},
        {"steps": 1, "cpu_seconds": 20.0, "raw": {"mean": 1.1}, "averaged": {"mean": 0.98}},
        {"steps": 2, "cpu_seconds": 30.0, "raw": {"mean": 1.3}},
    )
    MANIFEST = ArtifactManifest(
        *("", "", 64, "easy", "s", "d", 1, 20, False, "", "", {}, {"algo": "ars"}), curve=CURVE
    )

    def test_the_best_so_far_by_processor_time(self):
        assert list(curves._points(self.MANIFEST)) == [(10.0, 1.2), (20.0, 0.98), (30.0, 0.98)]

    def test_the_way_of_learning(self):
        assert curves.way(self.MANIFEST) == "ars"
        assert curves.way(replace(self.MANIFEST, config={})) == "ppo"
        assert curves.way(replace(self.MANIFEST, config={"algo": "search"})) == (
            "search and distillation"
        )

    def test_a_training_records_its_processor_time(self, tmp_path):
        train(TINY, tmp_path / "run")
        curve = load_artifact(tmp_path / "run" / "best").manifest.curve
        spent = [each["cpu_seconds"] for each in curve]
        assert spent == sorted(spent)
        assert spent[0] > 0
        how = Measuring(folder=tmp_path, learned=(), trainings=(tmp_path,))
        [found] = curves.measure(how)["curves"]
        assert found["name"] == "run"
        assert found["processor"]


class TestDocument:
    PAGE = "# Page\n\n<!-- begin: one -->\nold\n<!-- end: one -->\n\nby hand\n"

    def test_only_what_is_between_the_marks_changes(self):
        text = document.replaced(self.PAGE, "one", "new \\1")
        assert text == self.PAGE.replace("\nold\n", "\n\nnew \\1\n\n")
        assert document.replaced(text, "one", "new \\1") == text

    def test_missing_marks_are_told(self):
        with pytest.raises(ValueError, match="two"):
            document.replaced(self.PAGE, "two", "new")

    def test_the_page_is_made_from_what_was_kept(self, tmp_path):
        def report(found, _):
            return Section("Title", "Text.", [Table("T", ["a"], [[str(found["value"])]])])

        part = ReportPart("one", lambda _: {}, report, ())
        page = tmp_path / "page.md"
        page.write_text(self.PAGE)
        assert document.write({"one": part}, page, tmp_path) == ["one"]
        document.save(part, {"value": 1 / 3, "missing": ["a training"]}, tmp_path, 1.0)
        assert json.loads((tmp_path / "one.json").read_text())["value"] == 0.3333333
        assert document.write({"one": part}, page, tmp_path) == []
        text = page.read_text()
        assert "## Title" in text
        assert "| 0.3333333 |" in text
        assert "- a training" in text

    def test_the_real_page_has_marks_for_every_part(self):
        from benchmarks.policy.__main__ import PARTS

        text = Path(document.PAGE).read_text("utf-8")
        for name in PARTS:
            assert document.replaced(text, name, "x") != text


class TestNames:
    def test_a_search_may_have_a_limit(self):
        assert policy_of("sjf+search").limit_s == np.inf
        assert policy_of("sjf@fastest+search/0.03").limit_s == 0.03
        assert policy_of("sjf@fastest+search/0.03").policy.name == "sjf@fastest"

    def test_a_learned_index_without_one_of_its_parts(self, tmp_path):
        config = configs.of({"algo": "cmaes", "scenario": "lab", "baseline": "wgc", "hidden": 2})
        start = starting(config)
        size = len(start.weights) - ADJUSTMENT
        whole = on(named("wgc"), np.ones_like(start.weights))
        on_lab = TrainedOn("lab", "0" * 12, Mode.EASY)
        export(tmp_path, whole, config, on_lab, TrainingProgress())
        index, constants = (policy_of(f"learned:{tmp_path}#{part}") for part in PARTS)
        assert evaluation.searchable(f"learned:{tmp_path}")
        assert index.weights[:size].all()
        assert not index.weights[size:].any()
        assert not constants.weights[:size].any()
        assert constants.weights[size:].all()

    def test_only_a_learned_index_has_parts(self, tmp_path):
        train(TINY, tmp_path / "run")
        path = tmp_path / "run" / "best"
        assert not evaluation.searchable(f"learned:{path}")
        with pytest.raises(InputError, match="no part 'index'"):
            policy_of(f"learned:{path}#index")
        names = (f"learned:{path}", f"learned:{path}#index", f"learned:{path}+search/0.1")
        case = Drawn(load("mixed-cloud"), 0, 0.5, 4)
        assert len({task_key(case, name) for name in names}) == 3


def test_a_forest_can_be_drawn(tmp_path):
    rows = [("a", Interval(-0.1, -0.2, -0.05, 48)), ("b", Interval(0.1, -0.2, 0.3, 48))]
    plots.write(lambda: plots.forest(rows, "%"), tmp_path / "deep" / "x.svg", "title")
    assert (tmp_path / "deep" / "x.svg").read_text().count("</svg>") == 1
