"""NumPy and ONNX Runtime, for the interpreter in cpu-benchmark.

`make(name, case, threads)` gets the addresses of a case's arrays as JSON and returns an object with
`run(copy)`, `store()`, `has_results` and `label`, or None if the contender has nothing for the case.
"""

import ctypes
import json

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper

TYPES = {"f32": np.float32, "f64": np.float64}


def versions():
    blas = np.show_config(mode="dicts")["Build Dependencies"]["blas"]
    return json.dumps({"numpy": np.__version__,
                       "numpy_blas": blas.get("openblas configuration", blas["name"]),
                       "onnxruntime": onnxruntime.__version__})


class Case:
    """The arrays of a case, where the benchmark has them."""

    def __init__(self, text):
        fields = json.loads(text)
        self.op, self.wrt = fields["op"], fields["wrt"]
        self.heads, self.kv_heads = fields["heads"], fields["kv_heads"]
        self.head_dim = fields["head_dim"]
        self.type = TYPES[fields["type"]]
        self.arrays = {name: self._array(entry) for name, entry in fields["arrays"].items()}
        self.weights = [self._array(entry) for entry in fields["weights"]]

    def _array(self, entry):
        count = int(np.prod(entry["shape"]))
        memory = (ctypes.c_char * (count * np.dtype(self.type).itemsize)).from_address(entry["address"])
        return np.frombuffer(memory, self.type).reshape(entry["shape"])

    @property
    def is_qkv(self):
        return self.op.startswith("fused_qkv")

    @property
    def results(self):
        if self.wrt:
            return [f"d_{name}" for name in self.wrt]
        return ["query", "key", "value"] if self.is_qkv else ["output"]


# The ops as a user of NumPy writes them; arrays are contiguous in the end, as ours are.

