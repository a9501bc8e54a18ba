# Part of boostr-mlir, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""The ops in PyTorch: in a module, with gradients, under autocast and torch.func."""

import torch

import boostr.torch as bt

torch.manual_seed(0)


class Attention(torch.nn.Module):
    """Self-attention with grouped heads, and the residual around it."""

    def __init__(self, hidden: int, heads: int, kv_heads: int):
        super().__init__()
        self.qkv = bt.FusedQKV(hidden, heads, kv_heads, bias=True)
        self.out = bt.OutProjResidual(hidden, hidden)

    def forward(self, x):
        q, k, v = self.qkv(x)
        y = torch.nn.functional.scaled_dot_product_attention(
            q, k, v, is_causal=True, enable_gqa=True)
        return self.out(y.transpose(1, 2).flatten(2), x)


layer, x = Attention(64, 4, 2), torch.randn(2, 16, 64)
print(layer)

# Weights of separate projections load as they are.
separate = {f"qkv.{name}.{kind}": torch.randn(rows, 64) if kind == "weight" else torch.zeros(rows)
            for name, rows in (("q_proj", 64), ("k_proj", 32), ("v_proj", 32))
            for kind in ("weight", "bias")}
print("missing:", layer.load_state_dict(separate, strict=False).missing_keys)

# Gradients, of the parameters alone: that of the input is not computed.
layer(x).square().mean().backward()
print("gradient:", tuple(layer.qkv.weight.grad.shape), "input:", x.grad)

# Autocast: the projections in bfloat16, the residual stream in float32.
with torch.autocast("cpu", dtype=torch.bfloat16):
    print("autocast:", layer.qkv(x)[0].dtype, layer(x).dtype)

# torch.func: a gradient for each example.
options = {"num_heads": 4, "num_kv_heads": 2, "head_dim": 16}


def loss(w, example):
    return bt.fused_qkv(example[None], w, **options)[0].square().sum()


each = torch.func.vmap(torch.func.grad(loss), in_dims=(None, 0))(layer.qkv.weight.detach(), x)
print("gradient of each example:", tuple(each.shape))
