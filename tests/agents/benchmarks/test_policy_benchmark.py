"""The pure parts of `python -m benchmarks.policy`."""

import json
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from agents.evaluation.statistics import Interval, relative
from agents.serving.artifact import ArtifactManifest, save
from agents.serving.artifact import load as load_artifact
from agents.training.trainer import train
from benchmarks.policy import artifacts, document, evaluation, plots
from benchmarks.policy.cases import CaseFigures, Drawn, Fresh, fresh, under
from benchmarks.policy.document import ReportPart
from benchmarks.policy.evaluation import KeptResults, Measuring, task_key
from benchmarks.policy.parts import drawn, frontier, kth, latency, rlscheduler
from benchmarks.policy.parts.frontier import outline, volume_ratio
from benchmarks.policy.tables import Section, Table, number, signed
from benchmarks.policy.variants import variants
from envs.scenarios import Split, load
from scheduler.decisions.rounds.modes import Mode
from scheduler.domain.errors import InputError
from scheduler.policies.heuristics import HEURISTICS
from scheduler.policies.lookup import named
from tests.support.learning_world import TINY

FOUND = CaseFigures(
    jct_s=10.0, dollars=2.0, slowdown=1.5, wait_s=3.0, latency=0.1, cost=0.2, missed=0.5
)


def found(**changes):
    """What a tiny measurement of the frontier might look like."""
    runs = {
        name: {
            w: {
                "objective": [1.0 * factor, 2.0 * factor] if w == "1" else [1.0, 1.0],
                "jct_s": [100.0 * factor, 200.0 * factor],
                "dollars": [1.0, 1.0],
            }
            for w in ("0", "1")
        }
        for name, factor in (("fcfs", 2.0), ("wgc", 1.0), ("mixed-cloud-1", 0.5))
    }
    return {
        "made": {"at": "2026-01-01T00:00", "commit": "abc", "command": "x"},
        "scenario": {"name": "mixed-cloud", "version": 2, "digest": "d"},
        "mode": "greedy",
        "reference": [4.0, 400.0],
        "ideal": [[0.5, 40.0], [0.5, 40.0]],
        "dial": [0.0, 1.0],
        "workloads": 2,
        "tuning_workloads": 2,
        "jobs": 160,
        "learned": ["mixed-cloud-1"],
        "tuning": {"0": {"fcfs": 1.0, "wgc": 2.0}, "1": {"fcfs": 3.0, "wgc": 1.0}},
        "runs": runs,
        "missing": [],
    } | changes


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


class TestPairing:
    def test_the_same_front_has_the_same_volume(self):
        points = np.random.default_rng(1).uniform(0.1, 0.9, (3, 8, 2))
        ratio = volume_ratio(points, points, np.ones(2))
        assert (ratio.mean, ratio.low, ratio.high) == (0.0, 0.0, 0.0)

    def test_a_better_front_has_more(self):
        points = np.random.default_rng(1).uniform(0.3, 0.9, (3, 8, 2))
        ratio = volume_ratio(points - 0.2, points, np.ones(2))
        assert 0 < ratio.low <= ratio.mean <= ratio.high

    def test_an_outline_holds_what_nothing_beats(self):
        assert outline(np.array([[1.0, 3.0], [2.0, 2.0], [2.5, 2.5]])) == [(1.0, 3.0), (2.0, 2.0)]


class TestFrontier:
    def test_nobody_reaches_more_than_the_ideal(self):
        rows = {row[0]: row[1:] for row in frontier.FrontierView(found()).volumes().rows}
        assert float(rows["upper bound, out of reach"][0]) > float(rows["mixed-cloud-1"][0])

    @pytest.mark.parametrize("name", ["cheapest", "fastest", "wgc"])
    def test_nobody_is_better_than_the_ideal(self, name):
        case = Drawn(load("mixed-cloud"), 3, 0.5, 30)
        dollars, seconds = case.ideal()
        run = case.run(named(name))
        assert 0 < dollars <= run.dollars
        assert 0 < seconds <= run.jct_s

    def test_the_rival_is_chosen_on_tuning_workloads(self):
        view = frontier.FrontierView(found())
        assert [view.rival(w) for w in (0.0, 1.0)] == ["fcfs", "wgc"]
        first, second = view.differences().rows
        assert first[1] == "fcfs"
        assert second[3] == signed(relative([0.5, 1.0], [1.0, 2.0]))

    def test_a_report_has_tables_and_a_plot_that_stands_alone(self, tmp_path):
        section = frontier.report(found(), tmp_path)
        assert len(section.tables) == 3
        text = (tmp_path / "frontier.svg").read_text()
        assert text.startswith("<svg")
        assert "prefers-color-scheme" in text

    def test_without_policies_there_are_still_heuristics(self, tmp_path):
        section = frontier.report(found(learned=[]), tmp_path)
        assert section.plots == ()
        assert "learned" not in section.tables[0].columns

    @pytest.mark.parametrize("name", frontier.IGNORING)
    def test_who_heeds_no_preference_does_the_same_at_any(self, name):
        assert frontier.heeded(name, 0.7) == 0.0
        cheap, fast = (Drawn(load("mixed-cloud"), 0, w, 12).run(HEURISTICS[name]) for w in (0, 1))
        assert cheap == fast

    def test_unknown_policies_are_told(self):
        missing = []
        assert frontier.known(["wgc", "nonsense"], missing) == ["wgc"]
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


