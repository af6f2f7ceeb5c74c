"""`python -m api.schemas [--write]`: print the job file's JSON schema, or publish it."""

from __future__ import annotations

import sys
from pathlib import Path

from api.schemas.document import text

FILE = Path(__file__).resolve().parents[2] / "docs" / "job.schema.json"

if __name__ == "__main__":
    if "--write" in sys.argv[1:]:
        FILE.write_text(text(), encoding="utf-8")
    else:
        sys.stdout.write(text())
