"""In which order eight equal jobs start, live, under each policy of the service.

python -m benchmarks.priorities [--policies fcfs,wgc,…] [--json]

A service of its own runs on this machine. While one job holds all devices, eight equal ones arrive
one after another, of priorities 50, 0, 100, 20, 80, 50, 10 and 90; then they run one at a time.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from collections.abc import Iterator
from pathlib import Path

from api.client import Client
from api.local_service import private_service

PRIORITIES = (50, 0, 100, 20, 80, 50, 10, 90)
SETTINGS = {"FULCRUM_FIT": "false"}
HEED = ("priority", "wgc", "learned")
"""Policies that claim to heed priority: these names, and what begins so."""


def order(client: Client, policy: str) -> list[int]:
    """Priorities in the order of their starts."""
    client.use_policy(policy)
    devices = client.cluster().pools[0].count
    before = client.run("sleep", "600", width=str(devices))
    while before.refresh().state != "RUNNING":
        pass
    jobs = [client.run("true", priority=priority, width=str(devices)) for priority in PRIORITIES]
    before.cancel()
    for job in jobs:
        job.wait(600.0, check=True)
    placed = [job.attempts[0].placed_at for job in jobs]
    return [priority for _, priority in sorted(zip(placed, PRIORITIES, strict=True))]


def rows(policies: list[str] | None) -> Iterator[tuple[str, list[int]]]:
    """A line for each policy."""
    with (
        tempfile.TemporaryDirectory(prefix="fulcrum-bench-") as folder,
        private_service(Path(folder) / "data", SETTINGS) as client,
    ):
        for name in policies or [one.name for one in client.policies().policies]:
            yield name, order(client, name)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, prog="python -m benchmarks.priorities")
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--policies", metavar="NAMES", help="default: all that the service offers")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    found: dict[str, list[int]] = {}
    for name, starts in rows(options.policies and options.policies.split(",")):
        found[name] = starts
        if not options.json:
            heeds = name.startswith(HEED)
            good = starts == sorted(starts, reverse=True)
            print(f"{name:18} {' '.join(f'{one:3}' for one in starts)}  ", end="")
            print("by priority" if good else "NOT by priority" if heeds else "", flush=True)
    if options.json:
        print(json.dumps(found))


if __name__ == "__main__":
    main()
