"""The page stands alone, is valid, and shows everything; documents for programs agree with it."""

import csv
import io
import json
import re
from collections import Counter
from dataclasses import replace
from html.parser import HTMLParser

import pytest

from agents.evaluation.compare import Comparison, compare
from agents.evaluation.metrics import METRICS
from agents.evaluation.provenance import provenance_of
from agents.evaluation.run import Conditions
from agents.evaluation.summary import summarise
from agents.report.csv_json import as_csv, as_json
from agents.report.html import report
from tests.support.comparison_worlds import scenario

VOID = {"meta", "br", "hr", "img", "link", "input"}


class Page(HTMLParser):
    """Checks nesting; collects ids, references and texts."""

    def __init__(self, text):
        super().__init__()
        self.open, self.ids, self.references, self.words = [], [], [], []
        self.feed(text)
        assert not self.open

    def handle_starttag(self, tag, attrs):
        for name, value in attrs:
            if name == "id":
                self.ids.append(value)
            if name in ("href", "src", "xlink:href", "action"):
                self.references.append(value)
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self.open.pop()

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.words.append(data)


@pytest.fixture(scope="module")
def compared():
    tiny, other = scenario(), scenario("other <b>", objective=None)
    plan = Comparison(
        {one.name: one for one in (tiny, replace(other, description="<script>alert(1)</script>"))},
        ("fcfs", "sjf", "nobody"),
        (0, 1, 2),
        "fcfs",
        preferences=(0.0, 0.5, 1.0),
        conditions=Conditions(timeline=0),
    )
    comparison = replace(plan, runs=compare(plan))
    return (
        comparison,
        summarise(comparison),
        provenance_of(comparison, ["fulcrum", "compare", "<x>"]),
    )


@pytest.fixture(scope="module")
def page(compared):
    return report(*compared)


def test_page_is_well_formed_and_its_ids_are_unique(page):
    found = Page(page)
    assert [name for name, count in Counter(found.ids).items() if count > 1] == []
    inside = {name.removeprefix("#") for name in found.references if name.startswith("#")}
    assert inside <= set(found.ids)


def test_page_needs_nothing_from_elsewhere(page):
    assert all(name.startswith(("#", "data:")) for name in Page(page).references)
    text = re.sub(r'xmlns(:\w+)?="[^"]*"', "", page)
    assert "http:" not in text
    assert "https:" not in text
    assert "@import" not in text
    assert "url(" not in re.sub(r"url\(#[^)]*\)", "", text)


def test_page_escapes_what_others_wrote(page):
    assert "<script>alert" not in page
    assert "&lt;script&gt;alert" in page
    assert "<x>" not in page


def test_page_shows_everything(page, compared):
    _, _, made = compared
    text = " ".join(Page(page).words)
    for words in (
        "fcfs",
        "baseline",
        "Pareto front",
        "Hypervolume",
        "Device timelines, seed 0",
        "there is no policy 'nobody'",
        "Every preference",
        made.code,
        *(each.title for each in METRICS.values()),
        *(facts["digest"] for facts in made.scenarios.values()),
    ):
        assert words in text
    assert page.count("<svg") == 1 + 2 * (2 + 2)
    assert "By priority" in text
    assert "All jobs are of one class: 34–66." in text
    assert "#010203" not in page


def test_page_is_the_same_every_time(page, compared):
    assert report(*compared) == page


def test_csv_has_one_row_per_run(compared):
    comparison, *_ = compared
    rows = list(csv.DictReader(io.StringIO(as_csv(comparison))))
    assert len(rows) == len(comparison.keys) == 2 * 3 * 3 * 3
    first = comparison.runs[0]
    assert float(rows[0]["jct_s"]) == first.metrics["jct_s"]
    assert {row["policy"] for row in rows if row["error"]} == {"nobody"}
    assert all(row["jct_s"] == "" for row in rows if row["error"])


def test_json_holds_manifest_tables_and_runs(compared):
    comparison, summaries, made = compared
    text = as_json(comparison, summaries, made)
    content = json.loads(text, parse_constant=pytest.fail)
    assert content["manifest"]["seeds"] == [0, 1, 2]
    assert content["manifest"]["scenarios"]["tiny"]["reference"]["dollars"] == 5.0
    policies = content["scenarios"]["tiny"]["policies"]
    line = next(one for one in policies if one["label"] == "sjf @1")
    assert line["values"]["jct_s"]["count"] == 3
    assert line["differences"]["jct_s"]["verdict"] in ("better", "worse", "open", "equal")
    assert line["differences"]["jct_s"].keys() >= {"median", "won", "lost"}
    assert line["classes"].keys() == {"priority", "preference", "user"}
    (middle,) = line["classes"]["priority"]
    assert (middle["class"], middle["values"]["jobs"]["mean"]) == ("34–66", 12)
    assert content["scenarios"]["tiny"]["evidence"] == {
        "workloads": 3, "distinct": 3, "jobs": None,
    }  # fmt: skip
    assert content["runs"][0]["classes"]["user"]
    assert content["scenarios"]["other <b>"]["hypervolume"] == []
    assert len(content["runs"]) == len(comparison.keys)
