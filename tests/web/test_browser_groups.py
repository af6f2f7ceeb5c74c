"""Sweeps and arrays on the page: submitted, watched, cancelled."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

import pytest

from api.http.auth import create_token
from scheduler.domain.lifecycle import JobState
from tests.api.conftest import World
from tests.support.waiting import until
from tests.web.visits import EVIL, Visit

pytestmark = pytest.mark.slow

SWEEP = {
    "kind": "cnn-train",
    "name": EVIL,
    "work": {"epochs": 3},
    "sweep": {
        "parameters": {"work.learning_rate": [0.1, 0.01, 0.001]},
        "method": "grid",
        "parallel": 2,
    },
}


def epochs(world: World, job: int, *values: float) -> None:
    """Let a trial tell its validation accuracy after each epoch."""
    lines = [
        {"kind": "epoch", "epoch": at, "epochs": 3, "validation_accuracy": value, "seconds": 1.0}
        for at, value in enumerate(values, 1)
    ]
    folder = world.service.folders.attempt(job, 1)
    folder.mkdir(parents=True, exist_ok=True)
    text = "".join(f"{json.dumps(line)}\n" for line in lines)
    (folder / "metrics.jsonl").write_text(text)


def sweep(world: World, ready: Callable[[Any], bool]) -> None:
    """Wait until the first sweep is as `ready` wants it."""

    def look() -> bool:
        world.executor.deliver()
        return ready(world.client.get("/v1/sweeps/1").json())

    until(look)


def test_a_sweep_shows_its_trials_best_first_with_curves(visit: Visit, world: World) -> None:
    assert world.client.post("/v1/sweeps", json=SWEEP).status_code == 201
    for job, values in ((1, (0.3, 0.5, 0.6)), (2, (0.5, 0.8, 0.9)), (3, (0.2, 0.3, 0.4))):
        sweep(world, lambda found, job=job: any(one["job"] == job for one in found["listing"]))
        world.until(job, JobState.RUNNING)
        epochs(world, job, *values)
        world.finish(job)
    sweep(world, lambda found: found["final"])
    (best, *_) = world.client.get("/v1/sweeps/1?curves=true").json()["listing"]
    assert best["curve"] == [[1, 0.5], [2, 0.8], [3, 0.9]]
    visit.sign_in(world.token)
    page = visit.page
    page.get_by_role("link", name="Sweeps").click()
    page.get_by_role("heading", name="Sweeps", level=1).wait_for()
    page.locator("tr[data-sweep='1'] a", has_text="planted").click()
    page.locator("[data-trials]").wait_for()
    numbers = page.locator("tr[data-trial]").evaluate_all("all => all.map(r => r.dataset.trial)")
    assert numbers == ["2", "1", "3"]
    page.locator("tr[data-trial='2']", has_text="best").wait_for()
    page.locator(".curve canvas").first.wait_for()
    visit.text("Epoch 3: trial 2 leads with 0.9; median of 3 trials 0.6").wait_for()
    marks = page.locator("svg.plane .point")
    assert marks.count() == 3
    marks.first.focus()
    page.locator(".said", has_text="Trial 2, best: learning_rate 0.01 gave 0.9").wait_for()
    page.locator("tr[data-trial='2'] a").click()
    page.get_by_role("link", name="sweep 1").wait_for()
    page.get_by_role("link", name="sweep 1").click()
    page.locator("[data-sweep-page='1']").wait_for()


def test_a_sweep_is_submitted_by_the_form_and_cancelled(visit: Visit, world: World) -> None:
    visit.sign_in(world.token)
    visit.see("submit", "Submit")
    page = visit.page
    page.locator("input[name='name']").fill("rates")
    page.get_by_text("Search hyper-parameters").click()
    page.locator("[name='sweep.parameters']").fill(
        "work.learning_rate = log 1e-4 to 1e-1\nwork.batch_size = 32, 64"
    )
    page.locator("[name='sweep.trials']").fill("6")
    page.locator("[name='sweep.pruner']").fill("median")
    page.get_by_role("button", name="Submit the sweep").click()
    page.get_by_role("heading", name=re.compile("rates"), level=1).wait_for()
    made = world.client.get("/v1/sweeps/1").json()
    assert (made["trials"], made["pruner"], made["method"]) == (6, "median", "tpe")
    spec = world.service.store.sweeps.sweep(1).spec
    rate = spec.parameters["work.learning_rate"]
    assert (rate.low, rate.high, rate.log) == (1e-4, 0.1, True)
    assert spec.parameters["work.batch_size"].choices == (32, 64)
    page.get_by_role("button", name="Cancel sweep 1").click()
    page.get_by_role("button", name="Cancel the sweep").click()
    sweep(world, lambda found: found["final"])
    page.locator(".head .state.cancelled").wait_for()


def test_an_array_is_submitted_shown_together_and_cancelled(visit: Visit, world: World) -> None:
    visit.sign_in(world.token)
    visit.see("submit", "Submit")
    page = visit.page
    page.get_by_role("button", name="Command").click()
    page.locator("textarea[name='work.argv']").fill("python\npart.py\n{index}")
    page.locator("input[name='name']").fill("part")
    page.get_by_text("More about the job").click()
    page.locator("[name='array']").fill("2-4")
    page.get_by_role("button", name="Submit the job").click()
    page.locator("[data-total]", has_text="3 jobs").wait_for()
    assert "array=1" in page.url
    jobs = world.client.get("/v1/jobs?array=1").json()["jobs"]
    assert [job["work"]["argv"][2] for job in jobs] == ["4", "3", "2"]
    page.locator("tr[data-job='3']", has_text="index 4").wait_for()
    page.get_by_role("button", name="Cancel all of array 1").click()
    page.get_by_role("button", name="Cancel the array").click()
    for job in (1, 2, 3):
        world.until(job, JobState.CANCELLED)
    page.get_by_role("button", name="Show jobs outside array 1, too").click()
    page.get_by_role("button", name="Cancel all of array 1").wait_for(state="detached")


def test_a_viewer_may_only_look_at_groups(visit: Visit, world: World) -> None:
    world.client.post("/v1/sweeps", json=SWEEP)
    jobs = [{"kind": "command", "work": {"argv": ["true"]}, "array": "0-1"}]
    array = world.client.post("/v1/jobs:batch", json={"jobs": jobs}).json()["jobs"][0]["array"]
    visit.sign_in(create_token(world.folder, "vera", "viewer")[0])
    for place, heading in (("sweeps", "Sweeps"), ("sweeps/1", "planted"),
                           (f"jobs?array={array}", "Jobs"), ("costs", "Costs")):  # fmt: skip
        visit.see(place, heading)
        visit.page.wait_for_load_state("networkidle")
        for name in ("Cancel", "Change", "Set up"):
            buttons = visit.page.get_by_role("button", name=re.compile(rf"^{name}(\s|$)"))
            assert buttons.count() == 0, place
