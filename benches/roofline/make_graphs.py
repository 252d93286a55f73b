"""Makes the two graphs of the roofline bench: one matrix product each, in int8 as the model has it and in 32 bits.

    python benches/roofline/make_graphs.py

The matrix is made by an operator when the graph is loaded, so the files stay small. Needs the package `onnx`.
"""

from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

SIDE = 1536
FOLDER = Path(__file__).resolve().parent


def node(kind: str, inputs: list[str], outputs: list[str], **attributes) -> onnx.NodeProto:
    return helper.make_node(kind, inputs, outputs, **attributes)


def constant(name: str, value: np.ndarray) -> onnx.TensorProto:
    return numpy_helper.from_array(value, name)


def write(name: str, nodes: list[onnx.NodeProto], constants: list[onnx.TensorProto]) -> None:
    x = helper.make_tensor_value_info("x", TensorProto.FLOAT, ["rows", SIDE])
    y = helper.make_tensor_value_info("y", TensorProto.FLOAT, ["rows", SIDE])
    graph = helper.make_graph(nodes, name, [x], [y], constants)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    onnx.checker.check_model(model)
    onnx.save(model, FOLDER / f"{name}.onnx")


def matrix(value: np.ndarray) -> onnx.NodeProto:
    return node("ConstantOfShape", ["shape"], ["w"], value=numpy_helper.from_array(value))


shape = constant("shape", np.array([SIDE, SIDE]))
write("fp32", [matrix(np.array([0.5], np.float32)), node("MatMul", ["x", "w"], ["y"])], [shape])
write(
    "int8",
    [
        matrix(np.array([3], np.int8)),
        node("DynamicQuantizeLinear", ["x"], ["codes", "scale", "zero"]),
        node("MatMulInteger", ["codes", "w", "zero", "w_zero"], ["product"]),
        node("Cast", ["product"], ["cast"], to=TensorProto.FLOAT),
        node("Mul", ["scale", "w_scale"], ["scales"]),
        node("Mul", ["cast", "scales"], ["y"]),
    ],
    [shape, constant("w_zero", np.zeros(SIDE, np.int8)), constant("w_scale", np.ones(SIDE, np.float32))],
)
