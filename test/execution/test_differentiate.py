"""Values of `boostr-differentiate`.

Every function of differentiate.mlir, and the whole attention layers of
test/passes/differentiate/attention-layer.mlir, are compiled with their VJPs. In
f64 each gradient is compared, element by element, with central differences of the
function itself, weighted with random cotangents. In f32, f16 and bf16 it is
compared with the f64 gradient, within what rounding allows.
"""

import pathlib
import re

import boostr
import numpy as np
import pytest

HERE = pathlib.Path(__file__).resolve().parent
RULES = HERE / "differentiate.mlir"
LAYERS = HERE.parent / "passes" / "differentiate" / "attention-layer.mlir"

# What stands for a dynamic dimension.
EXTENT = 3
STEP = 1e-6
TOLERANCE = 1e-7

# Arguments lie between 0.3 and 1.3, where every op is smooth; but where signs
# matter, around zero.
AROUND_ZERO = {"choose", "reduce_max", "reduce_min"}

# Relative (Frobenius) errors allowed where nothing but the last rounding, and
# where each of a few ops rounds.
ROUNDINGS = {"f32": (1e-6, 1e-5), "f16": (6e-4, 6e-3), "bf16": (5e-3, 6e-2)}
# One contraction or sum: accumulated in f32 and rounded once.
ROUNDED_ONCE = {
    "matmul", "matmul_transposed", "matmul_square", "batch_matmul",
    "batch_matmul_transposed", "contract", "contract_broadcast", "fill", "movement",
    "reduce_all", "reduce_max", "fused_qkv", "fused_qkv_key", "out_proj_residual"}
# Goes through f32 on purpose.
NOT_REWRITTEN = {"precision"}


def signatures(path):
    """The public functions of a file: name -> shapes of arguments, number of results."""
    found = {}
    pattern = r"(?m)^func\.func @(\w+)\((.*?)\) -> (.*?)\s+attributes \{boostr\.differentiate\} \{$"
    for name, arguments, results in re.findall(pattern, path.read_text(), re.S):
        shapes = [tuple(EXTENT if extent == "?" else int(extent) for extent in tensor.split("x")[:-1])
                  for tensor in re.findall(r"tensor<([^>]*)>", arguments)]
        found[name] = shapes, len(re.findall(r"tensor<", results))
    assert found, f"no functions in {path}"
    return found


CASES = [(path, name) for path in (RULES, LAYERS) for name in signatures(path)]


def call(module, name, arrays):
    results = getattr(module, name)(*arrays)
    return list(results) if isinstance(results, (tuple, list)) else [results]


def draw(name, shapes):
    """Arguments which bf16 represents, so that all element types see the same."""
    rng = np.random.default_rng(sum(name.encode()))
    low, high = (-1.0, 1.0) if name in AROUND_ZERO else (0.3, 1.3)
    return [from_bf16(to_bf16(rng.uniform(low, high, shape))) for shape in shapes], rng


def to_bf16(values):
    bits = np.asarray(values, np.float32).view(np.uint32)
    return np.asarray((bits + 0x7FFF + ((bits >> 16) & 1)) >> 16, np.uint16)


def from_bf16(array):
    """From bits, or from the type that ml_dtypes has for them."""
    wide = np.left_shift(array.view(np.uint16), 16, dtype=np.uint32)
    return np.asarray(wide.view(np.float32), np.float64)


@pytest.fixture(scope="module")
def modules():
    """Both files, compiled once for each element type that is asked for."""
    cache = {}

    def get(path, element):
        if (path, element) not in cache:
            text = path.read_text()
            infinity = {"f32": "0xFF800000", "f16": "0xFC00", "bf16": "0xFF80"}
            if element != "f64":
                for name in NOT_REWRITTEN:
                    text = re.sub(rf"(?ms)^func\.func @{name}\(.*?^}}\n", "", text)
                text = text.replace("0xFFF0000000000000", infinity[element])
                text = text.replace("f64", element)
            cache[path, element] = boostr.compile(text)
        return cache[path, element]

    return get


