"""A virtual environment that holds what `pip install fulcrum-scheduler` would install, no more."""

from __future__ import annotations

import re
import sys
import tomllib
import venv
from importlib.metadata import distribution
from pathlib import Path

from packaging.requirements import Requirement

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("agents", "api", "envs", "fulcrum", "scheduler")


def light_install(folder: Path) -> Path:
    """Make the environment in `folder` out of links to what is installed here; its interpreter.

    No package index is asked: the requirements of a plain install are followed through the
    metadata of the distributions in this environment.
    """
    venv.create(folder, with_pip=False)
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    site = folder / "lib" / version / "site-packages"
    for name in PACKAGES:
        (site / name).symlink_to(ROOT / name)
    for name in closure():
        found = distribution(name)
        tops = {file.parts[0] for file in found.files or ()} - {"..", "__pycache__"}
        for top in tops:
            (site / top).symlink_to(str(found.locate_file(top)))
    return folder / "bin" / "python"


def closure() -> set[str]:
    """The names of all distributions that a plain install has, itself left out."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    names: set[str] = set()
    waiting = list(project["dependencies"])
    while waiting:
        required = Requirement(waiting.pop())
        name = re.sub(r"[-_.]+", "-", required.name).lower()
        if name in names or not (
            required.marker is None or required.marker.evaluate({"extra": ""})
        ):
            continue
        names.add(name)
        waiting += distribution(name).requires or ()
    return names
