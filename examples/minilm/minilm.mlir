// Part of boostr-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The attention projections of one layer of all-MiniLM-L6-v2: hidden size 384, 12
// heads of 32, for any number of sentences and tokens. The same code serves all six
// layers, which differ in the weights passed.
//
// boostr.differentiate adds @qkv_vjp and @out_proj_vjp: the arguments and a
// cotangent for each result in, a gradient for each argument out.

func.func @qkv(%x: tensor<?x?x384xf32> {boostr.name = "x"},
               %weight: tensor<1152x384xf32> {boostr.name = "weight"},
               %bias: tensor<1152xf32> {boostr.name = "bias"})
    -> (tensor<?x12x?x32xf32>, tensor<?x12x?x32xf32>, tensor<?x12x?x32xf32>)
    attributes {boostr.differentiate} {
  %q, %k, %v = boostr.fused_qkv %x, %weight bias(%bias)
      num_heads = 12 num_kv_heads = 12 head_dim = 32
      : tensor<?x?x384xf32>, tensor<1152x384xf32>, tensor<1152xf32>
  return %q, %k, %v
      : tensor<?x12x?x32xf32>, tensor<?x12x?x32xf32>, tensor<?x12x?x32xf32>
}

func.func @out_proj(%attn: tensor<?x?x384xf32> {boostr.name = "attn"},
                    %weight: tensor<384x384xf32> {boostr.name = "weight"},
                    %bias: tensor<384xf32> {boostr.name = "bias"},
                    %residual: tensor<?x?x384xf32> {boostr.name = "residual"})
    -> tensor<?x?x384xf32> attributes {boostr.differentiate} {
  %y = boostr.out_proj_residual %attn, %weight bias(%bias) residual(%residual)
      : tensor<?x?x384xf32>, tensor<384x384xf32>, tensor<384xf32>, tensor<?x?x384xf32>
  return %y : tensor<?x?x384xf32>
}
