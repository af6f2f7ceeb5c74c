"""First parts of public logs to learn from, so that the rest is there to test on.

    python -m benchmarks.policy.traces [--logs FOLDER]

Writes `kth-half.swf.gz` (half of KTH-SP2) and `lublin-65.swf.gz` (65 % of Lublin-1) beside the
scenarios that name them; data is no part of the project, and version control ignores them.
"""

from __future__ import annotations

import argparse
import gzip
import sys
from pathlib import Path

LOGS = Path(__file__).resolve().parents[2] / ".." / "shared/traces/swf"
FOLDER = Path(__file__).resolve().parent / "scenarios" / "traces"
PARTS = {"kth-half": ("KTH-SP2.swf.gz", 0.5), "lublin-65": ("lublin_256.swf.gz", 0.65)}
"""Name → (log, share of its jobs)."""


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
    """Exit code 1 if a log is missing."""
    parser = argparse.ArgumentParser(description="First parts of public logs, to learn from.")
    parser.add_argument("--logs", type=Path, default=LOGS, help="where the whole logs are")
    logs: Path = parser.parse_args().logs
    missing = [log for log, _ in PARTS.values() if not (logs / log).is_file()]
    if missing:
        print(f"{', '.join(missing)}: not in {logs}", file=sys.stderr)
        return 1
    for name, (log, share) in PARTS.items():
        part = FOLDER / f"{name}.swf.gz"
        print(f"{part.name}: {cut(logs / log, share, part):,} jobs")
    return 0


if __name__ == "__main__":
    sys.exit(main())
