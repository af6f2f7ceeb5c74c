"""The shipped policy is small, and what `make policy` would train again."""

import shlex
from dataclasses import asdict
from pathlib import Path

from agents.serving.artifact import read
from agents.training.config import of
from api.cli.support.training_options import training_values

ROOT = Path(__file__).parents[3]
SHIPPED = ROOT / "agents" / "registry" / "shipped" / "fulcrum"


def made():
    """The options of the recipe, by name; `--set` are several."""
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    recipe = makefile.split("\npolicy: ")[1].split("\n\n")[0].replace("\\\n", " ")
    words = shlex.split(recipe[recipe.index("--scenario") :])
    given = list(zip(words[::2], words[1::2], strict=True))
    options = {name: value for name, value in given if name != "--set"}
    assert set(options) == {"--scenario", "--algo", "--steps", "--seed"}
    return options, [value for name, value in given if name == "--set"]


def test_the_recipe_is_what_the_shipped_policy_was_trained_with():
    options, sets = made()
    own = {name: options[f"--{name}"] for name in ("scenario", "algo", "steps", "seed")}
    own |= {name: int(own[name]) for name in ("steps", "seed")}
    values, _ = training_values(own, None, sets)
    recipe = of(values)
    manifest = read(SHIPPED).manifest
    # Hyper-parameters that came later have their defaults in both.
    assert asdict(recipe) == asdict(of(manifest.config))
    assert (manifest.seed, manifest.scenario) == (recipe.seed, recipe.scenario)


def test_what_is_shipped_is_below_1_mb():
    assert sum(file.stat().st_size for file in SHIPPED.parent.rglob("*") if file.is_file()) < 10**6
