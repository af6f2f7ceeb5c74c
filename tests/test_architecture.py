"""The packages' layout: who may import whom, how large a package is, one meaning per class name.

The import rules are the contracts of `[tool.importlinter]` in pyproject.toml. Each contract is
checked twice: it holds for the product, and it breaks once a forbidden import is planted.
"""

from __future__ import annotations

import ast
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping
from copy import deepcopy
from pathlib import Path

import grimp
import pytest
from importlinter.api import read_configuration
from importlinter.contracts.acyclic_siblings import AcyclicSiblingsContract
from importlinter.contracts.forbidden import ForbiddenContract
from importlinter.contracts.layers import LayersContract
from importlinter.domain.contract import Contract

ROOT = Path(__file__).parents[1]
PACKAGES = ("scheduler", "envs", "agents", "api", "benchmarks")
PRODUCT = [ROOT / name for name in (*PACKAGES, "fulcrum")]
DOCUMENTS = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *(ROOT / "docs").rglob("*.md")]
MODULE = re.compile(
    rf"(?<![\w/.-])(?:{'|'.join(PACKAGES)})(?:/[a-z_0-9]+)+(?:\.py)?(?![\w/*.-]*[\w/*])"
)
DOTTED = re.compile(rf"(?<![\w/.-])(?:{'|'.join(PACKAGES)})(?:\.(?!md\b)\w+)+")
MOST_MODULES = 14
"""Modules of one package, its `__init__` included."""

CONFIGURATION = read_configuration(str(ROOT / "pyproject.toml"))
CONTRACTS = {options["name"]: options for options in CONFIGURATION["contracts_options"]}
KINDS: Mapping[str, type[Contract]] = {
    "layers": LayersContract,
    "forbidden": ForbiddenContract,
    "acyclic_siblings": AcyclicSiblingsContract,
}

PLANTED = {
    "Top-level packages stand in layers": ("scheduler.service.service", "agents.registry.registry"),
    "No sibling modules or packages import each other in a circle": (
        "scheduler.decisions.state.world",
        "scheduler.decisions.state.snapshot",
    ),
    "scheduler: packages stand in layers": (
        "scheduler.estimates.options",
        "scheduler.policies.lookup",
    ),
    "scheduler.decisions: kernel, state, preemption, rounds, then features and search": (
        "scheduler.decisions.rounds.round",
        "scheduler.decisions.features.encoder",
    ),
    "scheduler.service: packages stand in layers": (
        "scheduler.service.dispatch.dispatcher",
        "scheduler.service.queries.explain",
    ),
    "Only bootstrap chooses concrete stores and executors": (
        "scheduler.service.service",
        "scheduler.store.sql.store",
    ),
    "Only the bridge to Ray and its actors import Ray": (
        "scheduler.executors.ray.transport",
        "ray",
    ),
    "Deciding is free of I/O": ("scheduler.decisions.rounds.round", "scheduler.files"),
    "The service needs no simulator and no learning library": (
        "scheduler.service.service",
        "simpy",
    ),
    "Only workloads use torch": ("scheduler.service.service", "scheduler.workloads.train"),
    "envs: packages stand in layers": (
        "envs.simulator.simulation",
        "envs.gym.cluster_env",
    ),
    "envs take pure packages, hardware figures and the store's port from scheduler": (
        "envs.workloads.traces.history",
        "scheduler.store.sql.store",
    ),
    "The simulator needs no learning library": ("envs.gym.cluster_env", "torch"),
    "agents: packages stand in layers": (
        "agents.evaluation.compare",
        "agents.training.trainer",
    ),
    "A learned policy decides without torch and without a simulator": (
        "agents.serving.artifact",
        "envs.simulator.simulation",
    ),
    "api: packages stand in layers": ("api.http.app", "api.cli.main"),
    "The HTTP service starts trainings as jobs and imports none of them": (
        "api.http.app",
        "agents.training.trainer",
    ),
    "fulcrum is the client and the command line": ("fulcrum.packages", "scheduler.settings"),
}
"""Per contract an import that it forbids: importer and imported module."""


@pytest.fixture(scope="module")
def graph() -> grimp.ImportGraph:
    session = CONFIGURATION["session_options"]
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(ROOT))
        return grimp.build_graph(
            *session["root_packages"],
            include_external_packages=session["include_external_packages"] == "True",
            cache_dir=None,
        )


@pytest.mark.parametrize("name", CONTRACTS)
def test_import_contract_holds(name: str, graph: grimp.ImportGraph) -> None:
    assert _kept(name, graph), "lint-imports shows the imports that are not allowed"


@pytest.mark.parametrize("name", CONTRACTS)
def test_import_contract_breaks_on_a_forbidden_import(name: str, graph: grimp.ImportGraph) -> None:
    importer, imported = PLANTED[name]
    planted = deepcopy(graph)
    assert {importer, imported} <= planted.modules
    planted.add_import(importer=importer, imported=imported)
    assert not _kept(name, planted)


def test_no_package_has_too_many_modules() -> None:
    sizes = {
        str(folder.relative_to(ROOT)): len(list(folder.glob("*.py")))
        for product in PRODUCT
        for folder in (product, *product.rglob("*/"))
    }
    assert {folder: size for folder, size in sizes.items() if size > MOST_MODULES} == {}


def test_agents_keeps_its_modules_in_packages() -> None:
    assert len(list((ROOT / "agents").glob("*.py"))) <= 3


def test_no_class_name_is_used_twice() -> None:
    places = defaultdict(list)
    for path, tree in _trees():
        for node in ast.walk(tree):
            if isinstance(node, ast.ClassDef):
                places[node.name].append(str(path.relative_to(ROOT)))
    assert {name: found for name, found in places.items() if len(found) > 1} == {}


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_documents_name_modules_that_exist(document: Path) -> None:
    text = document.read_text()
    missing = [path for path in MODULE.findall(text) if not (ROOT / path).exists()]
    missing += [name for name in DOTTED.findall(text) if not _exists(name)]
    assert missing == []


def _kept(name: str, graph: grimp.ImportGraph) -> bool:
    options = CONTRACTS[name]
    contract = KINDS[options["type"]](name, CONFIGURATION["session_options"], options)
    return contract.check(deepcopy(graph), verbose=False).kept


def _trees() -> Iterator[tuple[Path, ast.Module]]:
    for product in PRODUCT:
        for path in product.rglob("*.py"):
            yield path, ast.parse(path.read_text())


def _exists(dotted: str) -> bool:
    """Whether a dotted name is a module, or a name that a module mentions."""
    module, name = ROOT / dotted.replace(".", "/"), ""
    while not (module.is_dir() or module.with_suffix(".py").is_file()):
        module, name = module.parent, module.name
    if module == ROOT:
        return False
    source = module / "__init__.py" if module.is_dir() else module.with_suffix(".py")
    found = re.search(rf"\b{name}\b", source.read_text())
    return not name or found is not None
