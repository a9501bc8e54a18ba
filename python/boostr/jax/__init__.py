# Part of boostr-mlir, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""The ops in JAX 0.6 and newer, on the CPU and on CUDA devices.

    from boostr.jax import fused_qkv, out_proj_residual
    q, k, v = fused_qkv(x, w, b, num_heads=32, num_kv_heads=8, head_dim=128)

They are custom calls of XLA with gradients, batching rules and rules for sharded arrays, so
eager code, `jit`, `grad`, `vmap`, `checkpoint` and `shard_map` take them like any function.

Kernels are compiled at the first use for an element type, widths and device, never again
when batch or sequence length change. On a CPU they run on the threads that XLA has, on a
CUDA device in XLA's stream.

Sharding. Under jit each device computes its part of arrays that are sharded along batch,
sequence, heads or the output width, with that part of the weight, and nothing is gathered.
Where the width that is summed over is sharded (hidden of x, width of attn), or tokens are
and the gradient of a weight is wanted, parts are summed by one all-reduce, in the element
type of the result. The rows of a packed w are those of the query heads, then key, then
value: if they are sharded as they lie, XLA moves rows to where their heads are at each
call. A mesh axis that is in use for tokens cannot serve for a weight at once (as with fully
sharded data parallelism): the weight is gathered then. The widths of heads are never sharded.
"""

from ._ops import fused_qkv, fused_qkv_grad, out_proj_residual, out_proj_residual_grad

__all__ = ["fused_qkv", "fused_qkv_grad", "out_proj_residual", "out_proj_residual_grad"]
