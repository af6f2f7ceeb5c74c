"""The JSON schema of a job file, published in `docs/job.schema.json`."""

from __future__ import annotations

import json
from typing import Any

from pydantic import TypeAdapter

from api.schemas.jobs import JobBatchIn, JobIn

TITLE = "Fulcrum job"


def document() -> dict[str, Any]:
    """JSON schema (draft 2020-12) of a file with one job, or with `jobs:`, a list of several."""
    adapter: TypeAdapter[Any] = TypeAdapter(JobIn | JobBatchIn)
    schema = adapter.json_schema()
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": TITLE,
        "description": "One job, or `jobs`: several that are submitted together.",
        **schema,
    }


def text() -> str:
    """The document as it is published."""
    return json.dumps(document(), indent=2, ensure_ascii=False) + "\n"