class TestCourse:
    CURVE = (
        {"steps": 0, "seconds": 1.0, "raw": {"mean": 1.2}},
        {"steps": 10, "seconds": 2.0, "raw": {"mean": 1.1}, "averaged": {"mean": 0.98}},
        {"steps": 20, "raw": {"mean": 0.9}, "averaged": {"mean": 0.95}},
    )
    MANIFEST = ArtifactManifest(
        *("", "", 64, "easy", "s", "d", 1, 20, False, "", "", {}, {"reference": "saf"}),
        curve=CURVE,
        evaluation={
            "policy": {"mean": 0.9, "at": {"0.2": 0.9, "0.8": 0.9}},
            "wgc": {"mean": 1.2, "at": {"0.2": 1.2, "0.8": 1.2}},
            "sjf": {"mean": 1.1, "at": {"0.2": 1.3, "0.8": 0.9}},
        },
    )

    def test_the_best_heuristic_and_the_best_at_each_w(self):
        """The reference is one of them, whether the manifest lists it or not."""
        assert latency.best_heuristic(self.MANIFEST) == ("saf", 1.0)
        assert latency.best_of_each(self.MANIFEST) == pytest.approx(0.95)

    def test_when_a_mark_was_passed(self):
        assert latency.passed(self.CURVE, 1.0) == latency.Passed(10, 2.0)
        assert latency.passed(self.CURVE, 0.95) == latency.Passed(20, None)
        assert latency.passed(self.CURVE, 0.5) is None


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


@pytest.mark.parametrize("part", [drawn.PART, frontier.PART, kth.PART, rlscheduler.PART])
def test_reports_read_what_a_quick_measurement_writes(part, tmp_path, monkeypatch):
    """Without learned policies and logs, on the least of everything."""
    monkeypatch.setattr(kth.kth, "TRACE", tmp_path / "none")
    monkeypatch.setattr(rlscheduler.rlscheduler, "TRACE", tmp_path / "none")
    for module in (drawn, frontier):
        monkeypatch.setattr(module, "JOBS", 3)
    monkeypatch.setattr(frontier, "HEURISTICS", ("sjf", "fastest"))
    monkeypatch.setattr(rlscheduler, "LENGTHS", (16,))
    how = Measuring(quick=True, folder=tmp_path, kept=KeptResults(None))
    document.save(part, part.measure(how), tmp_path, 1.0)
    section = part.report(document.read(part, tmp_path), tmp_path)
    assert document.markdown(section, document.read(part, tmp_path)).startswith("## ")


def test_a_forest_can_be_drawn(tmp_path):
    rows = [("a", Interval(-0.1, -0.2, -0.05, 48)), ("b", Interval(0.1, -0.2, 0.3, 48))]
    plots.write(lambda: plots.forest(rows, "%"), tmp_path / "deep" / "x.svg", "title")
    assert (tmp_path / "deep" / "x.svg").read_text().count("</svg>") == 1


def test_on_drawn_clusters_every_cluster_counts_alike(tmp_path):
    """A tenth less on a cheap cluster and a tenth more on a dear one is no difference."""
    runs = {"wgc": [1.0, 100.0], "wgc:random": [1.0, 100.0], "fulcrum": [0.9, 110.0]}
    measured = {
        "digest": "d", "version": 3, "workloads": 2, "jobs": 160,
        "learned": ["fulcrum"], "runs": {"0.5": runs}, "missing": [],
    }  # fmt: skip
    [table] = drawn.report(measured, tmp_path).tables
    assert [row[0] for row in table.rows] == ["**fulcrum**", "wgc:random"]
    assert table.rows[0][1].startswith("0.0 %")
    assert (tmp_path / "drawn.svg").is_file()
