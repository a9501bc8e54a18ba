# Part of boostr-mlir, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""The ops in PyTorch 2.4 and newer, on the CPU and on CUDA devices.

    from boostr.torch import fused_qkv, out_proj_residual
    q, k, v = fused_qkv(x, w, b, num_heads=32, num_kv_heads=8, head_dim=128)

They are custom ops with shapes, gradients, batching rules and rules for autocast, so
eager code, `torch.compile`, `torch.func`, autocast, checkpointing and CUDA graphs take
them like any op. `FusedQKV` and `OutProjResidual` are modules around them, `fuse` puts
these into models of the package transformers, and `enable_inductor` finds projections in
whatever `torch.compile` compiles.
"""

from ._fuse import FuseReport, fuse
from ._inductor import disable_inductor, enable_inductor
from ._modules import FusedQKV, OutProjResidual
from ._ops import fused_qkv, out_proj_residual

__all__ = ["FuseReport", "FusedQKV", "OutProjResidual", "disable_inductor", "enable_inductor",
           "fuse", "fused_qkv", "out_proj_residual"]
