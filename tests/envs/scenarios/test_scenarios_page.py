"""The table of scenarios in docs/workloads.md is held against their files."""

import re
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[3]


def test_the_table_names_every_scenario_with_its_reservations():
    page = (ROOT / "docs" / "workloads.md").read_text(encoding="utf-8")
    section = page.split("\n## Scenarios\n")[1].split("\n## ")[0]
    shown = re.findall(r"^\| `([^`]+)` \| .* \| `([^`]+)` \|$", section, re.MULTILINE)
    files = [
        tomllib.loads(file.read_text(encoding="utf-8"))
        for file in (ROOT / "envs" / "scenarios").glob("*.toml")
    ]
    assert sorted(shown) == sorted((file["name"], file["reservations"]) for file in files)
