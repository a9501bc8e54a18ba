"""Rivals written in Triton: the forward ops with the same fusion as ours, and a pass that splits heads.

The product is the persistent kernel of Triton's tutorials in structure: tensor descriptors (TMA) for both
operands, tiles in groups of rows for the L2 cache. Tiles, stages and warps are tuned for each shape.
"""

import torch
import triton
import triton.language as tl
from triton.tools.tensor_descriptor import TensorDescriptor


@triton.jit
def _split_kernel(packed, query, key, value, tokens, ROWS: tl.constexpr, HEADS: tl.constexpr,
                  KV_HEADS: tl.constexpr, DIM: tl.constexpr, BLOCK: tl.constexpr):
    rows = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    head = tl.program_id(1)
    total = tl.num_programs(0) * BLOCK
    dims = tl.arange(0, DIM)
    batch = rows // tokens
    token = rows % tokens
    x = tl.load(packed + rows[:, None].to(tl.int64) * ROWS + head * DIM + dims[None, :])
    if head < HEADS:
        out = query + ((batch * HEADS + head) * tokens + token).to(tl.int64)[:, None] * DIM
    elif head < HEADS + KV_HEADS:
        out = key + ((batch * KV_HEADS + head - HEADS) * tokens + token).to(tl.int64)[:, None] * DIM
    else:
        out = value + ((batch * KV_HEADS + head - HEADS - KV_HEADS) * tokens + token).to(tl.int64)[:, None] * DIM
    tl.store(out + dims[None, :], x)


def split_heads(packed, query, key, value, shape):
    rows = packed.shape[0]
    block = 16 if rows % 16 == 0 else 1
    grid = (rows // block, shape.heads + 2 * shape.kv_heads)
    _split_kernel[grid](packed, query, key, value, shape.tokens, shape.rows, shape.heads, shape.kv_heads,
                        shape.head_dim, block)


def config(bm, bn, stages, warps, hook):
    return triton.Config({"BM": bm, "BN": bn, "BK": 64, "GROUP": 8}, num_stages=stages, num_warps=warps, pre_hook=hook)


# For few tokens many narrow tiles, with much under way.
TOKEN_TILES = ((128, 256, 3, 8), (128, 256, 4, 8), (128, 128, 4, 8), (128, 128, 3, 4), (256, 128, 3, 8),
               (16, 32, 6, 4), (16, 64, 5, 4), (16, 128, 4, 4), (64, 32, 6, 4), (64, 64, 5, 4))


def prune_by_tokens(configs, arguments, **_):
    """For kernels whose tiles have BM of `tokens`."""
    tokens = arguments["tokens" if "batches" in arguments else "M"]
    return [c for c in configs
            if (c.kwargs["BM"] >= 128 if tokens >= 128 else c.kwargs["BM"] == (16 if tokens <= 16 else 64))]


def launch(kernel, grid, chosen, *arguments):
    """With the best configuration, or with the one that is `chosen`."""
    if chosen is None:
        return kernel[grid](*arguments)
    named = {**dict(zip(kernel.fn.arg_names, arguments)), **chosen.kwargs}
    chosen.pre_hook(named)
    return kernel.fn[grid(named)](*arguments, **chosen.kwargs, num_stages=chosen.num_stages,
                                  num_warps=chosen.num_warps)


def count_processors(tensor):
    return torch.cuda.get_device_properties(tensor.device).multi_processor_count if tensor.is_cuda else 4


def _set_blocks(arguments):
    arguments["a"].block_shape = [arguments["BM"], arguments["BK"]]
    arguments["b"].block_shape = [arguments["BN"], arguments["BK"]]


CONFIGS = [config(*tile, _set_blocks) for tile in TOKEN_TILES]


@triton.autotune(configs=CONFIGS, key=["M", "N", "K"], prune_configs_by={"early_config_prune": prune_by_tokens})
@triton.jit
def _project_kernel(a, b, bias, residual, out0, out1, out2, M, N: tl.constexpr, K: tl.constexpr, tokens,
                    HEADS: tl.constexpr, KV_HEADS: tl.constexpr, DIM: tl.constexpr, HAS_BIAS: tl.constexpr,
                    SPLITS: tl.constexpr, PROGRAMS: tl.constexpr, BM: tl.constexpr, BN: tl.constexpr,
                    BK: tl.constexpr, GROUP: tl.constexpr):
    rows, columns = tl.cdiv(M, BM), tl.cdiv(N, BN)
    for tile in tl.range(tl.program_id(0), rows * columns, PROGRAMS, flatten=True):
        group = tile // (GROUP * columns)
        size = min(rows - group * GROUP, GROUP)
        m = (group * GROUP + tile % (GROUP * columns) % size) * BM
        n = (tile % (GROUP * columns) // size) * BN
        acc = tl.zeros((BM, BN), dtype=tl.float32)
        for k in range(tl.cdiv(K, BK)):
            acc = tl.dot(a.load([m, k * BK]), b.load([n, k * BK]).T, acc)
        r = m + tl.arange(0, BM)
        c = n + tl.arange(0, BN)
        inside = (r < M)[:, None] & (c < N)[None, :]
        if HAS_BIAS:
            acc += tl.load(bias + c, mask=c < N, other=0.0).to(tl.float32)[None, :]
        if SPLITS:
            head = c // DIM
            base = tl.where(head < HEADS, 0, tl.where(head < HEADS + KV_HEADS, HEADS, HEADS + KV_HEADS))
            count = tl.where(head < HEADS, HEADS, KV_HEADS)
            place = ((r // tokens).to(tl.int64)[:, None] * count[None, :] + (head - base)[None, :]) * tokens
            place = (place + (r % tokens)[:, None]) * DIM + (c % DIM)[None, :]
            first = tl.where(head < HEADS, 0, tl.where(head < HEADS + KV_HEADS, 1, 2))
            value = acc.to(out0.dtype.element_ty)
            tl.store(out0 + place, value, mask=inside & (first == 0)[None, :])
            tl.store(out1 + place, value, mask=inside & (first == 1)[None, :])
            tl.store(out2 + place, value, mask=inside & (first == 2)[None, :])
        else:
            place = r.to(tl.int64)[:, None] * N + c[None, :]
            acc += tl.load(residual + place, mask=inside, other=0.0).to(tl.float32)
            tl.store(out0 + place, acc.to(out0.dtype.element_ty), mask=inside)


def bind(case, chosen=None):
    """The op on the tensors of `case`."""
    s, i = case.shape, case.inputs
    splits = case.op == "fused_qkv"
    x = i["input" if splits else "attn"].view(case.t, -1)
    weight = i["weight"]
    n, k = weight.shape
    programs = count_processors(x)
    a = TensorDescriptor.from_tensor(x, [128, 64])
    b = TensorDescriptor.from_tensor(weight, [128, 64])
    outs = (list(case.outputs.values()) * 3)[:3]
    bias, residual = i.get("bias", x), i.get("residual", x)

    def run():
        launch(_project_kernel, lambda _: (programs,), chosen, a, b, bias, residual, *outs, case.t, n, k, s.tokens,
               s.heads, s.kv_heads, s.head_dim, "bias" in i, splits, programs)
        return list(case.outputs.values())
    return run
