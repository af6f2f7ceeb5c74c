"""Figures on the page: projects and their limits, warnings, scores, policies compared."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from scheduler.domain.lifecycle import JobState
from tests.api.conftest import World
from tests.web.visits import EVIL, Visit

pytestmark = pytest.mark.slow

CLASS = {"images": 30, "precision": 0.9, "recall": 0.8, "f1": 0.847}


def test_projects_show_what_they_use_of_their_limits(visit: Visit, world: World) -> None:
    limits = {"share": 3, "hard": {"devices": 4}, "soft": {"devices": 1}}
    assert world.client.patch("/v1/projects/vision", json=limits).status_code == 200
    for _ in range(2):
        world.running(project="vision")
    visit.sign_in(world.token)
    visit.see("costs", "Costs")
    page = visit.page
    vision = page.locator("tr[data-project='vision']")
    vision.get_by_text("2 of 4").wait_for()
    vision.get_by_text("project vision uses 2 devices, over its 1").wait_for()
    vision.get_by_role("button", name="Change project vision").click()
    page.get_by_label("hard limit of devices").fill("2")
    page.get_by_label("soft limit of devices").fill("")
    page.get_by_label("hard limit of dollars per day").fill("1.5")
    page.get_by_label(re.compile("^Share")).fill("2")
    page.get_by_role("button", name="Save").click()
    vision.locator(".limit.over", has_text="2 of 2").wait_for()
    found = world.client.get("/v1/projects/vision").json()
    assert found["share"] == 2
    assert (found["hard"]["devices"], found["hard"]["dollars_per_day"]) == (2, 1.5)
    assert found["soft"]["devices"] is None


def test_a_deadline_that_cannot_be_met_warns_at_once(visit: Visit, world: World) -> None:
    for _ in range(2):
        world.running()
    visit.sign_in(world.token)
    visit.see("submit", "Submit")
    page = visit.page
    page.get_by_role("button", name="Command").click()
    page.locator("textarea[name='work.argv']").fill("true")
    page.locator("input[name='deadline']").fill("+1m")
    page.get_by_role("button", name="Submit the job").click()
    page.get_by_role("alert").filter(has_text="its deadline cannot be met").wait_for()


def test_scores_of_classes_and_voters(visit: Visit, world: World) -> None:
    for name in ("a", "b"):
        number = world.submit(kind="cnn-train", name=name, work={"epochs": 1})
        world.until(number, JobState.RUNNING)
        world.artifact(number, "model.pt")
        world.finish(number)
    number = world.submit(kind="cnn-infer", work={"models": [1, 2], "data": "digits:test"})
    world.until(number, JobState.RUNNING)
    voter = {"model": EVIL, "source": "work.models.1", "accuracy": 0.75}
    result = {
        "metrics": {"accuracy": 0.8, "precision": 0.9, "recall": 0.8, "f1": 0.85},
        "per_class": {EVIL: CLASS, "cat": CLASS},
        "voters": [{**voter, "model": "simple-cnn", "source": "work.models.0"}, voter],
    }
    world.executor.finish(f"{number}.1", result)
    world.until(number, JobState.SUCCEEDED)
    visit.sign_in(world.token)
    visit.see(f"jobs/{number}", str(number))
    page = visit.page
    page.locator("[data-classes] tr", has_text="planted").get_by_text("84.7 %").wait_for()
    page.locator("[data-voters] tr", has_text="planted").get_by_text("75.0 %").wait_for()
    page.locator("[data-voters]").get_by_role("link", name="job 2").wait_for()
    page.locator("[data-voters] tr", has_text="together").get_by_text("80.0 %").wait_for()


def test_trainings_are_compared_epoch_by_epoch(visit: Visit, world: World) -> None:
    """Of programs, too; their figures have any names."""
    for number, value in ((1, 0.5), (2, 0.75)):
        world.running()
        line = {"kind": "epoch", "epoch": 1, "perplexity": value}
        folder = world.service.folders.attempt(number, 1)
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "metrics.jsonl").write_text(json.dumps(line) + "\n")
    visit.sign_in(world.token)
    visit.see("jobs/1", "1")
    page = visit.page
    page.get_by_role("heading", name="Perplexity").wait_for()
    page.get_by_label("Compare with another training").select_option("2")
    visit.text("Epoch 1: job 1: 0.5; job 2: 0.75").wait_for()
    page.get_by_role("button", name="Remove job 2 from the curves").click()
    visit.text("Epoch 1: job 1: 0.5").wait_for()


def test_policies_show_latency_against_cost_and_how_they_learned(
    visit: Visit, world: World
) -> None:
    answer = world.client.get("/v1/policies/learned:fulcrum").json()
    points = [
        {"policy": name, "preference": at, "latency": latency, "cost": cost}
        for name, latency, cost in (("learned:fulcrum", 60.0, 0.1), (EVIL, 90.0, 0.2))
        for at in (0.2, 0.8)
    ]
    test = {"scenario": "ours", "relative": False, "trade_offs": points}
    event = {"at": "2026-01-01T00:00:00Z", "action": "promoted", "by": "ann", "command": "",
             "forced": False, "trial": test}  # fmt: skip

    def told(route: Any) -> None:
        route.fulfill(json={**answer, "history": [event]})

    page = visit.page
    page.route("**/v1/policies/learned*", told)
    visit.sign_in(world.token)
    visit.see("policies", "Policies")
    page.get_by_role("row", name=re.compile("learned:fulcrum")).get_by_role(
        "button", name="How it did"
    ).click()
    page.locator(".curve canvas").wait_for()
    visit.text(re.compile(r"After [\d,]+ decisions: this policy 0\.\d+, wgc 1")).wait_for()
    marks = page.locator("svg.plane .point")
    assert marks.count() == 2  # neither heeds the preference
    marks.nth(1).focus()
    page.locator(".said", has_text="another is better in both").wait_for()
