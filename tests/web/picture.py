"""The picture of the page in the README.

python -m tests.web.picture [docs/pictures/cluster.png]

A service of its own trains a dozen small networks on two pools of this machine. When some of them
have ended, Chromium opens the page of the cluster and points at the next planned start.
"""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path

from playwright.sync_api import sync_playwright

from api.client import Client
from api.local_service import private_service
from tests.support.waiting import until
from tests.web.visits import BROWSER, FLAGS, Visit

PICTURE = Path("docs/pictures/cluster.png")
SIZE = {"width": 1280, "height": 780}
POOLS = {"cpu": {"devices": 2}, "cpu-fast": {
    "kind": "cpu", "devices": 2, "model": "AMD EPYC 9654", "dollars_per_device_hour": 0.11,
    "watts_per_device": 3.8, "flops_per_device": 6e10,
}}  # fmt: skip
JOBS = 12
ENDED = 5
"""Trainings that have ended when the picture is taken."""


def submit(client: Client) -> None:
    """A dozen trainings of different length, priority and preference."""
    client.submit_batch(
        [
            {
                "kind": "cnn-train",
                "name": f"digits-{number + 1}",
                "work": {"epochs": 12 + 9 * (number % 4), "seed": number},
                "priority": 80 if number == JOBS - 1 else 50,
                "preference": ("fast", "balanced", "cheap")[number % 3],
                "project": ("vision", "speech")[number % 2],
            }
            for number in range(JOBS)
        ]
    )


def draw(client: Client, path: Path) -> None:
    """Open the page of the cluster and store what it shows."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=BROWSER, args=FLAGS)
        context = browser.new_context(viewport=SIZE, color_scheme="light")
        visit = Visit(context.new_page(), client.connection.url)
        visit.sign_in(client.connection.token or "")
        visit.see("cluster", "Cluster")
        page = visit.page
        page.get_by_role("button", name="15 min").click()
        page.locator("g.block.planned").first.focus()
        page.locator(".said a").wait_for()
        page.wait_for_load_state("networkidle")
        path.parent.mkdir(parents=True, exist_ok=True)
        page.screenshot(path=path)
        browser.close()


def main() -> None:
    """Make the picture."""
    path = Path(sys.argv[1]) if len(sys.argv) > 1 else PICTURE
    settings = {"FULCRUM_FIT": "false", "FULCRUM_POOLS": json.dumps(POOLS)}
    with (
        tempfile.TemporaryDirectory(prefix="fulcrum-picture-") as name,
        private_service(Path(name) / "data", settings) as client,
    ):
        submit(client)
        until(lambda: len(list(client.jobs(state="succeeded"))) >= ENDED, 0.5)
        draw(client, path)
    print(f"{path}: {path.stat().st_size:,} bytes")


if __name__ == "__main__":
    main()
