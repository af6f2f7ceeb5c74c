"""Weights → ONNX, node by node: no tracing, and the number of rows stays open."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from agents.serving.artifact import INPUT, OUTPUT
from agents.training.model.network import COLUMNS, GLOBALS, PADDING, PolicyNetwork

_OPSET = 18
_IR_VERSION = 10
"""Older than the newest, so that older runtimes read it as well."""


def serialized(graph: onnx.GraphProto) -> bytes:
    """A model with this graph, checked by onnx."""
    model = helper.make_model(
        graph,
        opset_imports=[helper.make_opsetid("", _OPSET)],
        ir_version=_IR_VERSION,
        producer_name="fulcrum",
    )
    onnx.checker.check_model(model)
    content: bytes = model.SerializeToString()
    return content


def exported(scorer: PolicyNetwork) -> bytes:
    """The network that maps (B, size(K)) to (B, K) for any K, checked by onnx."""
    graph = _Graph(scorer)
    rows = graph.of("Slice", INPUT, graph.ints(0), graph.ints(-GLOBALS), graph.ints(1))
    rows = graph.of("Reshape", rows, graph.ints(0, COLUMNS, -1))
    rows = graph.of("Transpose", rows, perm=[0, 2, 1])
    first = graph.of("Slice", rows, graph.ints(0), graph.ints(1), graph.ints(2))
    present = graph.of("Greater", first, graph.number(0.5))
    counts = graph.of("Cast", present, to=TensorProto.FLOAT)

    embedded = graph.relu(graph.linear(rows, "pooled.row.0"))
    embedded = graph.relu(graph.linear(embedded, "pooled.row.2"))
    counted = graph.of("Mul", embedded, counts)
    number = graph.of("ReduceSum", counts, graph.ints(1), keepdims=0)
    total = graph.of("ReduceSum", counted, graph.ints(1), keepdims=0)
    mean = graph.of("Div", total, graph.of("Max", number, graph.number(1.0)))
    most = graph.of("ReduceMax", counted, graph.ints(1), keepdims=0)
    overall = graph.of(
        "Slice", INPUT, graph.ints(-GLOBALS), graph.ints(np.iinfo(np.int64).max), graph.ints(1)
    )
    pooled = graph.of("Concat", mean, most, overall, axis=1)
    context = graph.relu(graph.linear(pooled, "pooled.context.0"))

    common = graph.of("Unsqueeze", graph.linear(context, "common"), graph.ints(1))
    both = graph.relu(graph.of("Add", graph.linear(embedded, "own"), common))
    scores = graph.of("Where", present, graph.linear(both, "score"), graph.number(PADDING))
    graph.of("Squeeze", scores, graph.ints(2), output=OUTPUT)
    return graph.model()


class _Graph:
    """Nodes in order, and the constants that they read."""

    def __init__(self, scorer: PolicyNetwork) -> None:
        self._weights = {
            name: value.detach().numpy().astype(np.float32)
            for name, value in scorer.state_dict().items()
        }
        self._nodes: list[onnx.NodeProto] = []
        self._constants: dict[str, onnx.TensorProto] = {}

    def of(self, operator: str, *inputs: str, output: str | None = None, **attributes: Any) -> str:
        name = output or f"{operator.lower()}_{len(self._nodes)}"
        self._nodes.append(helper.make_node(operator, inputs, [name], **attributes))
        return name

    def linear(self, values: str, layer: str) -> str:
        weight = self._constant(f"{layer}.weight", self._weights[f"{layer}.weight"].T)
        bias = self._constant(f"{layer}.bias", self._weights[f"{layer}.bias"])
        return self.of("Add", self.of("MatMul", values, weight), bias)

    def relu(self, values: str) -> str:
        return self.of("Relu", values)

    def ints(self, *values: int) -> str:
        return self._constant(f"ints_{values}", np.array(values, dtype=np.int64))

    def number(self, value: float) -> str:
        return self._constant(f"number_{value}", np.array(value, dtype=np.float32))

    def model(self) -> bytes:
        graph = helper.make_graph(
            self._nodes,
            "scores of rows",
            [helper.make_tensor_value_info(INPUT, TensorProto.FLOAT, ["batch", "size"])],
            [helper.make_tensor_value_info(OUTPUT, TensorProto.FLOAT, ["batch", "rows"])],
            list(self._constants.values()),
        )
        return serialized(graph)

    def _constant(self, name: str, value: NDArray[np.generic]) -> str:
        if name not in self._constants:
            self._constants[name] = numpy_helper.from_array(np.ascontiguousarray(value), name)
        return name
