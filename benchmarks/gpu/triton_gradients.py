"""Rivals written in Triton: the gradients, which read dQ, dK and dV where they lie.

Two kernels, one for the gradient of the input and one for those of weight and bias. Gradients in head layout
[batch, heads, tokens, dim] are read by descriptors of four dimensions (TMA), so that nothing is transposed or
concatenated; a gradient [tokens, rows], as of the output projection, is one head of `rows` dimensions. With one
token a batch, batches take the place of tokens, so that a tile has many of them. Tiles, stages and warps are
tuned for each shape.
"""

import triton
import triton.language as tl
from triton.tools.tensor_descriptor import TensorDescriptor

from triton_kernels import TOKEN_TILES, config, count_processors, launch, prune_by_tokens


@triton.jit
def _place(tile, rows, columns, GROUP: tl.constexpr):
    """Tiles of a group of rows follow each other, column by column, for the L2 cache."""
    group = tile // (GROUP * columns)
    size = min(rows - group * GROUP, GROUP)
    return group * GROUP + tile % (GROUP * columns) % size, tile % (GROUP * columns) // size


#===------------------------------------------------------------------------===#
# d_input[t, c] = sum over rows r of gradient[t, r] * weight[r, c]
#===------------------------------------------------------------------------===#

@triton.jit
def _add_rows(acc, gradient, weight, batch, token, first_row, column, ROWS: tl.constexpr, DIM: tl.constexpr,
              BM: tl.constexpr, BK: tl.constexpr):
    """Adds the products with ROWS rows of the weight from `first_row` on, those of one of dQ, dK, dV."""
    for step in range(ROWS // BK):
        k = step * BK
        a = gradient.load([batch, k // DIM, token, k % DIM]).reshape(BM, BK)
        acc = tl.dot(a, weight.load([first_row + k, column]), acc)
    return acc


def _set_input_blocks(a):
    for name in ("g0", "g1", "g2"):
        a[name].block_shape = [1, 1, a["BM"], a["BK"]]
    a["weight"].block_shape = [a["BK"], a["BN"]]


INPUT_CONFIGS = [config(*tile, _set_input_blocks) for tile in TOKEN_TILES]


@triton.autotune(configs=INPUT_CONFIGS, key=["batches", "tokens", "N", "HEADS", "KV_HEADS", "DIM"],
                 prune_configs_by={"early_config_prune": prune_by_tokens})
@triton.jit
def input_gradient_kernel(g0, g1, g2, weight, out, batches, tokens, N: tl.constexpr, HEADS: tl.constexpr,
                          KV_HEADS: tl.constexpr, DIM: tl.constexpr, BM: tl.constexpr, BN: tl.constexpr,
                          BK: tl.constexpr, GROUP: tl.constexpr):
    row_tiles = tl.cdiv(tokens, BM)
    rows, columns = batches * row_tiles, tl.cdiv(N, BN)
    # Fused with the loop over k, where there is one, so that loads of the next tile begin before this one ends.
    for tile in tl.range(tl.program_id(0), rows * columns, tl.num_programs(0), flatten=KV_HEADS == 0):
        m, n = _place(tile, rows, columns, GROUP)
        batch, token, column = m // row_tiles, m % row_tiles * BM, n * BN
        acc = tl.zeros((BM, BN), dtype=tl.float32)
        acc = _add_rows(acc, g0, weight, batch, token, 0, column, HEADS * DIM, DIM, BM, BK)
        if KV_HEADS:
            acc = _add_rows(acc, g1, weight, batch, token, HEADS * DIM, column, KV_HEADS * DIM, DIM, BM, BK)
            acc = _add_rows(acc, g2, weight, batch, token, (HEADS + KV_HEADS) * DIM, column, KV_HEADS * DIM, DIM,
                            BM, BK)
        t = token + tl.arange(0, BM)
        c = column + tl.arange(0, BN)
        place = (batch * tokens + t).to(tl.int64)[:, None] * N + c[None, :]
        tl.store(out + place, acc.to(out.dtype.element_ty), mask=(t < tokens)[:, None] & (c < N)[None, :])


#===------------------------------------------------------------------------===#
# d_weight[r, c] = sum over tokens t of gradient[t, r] * x[t, c]; d_bias[r] = sum over t of gradient[t, r]
#===------------------------------------------------------------------------===#

@triton.jit
def _add_tokens(acc, sums, gradient, x, head, dim, column, steps, tokens, SUM: tl.constexpr, BM: tl.constexpr,
                BN: tl.constexpr, BK: tl.constexpr):
    """Adds the products of `steps` pieces of tokens, and with SUM the sums of the gradient."""
    per_batch = tl.cdiv(tokens, BK)
    for step in range(steps):
        batch, token = step // per_batch, step % per_batch * BK
        a = gradient.load([batch, head, token, dim]).reshape(BK, BM)
        if SUM:
            sums += tl.sum(a.to(tl.float32), 0)
        acc = tl.dot(a.T, x.load([batch, token, column]).reshape(BK, BN), acc)
    return acc, sums


@triton.jit
def _add_segment(acc, sums, gradient, x, head, dim, column, steps, tokens, HAS_BIAS: tl.constexpr, BM: tl.constexpr,
                 BN: tl.constexpr, BK: tl.constexpr):
    """The sums come with the first column of tiles. Of the two loops one has no steps."""
    if HAS_BIAS:
        acc, sums = _add_tokens(acc, sums, gradient, x, head, dim, column, tl.where(column == 0, steps, 0), tokens, True,
                                BM, BN, BK)
        steps = tl.where(column == 0, 0, steps)
    acc, sums = _add_tokens(acc, sums, gradient, x, head, dim, column, steps, tokens, False, BM, BN, BK)
    return acc, sums


def _set_weight_blocks(a):
    for name in ("g0", "g1", "g2"):
        a[name].block_shape = [1, 1, a["BK"], a["BM"]]
    a["x"].block_shape = [1, a["BK"], a["BN"]]


WEIGHT_CONFIGS = [config(*tile, _set_weight_blocks) for tile in (
    (128, 256, 3, 8), (128, 256, 4, 8), (128, 128, 4, 8), (128, 128, 3, 4), (128, 64, 4, 4),
    (64, 256, 3, 4), (64, 256, 4, 4), (64, 128, 4, 4))]


def prune_by_heads(configs, arguments, **_):
    """A tile is a part of one head."""
    return [c for c in configs if arguments["DIM"] % c.kwargs["BM"] == 0]


@triton.autotune(configs=WEIGHT_CONFIGS, key=["batches", "tokens", "N", "HEADS", "KV_HEADS", "DIM"],
                 prune_configs_by={"early_config_prune": prune_by_heads})
@triton.jit
def weight_gradient_kernel(g0, g1, g2, x, out, bias, batches, tokens, N: tl.constexpr, HEADS: tl.constexpr,
                           KV_HEADS: tl.constexpr, DIM: tl.constexpr, HAS_BIAS: tl.constexpr, BM: tl.constexpr,
                           BN: tl.constexpr, BK: tl.constexpr, GROUP: tl.constexpr):
    m, n = _place(tl.program_id(0), (HEADS + 2 * KV_HEADS) * DIM // BM, tl.cdiv(N, BN), GROUP)
    head, dim, column = m * BM // DIM, m * BM % DIM, n * BN
    acc = tl.zeros((BM, BN), dtype=tl.float32)
    sums = tl.zeros((BM,), dtype=tl.float32)
    steps = batches * tl.cdiv(tokens, BK)
    if KV_HEADS:
        # Loops without steps for the other two: loops in branches would have shared memory of their own each.
        is_key = (head >= HEADS) & (head < HEADS + KV_HEADS)
        acc, sums = _add_segment(acc, sums, g0, x, head, dim, column, tl.where(head < HEADS, steps, 0), tokens,
                                 HAS_BIAS, BM, BN, BK)
        acc, sums = _add_segment(acc, sums, g1, x, head - HEADS, dim, column, tl.where(is_key, steps, 0), tokens,
                                 HAS_BIAS, BM, BN, BK)
        acc, sums = _add_segment(acc, sums, g2, x, head - HEADS - KV_HEADS, dim, column,
                                 tl.where(head >= HEADS + KV_HEADS, steps, 0), tokens, HAS_BIAS, BM, BN, BK)
    else:
        acc, sums = _add_segment(acc, sums, g0, x, head, dim, column, steps, tokens, HAS_BIAS, BM, BN, BK)
    r = m * BM + tl.arange(0, BM)
    c = column + tl.arange(0, BN)
    place = r.to(tl.int64)[:, None] * N + c[None, :]
    tl.store(out + place, acc.to(out.dtype.element_ty), mask=(c < N)[None, :])
    if HAS_BIAS:
        if column == 0:
            tl.store(bias + r, sums.to(bias.dtype.element_ty))


#===------------------------------------------------------------------------===#
# Calls
#===------------------------------------------------------------------------===#

def _describe(tensor, shape, strides):
    """The block is set when the configuration is known."""
    return TensorDescriptor(tensor, shape, strides, [1] * (len(shape) - 1) + [16])


def _head_layout(tensor):
    """[batch, heads, tokens, dim], with batches as tokens where those are one."""
    batch, heads, tokens, dim = tensor.shape
    if tokens > 1:
        return _describe(tensor, [batch, heads, tokens, dim], list(tensor.stride()))
    return _describe(tensor, [1, heads, batch, dim], [batch * heads * dim, dim, heads * dim, 1])


def bind(case, chosen=(None, None)):
    """The gradients of `case`, or None where no tile fits."""
    s, i, o = case.shape, case.inputs, case.outputs
    is_qkv = case.op == "fused_qkv_grad"
    heads, kv_heads, dim = (s.heads, s.kv_heads, s.head_dim) if is_qkv else (1, 0, s.hidden)
    if dim % 64:
        return None
    batches, tokens = (s.batch, s.tokens) if s.tokens > 1 else (1, s.batch)
    if is_qkv:
        gradients = [_head_layout(i[name]) for name in ("d_query", "d_key", "d_value")]
    else:
        flat = i["d_output"].view(batches, 1, tokens, s.hidden)
        gradients = [_describe(flat, list(flat.shape), list(flat.stride()))] * 3
    x = i["input" if is_qkv else "attn"].view(batches, tokens, -1)
    n = x.shape[2]
    weight = _describe(i["weight"], list(i["weight"].shape), [n, 1])
    described_x = _describe(x, list(x.shape), list(x.stride()))
    d_x, d_weight = o["d_input" if is_qkv else "d_attn"], o["d_weight"]
    d_bias = o.get("d_bias", d_weight)
    rows = (heads + 2 * kv_heads) * dim
    processors = count_processors(d_x)

    def input_grid(meta):
        tiles = batches * triton.cdiv(tokens, meta["BM"]) * triton.cdiv(n, meta["BN"])
        return (tiles if kv_heads else min(tiles, processors),)

    def weight_grid(meta):
        return (rows // meta["BM"] * triton.cdiv(n, meta["BN"]),)

    def run():
        launch(input_gradient_kernel, input_grid, chosen[0], *gradients, weight, d_x, batches, tokens, n, heads,
               kv_heads, dim)
        launch(weight_gradient_kernel, weight_grid, chosen[1], *gradients, described_x, d_weight, d_bias, batches,
               tokens, n, heads, kv_heads, dim, "d_bias" in o)
        return list(o.values())
    return run
