# Part of boostr-mlir, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""torch.compile: a model with the ops, and a pass that finds them in a model without."""

import torch

import boostr.torch as bt

torch.manual_seed(0)
OPTIONS = {"num_heads": 4, "num_kv_heads": 4, "head_dim": 16}


def fused(x, w, wo):
    """With the ops of boostr."""
    q, k, v = bt.fused_qkv(x, w, **OPTIONS)
    y = torch.nn.functional.scaled_dot_product_attention(q, k, v)
    return bt.out_proj_residual(y.transpose(1, 2).flatten(2), wo, residual=x)


def unfused(x, w, wo):
    """The same in PyTorch alone."""
    rows = torch.nn.functional.linear(x, w).split(64, dim=-1)
    q, k, v = (part.view(*x.shape[:2], 4, 16).transpose(1, 2) for part in rows)
    y = torch.nn.functional.scaled_dot_product_attention(q, k, v)
    return x + torch.nn.functional.linear(y.transpose(1, 2).flatten(2), wo)


w = (torch.randn(192, 64) / 8).requires_grad_()
wo = (torch.randn(64, 64) / 8).requires_grad_()

# One graph for all lengths, forward and backward, without a break.
compiled = torch.compile(fused, fullgraph=True, dynamic=True)
for length in (5, 16, 33):
    x = torch.randn(2, length, 64)
    result, expected = compiled(x, w, wo), unfused(x, w, wo)
    ours, theirs = (torch.autograd.grad(y.square().mean(), w)[0] for y in (result, expected))
    print(f"{length} tokens:", torch.allclose(result, expected, atol=1e-5),
          torch.allclose(ours, theirs, atol=1e-5))

# The other way round: the pass puts the ops into what is compiled from now on.
bt.enable_inductor()
with torch.no_grad():
    result, code = torch._inductor.utils.run_and_get_code(
        torch.compile(unfused, fullgraph=True), x, w, wo)
bt.disable_inductor()
print("same:", torch.allclose(result, expected, atol=1e-5))
print("in the code:", [op for op in ("fused_qkv", "out_proj_residual")
                       if f"torch.ops.boostr.{op}" in code[0]])
