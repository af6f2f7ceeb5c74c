"""A person's way through the page, in a real browser. Everything planted must show as text."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from api.http.auth import create_token
from scheduler.domain.lifecycle import JobState
from tests.api.conftest import World
from tests.web.visits import EVIL, PHONE, Visit

pytestmark = pytest.mark.slow


def test_a_job_from_its_submission_to_its_end(visit: Visit, world: World) -> None:
    page = visit.page
    world.running()
    world.running()  # both devices are busy
    visit.sign_in(world.token)
    visit.see("submit", "Submit")
    page.get_by_role("button", name="Command").click()
    page.locator("textarea[name='work.argv']").fill("python\ntrain.py\n--name=a b")
    page.locator("input[name='name']").fill("by hand")
    page.locator("input[name='priority']").fill("40")
    page.get_by_label(re.compile("^ ?fast")).check()
    page.get_by_role("button", name="Submit the job").click()
    page.get_by_role("heading", name=re.compile("by hand")).wait_for()
    (made,) = [one for one in world.client.get("/v1/jobs").json()["jobs"] if one["name"]]
    assert made["work"]["argv"] == ["python", "train.py", "--name=a b"]
    assert (made["priority"], made["preference"]) == (40, 1.0)
    page.locator("[data-explanation]").get_by_text(re.compile("Waits for")).wait_for()

    page.get_by_role("button", name=re.compile("Change job")).click()
    page.get_by_label(re.compile("^Priority")).fill("90")
    page.get_by_role("button", name="Save").click()
    visit.text(f"Job {made['id']} is changed.").wait_for()
    assert world.client.get(f"/v1/jobs/{made['id']}").json()["priority"] == 90

    world.finish(1)
    world.until(made["id"], JobState.RUNNING)
    world.log(made["id"], "the first line\n")
    page.locator(".head .state.running").wait_for()
    page.get_by_role("log").get_by_text("the first line").wait_for()
    world.log(made["id"], "and another\n")
    page.get_by_role("log").get_by_text("and another").wait_for()
    page.locator("[data-explanation]").get_by_text(re.compile("The decision at")).wait_for()
    world.finish(made["id"])
    page.locator(".head .state.succeeded").wait_for()
    page.locator("[data-log-state]", has_text="complete").wait_for()


def test_cancelling_and_retrying(visit: Visit, world: World) -> None:
    number = world.running(name="wrong")
    visit.sign_in(world.token)
    page = visit.page
    page.get_by_role("button", name=f"Cancel job {number}").click()
    page.get_by_role("button", name="Cancel the job").click()
    world.until(number, JobState.CANCELLED)
    page.locator(f"tr[data-job='{number}'] .state.cancelled").wait_for()
    page.get_by_role("button", name=f"Retry job {number}").click()
    page.locator(f"tr[data-job='{number + 1}']").wait_for()


def test_switching_the_policy_is_asked_once_more(visit: Visit, world: World) -> None:
    visit.sign_in(world.token)
    visit.see("policies", "Policies")
    page = visit.page
    page.locator("[data-active='priority']").wait_for()
    page.get_by_role("button", name="Use sjf", exact=True).click()
    assert world.service.policy_control.view().name == "priority"
    page.get_by_role("button", name="Let it decide").click()
    page.locator("[data-active='sjf']").wait_for()
    assert world.service.policy_control.view().name == "sjf"


def test_everything_planted_shows_as_text(visit: Visit, world: World) -> None:
    fields = {"name": EVIL, "kind": "cnn-train", "work": {"epochs": 2}}
    number = world.client.post("/v1/jobs", json=fields).json()["id"]
    world.until(number, JobState.RUNNING)
    world.log(number, f"{EVIL}\n")
    confusion = {"classes": [EVIL, "cat"], "counts": [[1, 2], [3, 4]]}
    epoch = {"kind": "epoch", "epoch": 1, "epochs": 2, "train_loss": 1.0, "train_accuracy": 0.5}
    folder = world.service.folders.attempt(number, 1)
    (folder / "metrics.jsonl").write_text(json.dumps(epoch) + "\n")
    world.artifact(number, "confusion.json", json.dumps(confusion).encode())
    world.artifact(number, "<img src=x onerror=alert(1)>.txt")
    world.finish(number)
    visit.sign_in(world.token)
    visit.text(EVIL).wait_for()
    visit.see(f"jobs/{number}", "planted")
    page = visit.page
    page.get_by_role("log").get_by_text(EVIL).wait_for()
    page.locator(".matrix th", has_text="planted").first.wait_for()
    visit.text("<img src=x onerror=alert(1)>.txt").wait_for()
    page.locator(".curve canvas").first.wait_for()
    for place, heading in (("cluster", "Cluster"), ("costs", "Costs"), ("policies", "Policies")):
        visit.see(place, heading)
    assert page.locator("script").count() == 1


def test_a_viewer_sees_no_button_that_would_be_refused(visit: Visit, world: World) -> None:
    number = world.running()
    visit.sign_in(create_token(world.folder, "vera", "viewer")[0])
    page = visit.page
    page.locator(f"tr[data-job='{number}']").wait_for()
    for place, heading in (("jobs", "Jobs"), (f"jobs/{number}", str(number)),
                           ("cluster", "Cluster"), ("policies", "Policies")):  # fmt: skip
        visit.see(place, heading)
        page.wait_for_load_state("networkidle")
        for name in ("Cancel", "Retry", "Change", "Preempt", "Use", "Drain", "Submit"):
            assert page.get_by_role("button", name=re.compile(rf"^{name}(\s|$)")).count() == 0, (
                place
            )
            assert page.get_by_role("link", name=re.compile(rf"^{name}(\s|$)")).count() == 0, place
    page.get_by_role("button", name="Sign out").click()
    page.get_by_label("Token").wait_for()
    assert page.context.cookies() == []


def test_planned_starts_are_on_the_timeline_and_explain_themselves(
    visit: Visit, world: World
) -> None:
    for _ in range(2):
        world.submit()  # placed, but not started: the fake executor's clock stands in 1970
    number = world.submit(name="next")
    world.service.quiesce()
    visit.sign_in(world.token)
    visit.see("cluster", "Cluster")
    page = visit.page
    planned = page.get_by_role("link", name=re.compile(f"Job {number} is planned"))
    planned.wait_for()
    planned.focus()
    page.locator(".said", has_text="waits for").wait_for()
    page.keyboard.press("Enter")
    page.get_by_role("heading", name=re.compile("next")).wait_for()


def test_two_thousand_jobs_come_in_pages(visit: Visit, world: World) -> None:
    job = {"kind": "command", "work": {"argv": ["true"]}}
    for part in range(2):
        jobs = [{**job, "name": f"sweep-{part}-{at}"} for at in range(1000)]
        assert world.client.post("/v1/jobs:batch", json={"jobs": jobs}).status_code == 201
    visit.sign_in(world.token)
    page = visit.page
    page.locator("[data-total]", has_text="2,000 jobs").wait_for()
    assert page.locator("tr[data-job]").count() == 50
    page.get_by_role("button", name="Older").click()
    page.locator("tr[data-job='1950']").wait_for()
    page.get_by_label("Search by name").fill("sweep-0-99")
    page.locator("[data-total]", has_text="11 jobs").wait_for()


def test_every_page_fits_a_phone(browser: Any, world: World, tmp_path: Path) -> None:
    world.running(name="a name that is rather long for the screen of a telephone")
    number = world.submit(name="x" * 190)
    context = browser.new_context(viewport=PHONE, color_scheme="dark")
    visit = Visit(context.new_page(), world.url)
    visit.sign_in(world.token)
    for place, heading in (
        ("jobs", "Jobs"), (f"jobs/{number}", "xx"), ("cluster", "Cluster"), ("submit", "Submit"),
        ("policies", "Policies"), ("costs", "Costs"),
    ):  # fmt: skip
        visit.see(place, heading)
        visit.page.wait_for_load_state("networkidle")
        wide = visit.page.evaluate("document.documentElement.scrollWidth")
        assert wide <= PHONE["width"], place
    assert visit.said == []
    context.close()
