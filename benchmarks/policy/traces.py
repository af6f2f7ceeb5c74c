"""The first half of KTH-SP2's log to learn from, so that the rest is there to test on.

    python -m benchmarks.policy.traces [--logs FOLDER]

Writes `kth-half.swf.gz` beside the scenario that names it; data is no part of the project, and
version control ignores it.
"""

from __future__ import annotations

import argparse
import gzip
import sys
from pathlib import Path

LOGS = Path(__file__).resolve().parents[2] / ".." / "shared/traces/swf"
FOLDER = Path(__file__).resolve().parent / "scenarios" / "traces"
LOG, PART = "KTH-SP2.swf.gz", FOLDER / "kth-half.swf.gz"
SHARE = 0.5
"""Of the log's jobs."""


def cut(log: Path, share: float, part: Path) -> int:
    """Write the first `share` of a log's jobs with its header; their number."""
    with gzip.open(log, "rt", encoding="utf-8", errors="replace") as file:
        lines = file.readlines()
    header = [line for line in lines if line.startswith(";")]
    jobs = [line for line in lines if line.strip() and not line.startswith(";")]
    kept = jobs[: round(share * len(jobs))]
    part.parent.mkdir(parents=True, exist_ok=True)
    with gzip.open(part, "wt", encoding="utf-8") as file:
        file.writelines(header + kept)
    return len(kept)


def main() -> int:
    """Exit code 1 if the log is missing."""
    parser = argparse.ArgumentParser(description="The first part of a public log, to learn from.")
    parser.add_argument("--logs", type=Path, default=LOGS, help="where the whole log is")
    log: Path = parser.parse_args().logs / LOG
    if not log.is_file():
        print(f"{log.name}: not in {log.parent}", file=sys.stderr)
        return 1
    print(f"{PART.name}: {cut(log, SHARE, PART):,} jobs")
    return 0


if __name__ == "__main__":
    sys.exit(main())
