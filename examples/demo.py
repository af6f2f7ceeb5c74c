"""The demo: a service of its own, a dozen real jobs through HTTP, and what became of them.

    python examples/demo.py [--images FOLDER]

Exits 1 unless everything ended as it was meant to. KEEP=1 keeps the folder with all results.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from rich.live import Live
from rich.markup import escape
from rich.table import Table

from api.cli.commands.jobs.plan import outlook_table
from api.cli.support import text_format
from api.cli.support.output import out, table
from api.cli.views.explanation import print_explanation
from api.cli.views.job_table import jobs_table, ran, state, waited
from api.client import files
from api.local_demo import demonstration
from api.local_service import private_service
from fulcrum import Client, JobHandle

if TYPE_CHECKING:
    from api.schemas import JobDetail

HERE = Path(__file__).resolve().parent
TIMEOUT_S = 600.0
LEAST_ACCURACY = {"digits": 0.9, "photographs": 0.5}
"""Of the job `cnn`; below it the training has not worked."""


def main() -> int:
    """Run the demo; the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--images", type=Path, help="photographs, with train/ and test/")
    images: Path | None = parser.parse_args().images
    if images is not None and not (images / "train").is_dir():
        print(f"error: {images} is no folder with train/ and test/", file=sys.stderr)
        return 2
    return demonstration("demo", lambda folder: _show(folder, images))


def _show(folder: Path, images: Path | None) -> list[str]:
    bodies = _jobs(folder, images)
    with private_service(folder / "data") as client:
        out().print(f"service at [bold]{client.connection.url}[/] in {folder}\n")
        return demonstrate(client, bodies, "photographs" if images else "digits")


def demonstrate(client: Client, bodies: Sequence[files.JobInput], dataset: str) -> list[str]:
    """Submit, watch, sum up; what did not end as intended."""
    console = out()
    first = bodies[0]
    console.print(f"[bold]What would become of {first['name']}?[/] (nothing is submitted yet)")
    console.print(outlook_table(client.plan(first)))
    jobs = client.submit_batch(bodies)
    console.print(f"\n{len(jobs)} jobs submitted. [bold]Why does one wait?[/]")
    waiting = next((job for job in reversed(jobs) if not job.refresh().info.started_at), jobs[-1])
    print_explanation(waiting.explain())
    console.print()
    _watch(client, jobs)
    details = [job.detail() for job in jobs]
    console.print(summary(details))
    console.print("\n[bold]Why did each start when and where it did?[/]")
    for job in jobs:
        console.print(f"job [bold]{job.id}[/] ({escape(job.name)}) {escape(_reason(job))}")
    return _complaints(details, dataset)


def summary(details: Sequence[JobDetail]) -> Table:
    """One line a job, and the totals."""
    result = table(">JOB", "NAME", "KIND", "STATE", ">WAIT", ">RUN", ">COST", ">ENERGY", ">OUTCOME")
    now = datetime.now(UTC)
    for job in details:
        result.add_row(
            str(job.id),
            escape(job.name),
            job.kind.value,
            state(job.state.value),
            text_format.seconds(waited(job, now)),
            text_format.seconds(ran(job, now)),
            text_format.dollars(job.dollars),
            text_format.joules(job.joules),
            _outcome(job),
        )
    result.add_section()
    result.add_row(
        "",
        "total",
        f"{len(details)} jobs",
        "",
        text_format.seconds(sum(waited(job, now) for job in details)),
        text_format.seconds(sum(ran(job, now) or 0.0 for job in details)),
        text_format.dollars(sum(job.dollars for job in details)),
        text_format.joules(sum(job.joules for job in details)),
        style="bold",
    )
    return result


def _jobs(folder: Path, images: Path | None) -> list[files.JobInput]:
    if images is None:
        return files.read(HERE / "demo.yaml")
    (folder / "photographs").symlink_to(images.resolve())
    return files.read(HERE / "demo-photographs.yaml", base=folder)


def _watch(client: Client, jobs: Sequence[JobHandle]) -> None:
    """Show the jobs until all have ended: as a live table, or a line a change if nobody looks."""
    console = out()
    end = time.monotonic() + TIMEOUT_S
    by_id = {job.id: job for job in jobs}
    with Live(console=console, auto_refresh=False, transient=True) as live:
        last = 0
        while not all(job.done for job in jobs) and time.monotonic() < end:
            for fresh in client.jobs(project="demo"):
                by_id[fresh.id].info = fresh.info
            if console.is_terminal:
                live.update(jobs_table([job.info for job in jobs]), refresh=True)
            for event in client.events(after=last):
                last = event.seq
                if not console.is_terminal:
                    name = by_id[event.job].name
                    print(f"{text_format.moment(event.time)} {name}: {event.name} {event.reason}")
            time.sleep(0.5)


def _reason(job: JobHandle) -> str:
    """Of the decision that started it."""
    started = [one for one in job.explain().decisions if one.action in ("start", "backfill")]
    return started[0].reason if started else "has not started"


def _outcome(job: JobDetail) -> str:
    metrics = (job.result or {}).get("metrics") or {}
    parts = []
    if "accuracy" in metrics:
        parts.append(f"accuracy {text_format.share(metrics['accuracy'])}")
    if "images_per_s" in metrics:
        parts.append(f"{metrics['images_per_s']:.0f} images/s")
    if job.attempts > 1:
        parts.append(f"{job.attempts} attempts")
    if job.deadline is not None and job.finished_at is not None and job.state == "SUCCEEDED":
        parts.append("in time" if job.finished_at <= job.deadline else "[red]too late[/]")
    return ", ".join(parts) or "–"


def _complaints(details: Sequence[JobDetail], dataset: str) -> list[str]:
    found = []
    for job in details:
        tries = [attempt.state.value for attempt in job.history]
        intended = ["FAILED", "SUCCEEDED"] if job.name == "fails-once" else ["SUCCEEDED"]
        if tries != intended:
            found.append(f"job {job.id} ({job.name}) {job.state}: {job.reason}; tries {tries}")
        elif job.name == "cnn" and job.result is not None:
            accuracy = job.result["metrics"]["accuracy"]
            if accuracy < LEAST_ACCURACY[dataset]:
                found.append(f"job {job.id} ({job.name}): accuracy {accuracy:.3f}")
    return found


if __name__ == "__main__":
    sys.exit(main())
