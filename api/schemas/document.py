"""The JSON schema of a job file, published in `docs/job.schema.json`."""

from __future__ import annotations

import json
from typing import Any

from pydantic import TypeAdapter

from api.schemas.groups.sweep_requests import SweepJobIn
from api.schemas.jobs import JobBatchIn, JobIn

TITLE = "Fulcrum job"


def document() -> dict[str, Any]:
    """JSON schema (draft 2020-12) of a job file: one job, a sweep, a list of jobs, or `jobs:`.

    With `defaults:` beside `jobs:` each job is laid over them, so each alone need not be whole.
    """
    schema = TypeAdapter(JobIn | SweepJobIn | list[JobIn] | JobBatchIn).json_schema()
    schema["anyOf"].append(
        {
            "type": "object",
            "properties": {
                "defaults": {"type": "object"},
                "jobs": {"type": "array", "items": {"type": "object"}, "minItems": 1},
            },
            "required": ["defaults", "jobs"],
            "additionalProperties": False,
        }
    )
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": TITLE,
        "description": "One job, or several that are submitted together.",
        **schema,
    }


def text() -> str:
    """The document as it is published."""
    return json.dumps(document(), indent=2, ensure_ascii=False) + "\n"
