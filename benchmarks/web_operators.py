"""Where ONNX Runtime spends the time of a picture in a browser tab: each kind of operator, and natively.

`python -m benchmarks.web_operators`: every node of a style's network becomes a model of its own, fed with the shapes of
a picture of 256x256, and runs with one thread in both engines, which are told to leave nothing out. Processor time, the
least of 8 runs. Writes results/web_operators.json and the table in docs/web.md; with `--page` only the table.
"""

import json
import re
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

from anime_model.metrics.latency import cpu_name, instruction_set
from anime_model.runtime.models import find_model

RESULTS, PAGE = Path("results/web_operators.json"), Path("docs/web.md")
STYLE, SIDE, RUNS = "shinkai", 256, 8
BLOCK = re.compile(r"(<!-- results: results/web_operators.json .*?-->\n)(.*?)(<!-- end of results -->)", re.DOTALL)
FREE = {"Cast", "Mul", "Shape", "Slice"}  # done once as the file is loaded, or views


def main() -> None:
    if "--page" not in sys.argv[1:]:
        RESULTS.write_text(json.dumps(measured(), indent=1) + "\n")
    found = json.loads(RESULTS.read_text())
    PAGE.write_text(filled(PAGE.read_text(), found))
    print(table(found))


def measured() -> dict:
    nodes = single_nodes(onnx.load(find_model(STYLE)))
    with tempfile.TemporaryDirectory() as folder:
        for i, (_, _, model, shapes) in enumerate(nodes):
            (Path(folder) / f"{i}.onnx").write_bytes(model)
            (Path(folder) / f"{i}.json").write_text(json.dumps(shapes))
        said = subprocess.run(
            ["node", "test/operators.mjs", folder], cwd="web", check=True, stdout=subprocess.PIPE, text=True
        )
    native = [native_ms(model, shapes) for _, _, model, shapes in nodes]
    kinds = defaultdict(lambda: {"nodes": 0, "macs": 0, "wasm_ms": 0.0, "native_ms": 0.0})
    for (kind, macs, _, _), wasm, here in zip(nodes, json.loads(said.stdout), native, strict=True):
        for key, value in {"nodes": 1, "macs": macs, "wasm_ms": wasm, "native_ms": here}.items():
            kinds[kind][key] += value
    machine = {"cpu": cpu_name(), "instruction_set": instruction_set()}
    return {"style": STYLE, "side": SIDE, "runs": RUNS, "kinds": dict(kinds)} | machine


def single_nodes(model: onnx.ModelProto) -> list[tuple[str, int, bytes, dict]]:
    """Of every node that does work: its kind, multiply-adds, a model of it alone, and its inputs' shapes."""
    values = all_values(model)
    constant = {each.name: numpy_helper.to_array(each) for each in model.graph.initializer}
    made_early = {name for node in model.graph.node if node.op_type in {"Cast", "Mul"} for name in node.output}
    found = []
    for node in model.graph.node:
        if node.op_type in FREE:
            continue
        fixed = {
            name: constant.get(name, values.get(name)) for name in node.input if name in constant.keys() | made_early
        }
        shapes = {name: list(values[name].shape) for name in node.input if name and name not in fixed}
        output = list(values[node.output[0]].shape)
        found.append((*kind_of(node, fixed, output), alone(node, fixed, shapes, output), shapes))
    return found


def all_values(model: onnx.ModelProto) -> dict[str, np.ndarray]:
    """What every node of a network makes of a picture of noise, by name."""
    probe = onnx.ModelProto()
    probe.CopyFrom(model)
    known = {each.name for each in probe.graph.output}
    names = [name for node in probe.graph.node for name in node.output]
    probe.graph.output.extend(helper.make_empty_tensor_value_info(name) for name in names if name not in known)
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = onnxruntime.InferenceSession(probe.SerializeToString(), options, providers=["CPUExecutionProvider"])
    photo = np.random.default_rng(0).uniform(-1, 1, (1, 3, SIDE, SIDE)).astype(np.float32)
    wanted = [each.name for each in session.get_outputs()]
    return {"photo": photo} | dict(zip(wanted, session.run(wanted, {"photo": photo}), strict=True))


def kind_of(node: onnx.NodeProto, fixed: dict, output: list[int]) -> tuple[str, int]:
    """The row of the table that a node counts for, and its multiply-adds."""
    if node.op_type != "Conv":
        return ("activations" if node.op_type in {"Relu", "Tanh"} else "resize, add, depth to space"), 0
    weight = next(value for value in fixed.values() if value.ndim == 4)
    macs = int(np.prod(output) * np.prod(weight.shape[1:]))
    if weight.shape[1] == 1 and weight.shape[0] > 1:
        return "depthwise 3x3", macs
    return ("pointwise 1x1" if weight.shape[2] == 1 else "full 7x7 and 3x3"), macs


def alone(node: onnx.NodeProto, fixed: dict, shapes: dict, output: list[int]) -> bytes:
    """A model of one node."""
    inputs = [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in shapes.items()]
    outputs = [helper.make_tensor_value_info(node.output[0], TensorProto.FLOAT, output)]
    weights = [numpy_helper.from_array(value, name) for name, value in fixed.items()]
    graph = helper.make_graph([node], "one", inputs, outputs, weights)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10).SerializeToString()


def native_ms(model: bytes, shapes: dict) -> float:
    """Milliseconds of processor time, one thread."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    feeds = {name: np.sin(np.arange(np.prod(shape), dtype=np.float32)).reshape(shape) for name, shape in shapes.items()}
    times = []
    for _ in range(RUNS):
        start = time.process_time()
        session.run(None, feeds)
        times.append(1000 * (time.process_time() - start))
    return min(times)


def filled(page: str, found: dict) -> str:
    """docs/web.md with the table of its results file."""
    if not BLOCK.search(page):
        raise SystemExit(f"error: {PAGE} has no block for {RESULTS}")
    return BLOCK.sub(lambda match: match[1] + table(found) + match[3], page)


def table(found: dict) -> str:
    """Markdown: a row for each kind of operator, the slowest in a tab first, the protocol below."""
    kinds = found["kinds"]
    whole = {key: sum(kind[key] for kind in kinds.values()) for key in ("nodes", "macs", "wasm_ms", "native_ms")}
    rows = [*sorted(kinds.items(), key=lambda item: -item[1]["wasm_ms"]), ("all", whole)]
    lines = [
        "| operators | nodes | GMAC | ONNX Runtime Web | native | times |",
        "| --- | --: | --: | --: | --: | --: |",
    ]
    for name, row in rows:
        cells = [f"{row['wasm_ms']:.1f} ms", f"{row['native_ms']:.1f} ms", f"{row['wasm_ms'] / row['native_ms']:.1f}"]
        lines.append(f"| {name} | {row['nodes']} | {row['macs'] / 1e9:.2f} | {' | '.join(cells)} |")
    return "\n".join(lines) + (
        f"\n\n`python -m benchmarks.web_operators`: every node of `{found['style']}` alone, a picture of "
        f"{found['side']} x {found['side']}, one thread, processor time, the least of {found['runs']} runs; "
        f"{found['cpu']} ({found['instruction_set']}).\n"
    )


if __name__ == "__main__":
    main()