@pytest.mark.parametrize("path, name", CASES, ids=[name for _, name in CASES])
def test_finite_differences(modules, path, name):
    module = modules(path, "f64")
    shapes, num_results = signatures(path)[name]
    arguments, rng = draw(name, shapes)
    results = call(module, name, arguments)
    assert len(results) == num_results
    cotangents = [np.asarray(rng.uniform(-1.0, 1.0, result.shape)) for result in results]
    gradients = call(module, name + "_vjp", arguments + cotangents)
    assert len(gradients) == len(arguments)

    def loss():
        return sum((c * r).sum() for c, r in zip(cotangents, call(module, name, arguments)))

    for index, (argument, gradient) in enumerate(zip(arguments, gradients)):
        assert gradient.shape == argument.shape
        expected = np.zeros_like(argument)
        for element in np.ndindex(argument.shape):
            kept = argument[element]
            argument[element] = kept + STEP
            above = loss()
            argument[element] = kept - STEP
            below = loss()
            argument[element] = kept
            expected[element] = (above - below) / (2 * STEP)
        scale = max(1.0, np.abs(expected).max(initial=0.0))
        np.testing.assert_allclose(gradient, expected, rtol=0, atol=TOLERANCE * scale,
                                   err_msg=f"gradient of argument {index}")


@pytest.mark.parametrize("element", list(ROUNDINGS))
@pytest.mark.parametrize(
    "path, name", [case for case in CASES if case[1] not in NOT_REWRITTEN],
    ids=[name for _, name in CASES if name not in NOT_REWRITTEN])
def test_rounding(modules, path, name, element):
    shapes, _ = signatures(path)[name]
    arguments, rng = draw(name, shapes)
    exact = modules(path, "f64")
    cotangents = [from_bf16(to_bf16(rng.uniform(-1.0, 1.0, result.shape)))
                  for result in call(exact, name, arguments)]
    expected = call(exact, name + "_vjp", arguments + cotangents)

    encode = to_bf16 if element == "bf16" else np.dtype("f" + str(int(element[1:]) // 8)).type
    decode = from_bf16 if element == "bf16" else np.float64
    given = [np.asarray(encode(array)) for array in arguments + cotangents]
    gradients = call(modules(path, element), name + "_vjp", given)
    once, several = ROUNDINGS[element]
    for index, (gradient, exactly) in enumerate(zip(gradients, expected)):
        error = np.linalg.norm(decode(gradient) - exactly)
        allowed = once if name in ROUNDED_ONCE else several
        assert error <= allowed * np.linalg.norm(exactly), f"gradient of argument {index}"


def test_ties():
    """A maximum has one winner: the init, or else the first of the largest."""
    module = boostr.compile(
        """
        func.func @largest(%x: tensor<4x4xf64>, %i: tensor<4xf64>) -> tensor<4xf64>
            attributes {boostr.differentiate} {
          %y = linalg.reduce { arith.maxnumf } ins(%x : tensor<4x4xf64>)
              outs(%i : tensor<4xf64>) dimensions = [1]
          return %y : tensor<4xf64>
        }""")
    low, nan = -np.inf, np.nan
    x = np.array([[1.0, 3.0, 3.0, 2.0], [5.0, 0.0, 0.0, 0.0], [low] * 4, [nan, 2.0, nan, 1.0]])
    init = np.array([low, 5.0, low, nan])
    dx, dinit = call(module, "largest_vjp", [x, init, np.array([1.0, 2.0, 3.0, 4.0])])
    np.testing.assert_array_equal(
        dx, [[0, 1, 0, 0], [0, 0, 0, 0], [0, 0, 0, 0], [0, 4, 0, 0]])
    np.testing.assert_array_equal(dinit, [0, 2, 3, 0])


def test_no_tokens(modules):
    """Extents of zero: empty gradients of activations, zeros for weights."""
    module = modules(LAYERS, "f64")
    (x_shape, w_shape, wo_shape), _ = signatures(LAYERS)["causal_attention"]
    for shape in ((0, 3, x_shape[2]), (2, 0, x_shape[2])):
        x, w, wo = np.ones(shape), np.ones(w_shape), np.ones(wo_shape)
        (y,) = call(module, "causal_attention", [x, w, wo])
        dx, dw, dwo = call(module, "causal_attention_vjp", [x, w, wo, np.ones(y.shape)])
        assert dx.shape == shape
        assert not dw.any() and not dwo.any()