def split_heads(x, heads):
    batch, tokens, width = x.shape
    return np.ascontiguousarray(x.reshape(batch, tokens, heads, width // heads).transpose(0, 2, 1, 3))


def merge_heads(x):
    batch, heads, tokens, head_dim = x.shape
    return x.transpose(0, 2, 1, 3).reshape(batch, tokens, heads * head_dim)


def fused_qkv(x, weight, bias, heads, kv_heads, head_dim):
    qkv = x @ weight.T
    if bias is not None:
        qkv += bias
    query, key, value = np.split(qkv, [heads * head_dim, (heads + kv_heads) * head_dim], axis=-1)
    return split_heads(query, heads), split_heads(key, kv_heads), split_heads(value, kv_heads)


def out_proj_residual(attn, weight, bias, residual):
    out = attn @ weight.T
    if bias is not None:
        out += bias
    out += residual
    return (out,)


def gradients(d_y, x, weight, wrt):
    """Gradients of `x @ weight.T + bias`."""
    d_rows, rows = d_y.reshape(-1, d_y.shape[-1]), x.reshape(-1, x.shape[-1])
    compute = {"input": lambda: (d_rows @ weight).reshape(x.shape),
               "weight": lambda: d_rows.T @ rows,
               "bias": lambda: d_rows.sum(axis=0)}
    return tuple(compute[name]() for name in wrt)


class NumPy:
    has_results = True
    label = ""

    def __init__(self, case):
        self.case = case
        self.last = ()

    def run(self, copy):
        case, a = self.case, self.case.arrays
        weight = case.weights[copy % len(case.weights)]
        if not case.wrt and case.is_qkv:
            self.last = fused_qkv(a["input"], weight, a.get("bias"), case.heads, case.kv_heads, case.head_dim)
        elif not case.wrt:
            self.last = out_proj_residual(a["input"], weight, a.get("bias"), a["residual"])
        else:
            d_y = a["d_output"] if not case.is_qkv else np.concatenate(
                [merge_heads(a[name]) for name in ("d_query", "d_key", "d_value")], axis=-1)
            self.last = gradients(d_y, a["input"], weight, case.wrt)

    def store(self):
        for name, value in zip(self.case.results, self.last):
            np.copyto(self.case.arrays[name], value)


# ONNX Runtime: sessions with a constant weight each, which it packs when they are made.

def projection_graph(case):
    """The op as exporters write it: MatMul, Add, Split, Reshape and Transpose."""
    a = case.arrays
    nodes = [helper.make_node("MatMul", ["input", "weight"], ["product"])]
    last = "product"
    if "bias" in a:
        nodes.append(helper.make_node("Add", [last, "bias"], ["biased"]))
        last = "biased"
    if not case.is_qkv:
        nodes.append(helper.make_node("Add", [last, "residual"], ["output"]))
        return nodes, ["input", "residual"], {}
    constants = {"sizes": np.array([case.heads, case.kv_heads, case.kv_heads], np.int64) * case.head_dim}
    nodes.append(helper.make_node("Split", [last, "sizes"], ["q", "k", "v"], axis=-1))
    for short, name in zip("qkv", ("query", "key", "value")):
        heads = case.heads if short == "q" else case.kv_heads
        constants[f"shape_{short}"] = np.array([0, 0, heads, case.head_dim], np.int64)
        nodes.append(helper.make_node("Reshape", [short, f"shape_{short}"], [f"{short}4"]))
        nodes.append(helper.make_node("Transpose", [f"{short}4"], [name], perm=[0, 2, 1, 3]))
    return nodes, ["input"], constants


class OnnxRuntime:
    """`nodes` with inputs and outputs that are bound to arrays: nothing is copied."""

    def __init__(self, case, threads, nodes, inputs, outputs, constants=None):
        self.has_results = all(value is case.arrays.get(name) for name, value in outputs.items())
        self.label = onnxruntime.__version__
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        # Threads that go on spinning after a run would slow the next contender.
        options.add_session_config_entry("session.force_spinning_stop", "1")
        uses_weight = any("weight" in node.input for node in nodes)
        self.kept, self.sessions = (inputs, outputs), []
        transposed = np.ascontiguousarray(case.weights[0].T) if uses_weight else None
        # A session for each copy of the weight, up to a number: they take long to make.
        for _ in range(min(len(case.weights), 16) if uses_weight else 1):
            model = self.model(case, nodes, inputs, outputs, constants or {}, transposed)
            self.sessions.append(self.bind(onnxruntime.InferenceSession(model, options, ["CPUExecutionProvider"]),
                                           case, inputs, outputs))

    @staticmethod
    def model(case, nodes, inputs, outputs, constants, weight):
        element = helper.np_dtype_to_tensor_dtype(np.dtype(case.type))
        constants = {name: onnx.numpy_helper.from_array(value, name) for name, value in constants.items()}
        if weight is not None:
            constants["weight"] = onnx.numpy_helper.from_array(weight, "weight")
        if "bias" in case.arrays and any("bias" in node.input for node in nodes):
            constants["bias"] = onnx.numpy_helper.from_array(case.arrays["bias"], "bias")

        def info(names):
            return [helper.make_tensor_value_info(name, element, value.shape) for name, value in names.items()]

        graph = helper.make_graph(nodes, "projection", info(inputs), info(outputs), list(constants.values()))
        return helper.make_model(graph, ir_version=10, opset_imports=[
            helper.make_opsetid("", 21), helper.make_opsetid("com.microsoft", 1)]).SerializeToString()

    @staticmethod
    def bind(session, case, inputs, outputs):
        binding = session.io_binding()
        for bound, arrays in ((binding.bind_input, inputs), (binding.bind_output, outputs)):
            for name, value in arrays.items():
                bound(name, "cpu", 0, case.type, value.shape, value.ctypes.data)
        return session, binding

    def run(self, copy):
        session, binding = self.sessions[copy % len(self.sessions)]
        session.run_with_iobinding(binding)

    def store(self):
        pass


def make_projection(case, threads):
    nodes, inputs, constants = projection_graph(case)
    arrays = case.arrays
    return OnnxRuntime(case, threads, nodes, {name: arrays[name] for name in inputs},
                       {name: arrays[name] for name in case.results}, constants)


def make_attention(case, threads, fused):
    """ONNX Runtime's Attention projects and attends in one op; less the time of MultiHeadAttention, which
    attends only, that is its projection. Both have equal heads; results are those of attention, unchecked."""
    if not case.is_qkv or case.heads != case.kv_heads or "bias" not in case.arrays:
        return None
    x = case.arrays["input"]
    if fused:
        node = helper.make_node("Attention", ["input", "weight", "bias"], ["context"],
                                domain="com.microsoft", num_heads=case.heads)
        return OnnxRuntime(case, threads, [node], {"input": x}, {"context": np.empty_like(x)})
    node = helper.make_node("MultiHeadAttention", ["input", "key", "value"], ["context"],
                            domain="com.microsoft", num_heads=case.heads)
    inputs = {"input": x, "key": np.copy(x), "value": np.copy(x)}
    return OnnxRuntime(case, threads, [node], inputs, {"context": np.empty_like(x)})


def make(name, text, threads):
    case = Case(text)
    if name == "numpy":
        return NumPy(case)
    if case.wrt or case.type != np.float32:
        return None
    if name == "onnxruntime":
        return make_projection(case, threads)
    return make_attention(case, threads, fused=name == "onnxruntime_attention")
