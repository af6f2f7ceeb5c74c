"""What ten open web pages see, and what they cost the decisions.

python -m benchmarks.web_page [--jobs 2000] [--pages 10] [--seconds 30] [--rounds 2] [--json [FILE]]

A service of its own gets so many short jobs, so that it decides all the time. Then
the benchmark measures three phases in turns, `--rounds` times: no page is open; the requests of so
many pages are sent without a browser; so many pages are open in a browser, half of them on the list
of jobs and half on the timeline. The requests and the decision times are those that the service
counts itself (`/metrics`). A percentile is interpolated in its bucket. Besides, it measures the
time from opening the address to the first row of the list, by one browser that is signed in.

The browser is Debian's Chromium, driven by Playwright (`pip install playwright`). It runs on the
same processors as the service.
"""

from __future__ import annotations

import shutil
import statistics
import sys
import tempfile
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import httpx
from prometheus_client.parser import text_string_to_metric_families

from api.client import Client
from api.local_service import private_service
from benchmarks.arguments import add_json, parser, write_json

JOB = {"kind": "command", "work": {"argv": ["sleep", "0.2"]}}
BATCH = 500
VISITS = 5
"""Times that the list is opened; the median counts."""
EVERY_S = 3.0
"""How often the list of jobs asks."""
ASKED = ("/v1/jobs?limit=50&count=true", "/v1/forecast")
"""What it asks."""
PLACES = ("jobs", "cluster")
BROWSERS = ("chromium", "chromium-browser", "google-chrome")
FLAGS = ("--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking")
DECISIONS, REQUESTS = "fulcrum_decision_seconds", "fulcrum_http_request_seconds"
TITLES = {
    "alone": "no page",
    "requests": "requests of the pages only",
    "browser": "pages in a browser",
}


@dataclass(frozen=True, slots=True)
class PagesPhase:
    """Decisions and requests of the service while some pages were open."""

    name: str
    decisions: float
    p50_ms: float
    p99_ms: float
    requests_per_s: float


@dataclass(frozen=True, slots=True)
class Counts:
    """What the service has counted so far."""

    buckets: Mapping[float, float]
    """Upper bound (s) → decisions up to it."""
    requests: float
    at: float
    """Seconds of the monotonic clock."""

    @classmethod
    def read(cls, http: httpx.Client) -> Counts:
        """Read /metrics."""
        text = http.get("/metrics").raise_for_status().text
        samples = [one for each in text_string_to_metric_families(text) for one in each.samples]
        return cls(
            {
                float(one.labels["le"]): one.value
                for one in samples
                if one.name == f"{DECISIONS}_bucket"
            },
            sum(
                one.value
                for one in samples
                if one.name == f"{REQUESTS}_count" and one.labels["route"] != "/metrics"
            ),
            time.monotonic(),
        )


def phase(name: str, spans: Sequence[tuple[Counts, Counts]]) -> PagesPhase:
    """The figures of all spans of one kind together."""
    buckets: dict[float, float] = defaultdict(float)
    for first, last in spans:
        for bound, value in last.buckets.items():
            buckets[bound] += value - first.buckets[bound]
    seconds = sum(last.at - first.at for first, last in spans)
    return PagesPhase(
        name,
        max(buckets.values()),
        1e3 * quantile(buckets, 0.5),
        1e3 * quantile(buckets, 0.99),
        sum(last.requests - first.requests for first, last in spans) / seconds,
    )


def quantile(buckets: Mapping[float, float], share: float) -> float:
    """The quantile of a histogram, linear inside its bucket, as Prometheus computes it."""
    wanted = share * max(buckets.values())
    low, below = 0.0, 0.0
    for bound, upto in sorted(buckets.items()):
        if upto >= wanted:
            if bound == float("inf") or upto == below:
                return low
            return low + (bound - low) * (wanted - below) / (upto - below)
        low, below = bound, upto
    return low


@contextmanager
def requests_of(http: httpx.Client, pages: int) -> Iterator[None]:
    """The requests of so many lists of jobs, spread over time, without a browser."""
    over = threading.Event()

    def ask(number: int) -> None:
        over.wait(number * EVERY_S / pages)
        while not over.is_set():
            for path in ASKED:
                http.get(path)
            over.wait(EVERY_S)

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(pages)]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        over.set()
        for thread in threads:
            thread.join()


