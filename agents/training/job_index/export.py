"""A learned index as an artifact that is served as `learned:NAME`.

The ONNX model has two inputs, the columns of n jobs and their base indices, and the corrected
indices as its output. All weights are one constant, in the order in which the kernel reads them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from agents.evaluation.provenance import commit, versions
from agents.serving.artifact import (
    INDEX_WEIGHTS,
    INPUT,
    OUTPUT,
    ArtifactManifest,
    CurvePoint,
    Judged,
    digest,
    save,
)
from agents.training.job_index.run_state import IndexRun
from agents.training.job_index.settings import IndexSettings
from agents.training.model.onnx_export import serialized
from scheduler.compilation.columns import Floats32
from scheduler.decisions.features.digest import JOB_ENCODING
from scheduler.decisions.kernel.learned.job_features import CLUSTER_WIDTH, JOB_WIDTH
from scheduler.decisions.kernel.learned.job_index import size_of
from scheduler.decisions.rounds.modes import Mode
from scheduler.policies.learned_index import LearnedIndex

BASE_INPUT = "base"
"""Name of the second input."""
LIBRARIES = ("cmaes", "numpy", "onnx", "torch")
"""Their versions are in the manifest."""


@dataclass(frozen=True, slots=True)
class TrainedOn:
    """What a manifest says of the training beside its settings."""

    scenario: str
    digest: str
    mode: Mode
    command: str = ""


def export(
    folder: Path, policy: LearnedIndex, settings: IndexSettings, run: IndexRun, on: TrainedOn
) -> None:
    """Write `policy.onnx` into the folder."""
    weights = exported(policy.weights)
    means = [each["mean"] for each in run.validated]
    ratio = 1.0 + min(0.0, *means) if means else 1.0
    manifest = ArtifactManifest(
        sha256=digest(weights),
        encoding=JOB_ENCODING,
        rows=0,
        mode=str(on.mode),
        scenario=on.scenario,
        scenario_digest=on.digest,
        seed=settings.seed,
        steps=run.rounds,
        averaged=False,
        command=on.command,
        commit=commit(),
        versions=versions(LIBRARIES),
        config={"index": asdict(settings), "settings": run.settings},
        curve=[
            CurvePoint(
                steps=number,
                raw=Judged(mean=1.0 + each["mean"], at={}),
                **({"cpu_seconds": each["cpu_seconds"]} if "cpu_seconds" in each else {}),  # type: ignore[typeddict-item]
            )
            for number, each in enumerate(run.validated, 1)
        ],
        evaluation={"policy": Judged(mean=ratio, at={})},
        base=settings.base,
    )
    save(folder, weights, manifest)


def exported(weights: Floats32) -> bytes:
    """The model, checked by onnx: ((n, job and cluster columns), (n,)) → (n,)."""
    hidden = (len(weights) - size_of(0)) // (size_of(1) - size_of(0))
    sizes = (1, JOB_WIDTH, hidden, hidden, hidden * JOB_WIDTH, hidden * CLUSTER_WIDTH)
    ends = np.cumsum(sizes).tolist()
    constants = {INDEX_WEIGHTS: np.ascontiguousarray(weights, dtype=np.float32)}
    nodes: list[onnx.NodeProto] = []

    def ints(*values: int) -> str:
        name = "ints_" + "_".join(map(str, values))
        constants[name] = np.array(values, dtype=np.int64)
        return name

    def of(operator: str, *inputs: str, output: str = "", **attributes: Any) -> str:
        name = output or f"{operator.lower()}_{len(nodes)}"
        nodes.append(helper.make_node(operator, inputs, [name], **attributes))
        return name

    def part(at: int, *shape: int) -> str:
        first = ends[at] - sizes[at]
        values = of("Slice", INDEX_WEIGHTS, ints(first), ints(ends[at]), ints(0))
        return of("Reshape", values, ints(*shape))

    own = of("Slice", INPUT, ints(0), ints(JOB_WIDTH), ints(1))
    total = of("MatMul", own, part(1, JOB_WIDTH, 1))
    if hidden:
        whole = of("Slice", INPUT, ints(JOB_WIDTH), ints(JOB_WIDTH + CLUSTER_WIDTH), ints(1))
        inner = of("MatMul", own, of("Transpose", part(4, hidden, JOB_WIDTH), perm=[1, 0]))
        outer = of("MatMul", whole, of("Transpose", part(5, hidden, CLUSTER_WIDTH), perm=[1, 0]))
        units = of("Softsign", of("Add", of("Add", inner, outer), part(2, hidden)))
        total = of("Add", total, of("MatMul", units, part(3, hidden, 1)))
    correction = of("Mul", of("Squeeze", of("Softsign", total), ints(1)), part(0, 1))
    of("Add", BASE_INPUT, correction, output=OUTPUT)
    return _model(nodes, constants)


def _model(nodes: list[onnx.NodeProto], constants: Mapping[str, NDArray[Any]]) -> bytes:
    graph = helper.make_graph(
        nodes,
        "indices of jobs",
        [
            helper.make_tensor_value_info(INPUT, TensorProto.FLOAT, ["jobs", "columns"]),
            helper.make_tensor_value_info(BASE_INPUT, TensorProto.FLOAT, ["jobs"]),
        ],
        [helper.make_tensor_value_info(OUTPUT, TensorProto.FLOAT, ["jobs"])],
        [numpy_helper.from_array(values, name) for name, values in constants.items()],
    )
    return serialized(graph)
