# Part of boostr-mlir, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""The ops on NumPy arrays, and a layer of one's own through the compiler."""

import numpy as np

import boostr

rng = np.random.default_rng(0)
batch, length, hidden, heads, kv_heads, dim = 2, 16, 64, 4, 2, 16
x = rng.standard_normal((batch, length, hidden), dtype=np.float32)
w = rng.standard_normal(((heads + 2 * kv_heads) * dim, hidden), dtype=np.float32)

# Forward. Compiled at this first use; never again when batch or length change.
q, k, v = boostr.fused_qkv(x, w, num_heads=heads, num_kv_heads=kv_heads, head_dim=dim)
expected = (x @ w.T)[..., : heads * dim].reshape(batch, length, heads, dim).swapaxes(1, 2)
print("q, k, v:", q.shape, k.shape, v.shape)
print("as NumPy:", np.allclose(q, expected, atol=1e-4))

# Backward, only what is wanted.
dx, dw, db = boostr.fused_qkv_grad(q, k, v, x, w, input=False)
print("dx, dw, db:", dx, dw.shape, db.shape)

# A wrong call says what is wrong with it, and writes nothing.
try:
    boostr.fused_qkv(x, w[1:], num_heads=heads, num_kv_heads=kv_heads, head_dim=dim)
except ValueError as error:
    print("error:", error)

# MLIR of one's own: the output projection behind a gate. Its gradient comes along.
module = boostr.compile("""
func.func @gated(%attn: tensor<?x?x64xf32> {boostr.name = "attn"},
                 %gate: tensor<?x?x64xf32> {boostr.name = "gate"},
                 %w: tensor<64x64xf32> {boostr.name = "w"},
                 %residual: tensor<?x?x64xf32> {boostr.name = "residual"})
    -> tensor<?x?x64xf32> attributes {boostr.differentiate} {
  %gated = arith.mulf %attn, %gate : tensor<?x?x64xf32>
  %y = boostr.out_proj_residual %gated, %w residual(%residual)
      : tensor<?x?x64xf32>, tensor<64x64xf32>, tensor<?x?x64xf32>
  return %y : tensor<?x?x64xf32>
}""")
gate, square = rng.random((batch, length, hidden), dtype=np.float32), w[:hidden].copy()
y = module.gated(x, gate, square, x)
print("gated:", y.shape, np.allclose(y, (x * gate) @ square.T + x, atol=1e-4))
print("its gradients:", [g.shape for g in module.gated_vjp(x, gate, square, x, np.ones_like(y))])
