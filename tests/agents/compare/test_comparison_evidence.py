"""Workloads count as far as they differ."""

import io
import json
from dataclasses import replace

import pytest
from rich.console import Console

from agents.evaluation.by_class import By
from agents.evaluation.compare import Comparison, compare
from agents.evaluation.provenance import provenance_of
from agents.evaluation.run import Conditions, RunKey, RunResult
from agents.evaluation.sample_size import Evidence, covered
from agents.evaluation.statistics import Verdict, regime_warnings
from agents.evaluation.summary import summarise
from agents.report.csv_json import as_json
from agents.report.html import report
from api.cli.views.comparison import show
from envs.scenarios import WorkloadSource, load
from envs.scenarios.logs import Draw, JobLog
from envs.workloads.base import Arrival, Workload
from envs.workloads.base import WorkloadRun as Way
from envs.workloads.synthetic import Synthetic
from envs.workloads.traces import native
from tests.support.comparison_worlds import scenario


def traced(draw, jobs=10):
    return replace(scenario(), source=WorkloadSource(jobs=jobs, trace=JobLog("x", draw=draw)))


def of(where, *rows, jobs=None):
    runs = [RunResult(RunKey("tiny", "fcfs", seed), rows=span) for seed, span in enumerate(rows)]
    return Evidence.of(where, jobs, runs)


def test_workloads_of_a_model_stand_each_for_itself():
    found = of(scenario(), None, None, None)
    assert (found.workloads, found.distinct, found.jobs, found.sentence) == (3, 3, None, "")


def test_windows_are_worth_what_fits_into_the_rows_that_they_cover():
    window = traced(Draw.WINDOW)
    assert of(window, (0, 10), (5, 15), (12, 22)).distinct == 2
    assert of(window, (0, 10), (30, 40), (60, 70)).distinct == 3
    assert of(window, *[(0, 10)] * 8).distinct == 1
    assert of(window, (0, 20), (10, 30), jobs=20).distinct == 1


@pytest.mark.parametrize(
    ("beyond", "jobs", "distinct"), [(5, None, 0), (400, 1000, 8), (400, 20, 8), (90, 1000, 2)]
)
def test_jobs_drawn_again_and_again_are_still_the_same_jobs(beyond, jobs, distinct):
    found = of(traced(Draw.RESAMPLE), *[(0, beyond)] * 8, jobs=jobs)
    assert (found.distinct, found.jobs, found.enough) == (distinct, beyond, distinct >= 6)


def test_rows_in_several_spans_count_once():
    assert covered([(4, 9), (0, 5), (20, 21), (20, 21)]) == 10
    assert covered([]) == 0


def test_eight_seeds_over_five_different_jobs_show_nothing(tmp_path):
    jobs = tuple(
        Arrival(number, 10.0 * number, (Way("any", 1, 5.0 + 90 * (number % 3)),))
        for number in range(1, 25)
    )
    native.write(Workload("ours", jobs), tmp_path / "ours.jsonl.gz")
    (tmp_path / "ours.toml").write_text(
        'name = "ours"\nversion = 1\n[pools.gpu]\nkind = "cuda"\nmodel = "NVIDIA T4"\n'
        'devices = 1\n[workload]\njobs = 24\n[workload.trace]\npath = "ours.jsonl.gz"\n'
        'format = "fulcrum"\ndraw = "resample"\n'
    )
    ours = load(tmp_path / "ours.toml")
    plan = Comparison({"ours": ours}, ("fcfs", "sjf"), tuple(range(8)), "fcfs",
                      conditions=Conditions())  # fmt: skip
    comparison = replace(plan, runs=compare(plan))
    (found,) = summaries = summarise(comparison)
    sjf = found.lines[1].differences["wait_s"]
    assert sjf.value.significant  # so eight independent workloads would say
    assert sjf.verdict is Verdict.OPEN
    assert found.evidence == Evidence(8, 0, 5)
    made = provenance_of(comparison, ["fulcrum"])
    page = report(comparison, summaries, made)
    assert "share 5 different jobs of the trace: they are worth 0 independent ones" in page
    assert "✓" not in page.split("</header>")[1].replace("Better ✓", "")
    assert '"significant": true' not in as_json(comparison, summaries, made)


def held(load, tmp_path, **figures):
    """The summary, terminal's text, page and document of a comparison at a load."""
    busy = scenario("busy", preference=1.0)
    source = replace(busy.source, synthetic=Synthetic(load=(load, load)), **figures)
    busy = replace(busy, source=source)
    plan = Comparison({"busy": busy}, ("fcfs", "sjf"), (0, 1), "fcfs")
    comparison = replace(plan, runs=compare(plan))
    (found,) = summaries = summarise(comparison)
    made = provenance_of(comparison, ["fulcrum"])
    told = Console(width=200, file=io.StringIO())
    show(comparison, summaries, By.PRIORITY, told)
    document = json.loads(as_json(comparison, summaries, made))["scenarios"]["busy"]
    return found, told.file.getvalue(), report(comparison, summaries, made), document


def test_a_result_for_a_nearly_empty_cluster_says_so_everywhere(tmp_path):
    found, text, page, document = held(0.2, tmp_path)
    assert found.regime["waiting"] < 1 / 3
    for told in (text, page, document["warnings"][0]):
        assert "jobs hardly queue here" in told
    assert "12 jobs ×" in text
    assert document["regime"]["policy"] == "fcfs"
    assert document["regime"]["waiting"] == found.regime["waiting"]


def test_a_result_for_a_busy_cluster_tells_how_busy_it_was(tmp_path):
    steady = {"jobs": 40, "warm_up": 0.5, "cool_down": 4.0, "population": True}
    found, text, page, document = held(1.2, tmp_path, **steady)
    assert found.warnings == ()
    assert document["warnings"] == []
    assert "40 counted jobs ×" in text
    for told in (text, page):
        assert "jobs hardly queue" not in told
        assert "Take care" not in told
        assert "jobs waiting on average" in told


def test_means_over_an_emptying_cluster_are_warned_of():
    assert regime_warnings(0.5, 0.05) == ()
    (warning,) = regime_warnings(0.5, 0.25)
    assert warning.startswith("25% of the jobs ended after the last submission")
    assert regime_warnings(float("nan")) == ()