class Pages:
    """Pages of a signed-in browser."""

    def __init__(self, browser: Any, url: str, token: str) -> None:
        self._url = url
        self._context = browser.new_context(viewport={"width": 1280, "height": 900})
        signed = self._context.request.post(
            f"{url}/v1/session", data={"token": token}, headers={"Fulcrum-Page": "1"}
        )
        if not signed.ok:
            raise RuntimeError(f"the browser could not sign in: {signed.text()}")

    def first_row_s(self) -> float:
        """Seconds from opening the address to the first row of the list."""
        page = self._context.new_page()
        begun = time.perf_counter()
        page.goto(self._url)
        page.locator("tr[data-job]").first.wait_for()
        taken = time.perf_counter() - begun
        page.close()
        return taken

    @contextmanager
    def opened(self, count: int) -> Iterator[Callable[[float], None]]:
        """So many open pages; what is yielded waits while they live."""
        pages = [self._context.new_page() for _ in range(count)]
        for number, page in enumerate(pages):
            page.goto(f"{self._url}/#/{PLACES[number % len(PLACES)]}")
            page.get_by_role("heading", level=1).wait_for()
        try:
            yield lambda seconds: pages[0].wait_for_timeout(1e3 * seconds)
        finally:
            for page in pages:
                page.close()


@contextmanager
def browser_pages(url: str, token: str) -> Iterator[Pages]:
    """A browser. Raises `SystemExit` if there is none."""
    found = next(filter(None, map(shutil.which, BROWSERS)), None)
    if found is None:
        sys.exit(f"no browser: install one of {', '.join(BROWSERS)}")
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        sys.exit("Playwright is not installed: pip install playwright")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=found, args=FLAGS)
        try:
            yield Pages(browser, url, token)
        finally:
            browser.close()


def measured(client: Client, jobs: int, pages: int, seconds: float, rounds: int) -> dict[str, Any]:
    """All figures of a service that has no jobs yet."""
    for begin in range(0, jobs, BATCH):
        client.submit_batch([JOB] * min(BATCH, jobs - begin))
    url, token = client.connection.url, client.connection.token or ""
    spans: dict[str, list[tuple[Counts, Counts]]] = {name: [] for name in TITLES}
    head = {"Authorization": f"Bearer {token}"}
    with (
        httpx.Client(base_url=url, headers=head, trust_env=False, timeout=60) as http,
        browser_pages(url, token) as visitor,
    ):
        rows = [visitor.first_row_s() for _ in range(VISITS)]

        def span(name: str, wait: Callable[[float], None]) -> None:
            first = Counts.read(http)
            wait(seconds)
            spans[name].append((first, Counts.read(http)))

        for _ in range(rounds):
            span("alone", time.sleep)
            with requests_of(http, pages):
                span("requests", time.sleep)
            with visitor.opened(pages) as wait:
                span("browser", wait)
    return {
        "jobs": jobs,
        "pages": pages,
        "first_row_s": statistics.median(rows),
        "phases": [asdict(phase(name, found)) for name, found in spans.items()],
    }


def main() -> None:
    """Measure and print."""
    arguments = parser(__doc__, "web_page")
    arguments.add_argument("--jobs", type=int, default=2000)
    arguments.add_argument("--pages", type=int, default=10)
    arguments.add_argument("--seconds", type=float, default=30.0)
    arguments.add_argument("--rounds", type=int, default=2)
    add_json(arguments)
    options = arguments.parse_args()
    with (
        tempfile.TemporaryDirectory(prefix="fulcrum-bench-") as name,
        private_service(Path(name) / "data", {"FULCRUM_FIT": "false"}) as client,
    ):
        found = measured(client, options.jobs, options.pages, options.seconds, options.rounds)
    if options.json is not None:
        write_json(found, options.json)
        return
    print(f"{found['jobs']:,} jobs; the first row is there after {found['first_row_s']:.1f} s")
    print(f"{found['pages']} pages            decisions  p50 (ms)  p99 (ms)  requests per s")
    for one in found["phases"]:
        print(
            f"{TITLES[one['name']]:27} {one['decisions']:6,.0f} {one['p50_ms']:9.1f} "
            f"{one['p99_ms']:9.1f} {one['requests_per_s']:15.1f}"
        )


if __name__ == "__main__":
    main()
