// Part of boostr-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Functions whose gradients test_differentiate.py compares with finite differences
// of the functions themselves: one for each rule or group of rules. Extents of
// dynamic dimensions, and the ranges of arguments, stand in that file.

#scalar2 = affine_map<(d0, d1) -> ()>
#id1 = affine_map<(d0) -> (d0)>
#id2 = affine_map<(d0, d1) -> (d0, d1)>
#t2 = affine_map<(d0, d1) -> (d1, d0)>
#row = affine_map<(d0, d1) -> (d0)>
#col = affine_map<(d0, d1) -> (d1)>
#row0 = affine_map<(d0, d1) -> (d0, 0)>
#id3 = affine_map<(d0, d1, d2) -> (d0, d1, d2)>
#mk = affine_map<(m, n, k) -> (m, k)>
#km = affine_map<(m, n, k) -> (k, m)>
#kn = affine_map<(m, n, k) -> (k, n)>
#nk = affine_map<(m, n, k) -> (n, k)>
#mn = affine_map<(m, n, k) -> (m, n)>
#bmk = affine_map<(b, m, n, k) -> (b, m, k)>
#bnk = affine_map<(b, m, n, k) -> (b, n, k)>
#bmn = affine_map<(b, m, n, k) -> (b, m, n)>
#nk4 = affine_map<(b, m, n, k) -> (n, k)>
#bsk = affine_map<(b, s, h, d, k) -> (b, s, k)>
#hdk = affine_map<(b, s, h, d, k) -> (h, d, k)>
#bhsd = affine_map<(b, s, h, d, k) -> (b, h, s, d)>

module {

//===----------------------------------------------------------------------===//
// arith and math, on tensors
//===----------------------------------------------------------------------===//

func.func @arith_ops(%a: tensor<3x?xf64>, %b: tensor<3x?xf64>) -> tensor<3x?xf64> attributes {boostr.differentiate} {
  %0 = arith.addf %a, %b : tensor<3x?xf64>
  %1 = arith.subf %0, %b : tensor<3x?xf64>
  %2 = arith.mulf %1, %0 : tensor<3x?xf64>
  %3 = arith.divf %2, %b : tensor<3x?xf64>
  %4 = arith.negf %3 : tensor<3x?xf64>
  %5 = arith.mulf %4, %4 : tensor<3x?xf64>
  return %5 : tensor<3x?xf64>
}

func.func @choose(%a: tensor<4x3xf64>, %b: tensor<4x3xf64>) -> (tensor<4x3xf64>, tensor<4x3xf64>, tensor<4x3xf64>) attributes {boostr.differentiate} {
  %0 = arith.maximumf %a, %b : tensor<4x3xf64>
  %1 = arith.minnumf %a, %b : tensor<4x3xf64>
  %c = arith.cmpf olt, %a, %b : tensor<4x3xf64>
  %s = arith.mulf %a, %a : tensor<4x3xf64>
  %2 = arith.select %c, %s, %b : tensor<4x3xi1>, tensor<4x3xf64>
  %m = arith.maxnumf %0, %2 : tensor<4x3xf64>
  %n = arith.minimumf %1, %2 : tensor<4x3xf64>
  return %m, %n, %2 : tensor<4x3xf64>, tensor<4x3xf64>, tensor<4x3xf64>
}

func.func @exponentials(%x: tensor<5xf64>) -> (tensor<5xf64>, tensor<5xf64>, tensor<5xf64>, tensor<5xf64>, tensor<5xf64>, tensor<5xf64>, tensor<5xf64>) attributes {boostr.differentiate} {
  %0 = math.exp %x : tensor<5xf64>
  %1 = math.exp2 %x : tensor<5xf64>
  %2 = math.expm1 %x : tensor<5xf64>
  %3 = math.log %x : tensor<5xf64>
  %4 = math.log2 %x : tensor<5xf64>
  %5 = math.log10 %x : tensor<5xf64>
  %6 = math.log1p %x : tensor<5xf64>
  return %0, %1, %2, %3, %4, %5, %6 : tensor<5xf64>, tensor<5xf64>, tensor<5xf64>, tensor<5xf64>, tensor<5xf64>, tensor<5xf64>, tensor<5xf64>
}

func.func @roots_and_bells(%x: tensor<5xf64>) -> (tensor<5xf64>, tensor<5xf64>, tensor<5xf64>, tensor<5xf64>, tensor<5xf64>, tensor<5xf64>) attributes {boostr.differentiate} {
  %0 = math.sqrt %x : tensor<5xf64>
  %1 = math.rsqrt %x : tensor<5xf64>
  %2 = math.tanh %x : tensor<5xf64>
  %3 = math.erf %x : tensor<5xf64>
  %4 = math.erfc %x : tensor<5xf64>
  %5 = math.atan %x : tensor<5xf64>
  return %0, %1, %2, %3, %4, %5 : tensor<5xf64>, tensor<5xf64>, tensor<5xf64>, tensor<5xf64>, tensor<5xf64>, tensor<5xf64>
}

func.func @trigonometry(%x: tensor<5xf64>) -> (tensor<5xf64>, tensor<5xf64>, tensor<5xf64>, tensor<5xf64>, tensor<5xf64>) attributes {boostr.differentiate} {
  %0 = math.sin %x : tensor<5xf64>
  %1 = math.cos %x : tensor<5xf64>
  %2 = math.tan %x : tensor<5xf64>
  %3 = math.sinh %x : tensor<5xf64>
  %4 = math.cosh %x : tensor<5xf64>
  return %0, %1, %2, %3, %4 : tensor<5xf64>, tensor<5xf64>, tensor<5xf64>, tensor<5xf64>, tensor<5xf64>
}

func.func @powers(%a: tensor<5xf64>, %b: tensor<5xf64>, %c: tensor<5xf64>) -> (tensor<5xf64>, tensor<5xf64>, tensor<5xf64>, tensor<5xf64>) attributes {boostr.differentiate} {
  %0 = math.powf %a, %b : tensor<5xf64>
  %1 = math.fma %a, %b, %c : tensor<5xf64>
  %2 = math.absf %c : tensor<5xf64>
  %f = math.floor %c : tensor<5xf64>
  %3 = arith.subf %c, %f : tensor<5xf64>
  return %0, %1, %2, %3 : tensor<5xf64>, tensor<5xf64>, tensor<5xf64>, tensor<5xf64>
}

func.func @precision(%x: tensor<5xf64>) -> tensor<5xf64> attributes {boostr.differentiate} {
  // The cotangent takes the way through f32, so the comparison is that exact.
  %y = arith.mulf %x, %x : tensor<5xf64>
  %0 = arith.truncf %x : tensor<5xf64> to tensor<5xf32>
  %1 = arith.extf %0 : tensor<5xf32> to tensor<5xf64>
  // The rounding error cancels here and is no part of the derivative.
  %2 = arith.subf %1, %1 : tensor<5xf64>
  %3 = arith.addf %y, %2 : tensor<5xf64>
  return %3 : tensor<5xf64>
}

//===----------------------------------------------------------------------===//
// Scalars, values used twice, constants, calls
//===----------------------------------------------------------------------===//

func.func @scalars(%t: tensor<2x3xf64>, %r: tensor<f64>) -> (tensor<2x3xf64>, tensor<f64>) attributes {boostr.differentiate} {
  %c1 = arith.constant 1 : index
  %c0 = arith.constant 0 : index
  %two = arith.constant 2.0 : f64
  %s = tensor.extract %r[] : tensor<f64>
  %e = tensor.extract %t[%c1, %c0] : tensor<2x3xf64>
  %0 = math.exp %s : f64
  %1 = arith.mulf %0, %e : f64
  %2 = arith.divf %1, %two : f64
  %3 = tensor.splat %2 : tensor<2x3xf64>
  %4 = arith.mulf %3, %t : tensor<2x3xf64>
  %5 = tensor.insert %2 into %4[%c0, %c1] : tensor<2x3xf64>
  %6 = tensor.from_elements %1 : tensor<f64>
  return %5, %6 : tensor<2x3xf64>, tensor<f64>
}

func.func @used_often(%x: tensor<?xf64>, %unused: tensor<?x2xf64>) -> (tensor<?xf64>, tensor<?xf64>, tensor<?xf64>) attributes {boostr.differentiate} {
  %0 = arith.mulf %x, %x : tensor<?xf64>
  %1 = arith.mulf %0, %x : tensor<?xf64>
  %2 = arith.addf %1, %0 : tensor<?xf64>
  return %2, %x, %2 : tensor<?xf64>, tensor<?xf64>, tensor<?xf64>
}

func.func private @swish(%x: tensor<?xf64>) -> (tensor<?xf64>, tensor<?xf64>) {
  %0 = math.tanh %x : tensor<?xf64>
  %1 = arith.mulf %x, %0 : tensor<?xf64>
  return %1, %0 : tensor<?xf64>, tensor<?xf64>
}
func.func private @twice(%x: tensor<?xf64>, %y: tensor<?xf64>) -> tensor<?xf64> {
  %0:2 = call @swish(%x) : (tensor<?xf64>) -> (tensor<?xf64>, tensor<?xf64>)
  %1:2 = call @swish(%0#0) : (tensor<?xf64>) -> (tensor<?xf64>, tensor<?xf64>)
  %2 = arith.mulf %1#0, %y : tensor<?xf64>
  return %2 : tensor<?xf64>
}
func.func @calls(%x: tensor<?xf64>) -> tensor<?xf64> attributes {boostr.differentiate} {
  %0 = call @twice(%x, %x) : (tensor<?xf64>, tensor<?xf64>) -> tensor<?xf64>
  %1:2 = call @swish(%0) : (tensor<?xf64>) -> (tensor<?xf64>, tensor<?xf64>)
  %2 = arith.addf %1#0, %1#1 : tensor<?xf64>
  return %2 : tensor<?xf64>
}

//===----------------------------------------------------------------------===//
// tensor
//===----------------------------------------------------------------------===//

func.func @reshapes(%x: tensor<?x6xf64>) -> (tensor<?x2x3xf64>, tensor<?xf64>) attributes {boostr.differentiate} {
  %c0 = arith.constant 0 : index
  %d = tensor.dim %x, %c0 : tensor<?x6xf64>
  %0 = tensor.expand_shape %x [[0], [1, 2]] output_shape [%d, 2, 3] : tensor<?x6xf64> into tensor<?x2x3xf64>
  %1 = arith.mulf %0, %0 : tensor<?x2x3xf64>
  %2 = tensor.collapse_shape %1 [[0, 1, 2]] : tensor<?x2x3xf64> into tensor<?xf64>
  %3 = arith.mulf %2, %2 : tensor<?xf64>
  return %1, %3 : tensor<?x2x3xf64>, tensor<?xf64>
}

func.func @slices(%x: tensor<4x?xf64>, %y: tensor<2x2xf64>) -> (tensor<2x2xf64>, tensor<?xf64>, tensor<4x?xf64>) attributes {boostr.differentiate} {
  %c1 = arith.constant 1 : index
  %d = tensor.dim %x, %c1 : tensor<4x?xf64>
  %0 = tensor.extract_slice %x[1, 1] [2, 2] [2, 1] : tensor<4x?xf64> to tensor<2x2xf64>
  %1 = arith.mulf %0, %0 : tensor<2x2xf64>
  %2 = tensor.extract_slice %x[2, 0] [1, %d] [1, 1] : tensor<4x?xf64> to tensor<?xf64>
  %3 = arith.mulf %x, %x : tensor<4x?xf64>
  %4 = tensor.insert_slice %y into %3[0, 1] [2, 2] [1, 1] : tensor<2x2xf64> into tensor<4x?xf64>
  return %1, %2, %4 : tensor<2x2xf64>, tensor<?xf64>, tensor<4x?xf64>
}

// The gradients of slices that cover a value, and of the value itself, add up.
func.func @split(%x: tensor<2x?x6xf64>) -> (tensor<2x?x2xf64>, tensor<2x?x2xf64>, tensor<2x?x2xf64>, tensor<2x?x6xf64>) attributes {boostr.differentiate} {
  %c1 = arith.constant 1 : index
  %d = tensor.dim %x, %c1 : tensor<2x?x6xf64>
  %y = arith.mulf %x, %x : tensor<2x?x6xf64>
  %0 = tensor.extract_slice %y[0, 0, 0] [2, %d, 2] [1, 1, 1] : tensor<2x?x6xf64> to tensor<2x?x2xf64>
  %1 = tensor.extract_slice %y[0, 0, 2] [2, %d, 2] [1, 1, 1] : tensor<2x?x6xf64> to tensor<2x?x2xf64>
  %2 = tensor.extract_slice %y[0, 0, 3] [2, %d, 2] [1, 1, 1] : tensor<2x?x6xf64> to tensor<2x?x2xf64>
  %3 = arith.mulf %0, %1 : tensor<2x?x2xf64>
  %4 = arith.mulf %y, %x : tensor<2x?x6xf64>
  return %3, %1, %2, %4 : tensor<2x?x2xf64>, tensor<2x?x2xf64>, tensor<2x?x2xf64>, tensor<2x?x6xf64>
}

func.func @insert_row(%row: tensor<3xf64>, %into: tensor<2x3xf64>) -> tensor<2x3xf64> attributes {boostr.differentiate} {
  %0 = tensor.insert_slice %row into %into[1, 0] [1, 3] [1, 1] : tensor<3xf64> into tensor<2x3xf64>
  %1 = arith.mulf %0, %0 : tensor<2x3xf64>
  return %1 : tensor<2x3xf64>
}

func.func @cast_pad(%x: tensor<2x?xf64>) -> tensor<?x?xf64> attributes {boostr.differentiate} {
  %zero = arith.constant 0.0 : f64
  %0 = tensor.cast %x : tensor<2x?xf64> to tensor<?x?xf64>
  %1 = tensor.pad %0 low[1, 0] high[0, 2] {
  ^bb0(%i: index, %j: index):
    tensor.yield %zero : f64
  } : tensor<?x?xf64> to tensor<?x?xf64>
  %2 = arith.mulf %1, %1 : tensor<?x?xf64>
  return %2 : tensor<?x?xf64>
}

func.func @concat(%x: tensor<2x3xf64>, %y: tensor<2x?xf64>) -> tensor<2x?xf64> attributes {boostr.differentiate} {
  %0 = tensor.concat dim(1) %x, %y, %x : (tensor<2x3xf64>, tensor<2x?xf64>, tensor<2x3xf64>) -> tensor<2x?xf64>
  %1 = arith.mulf %0, %0 : tensor<2x?xf64>
  return %1 : tensor<2x?xf64>
}

//===----------------------------------------------------------------------===//
// linalg: contractions
//===----------------------------------------------------------------------===//

func.func @matmul(%a: tensor<?x4xf64>, %b: tensor<4x5xf64>, %c: tensor<?x5xf64>) -> tensor<?x5xf64> attributes {boostr.differentiate} {
  %0 = linalg.matmul ins(%a, %b : tensor<?x4xf64>, tensor<4x5xf64>) outs(%c : tensor<?x5xf64>) -> tensor<?x5xf64>
  return %0 : tensor<?x5xf64>
}

func.func @matmul_transposed(%a: tensor<4x3xf64>, %b: tensor<5x4xf64>, %c: tensor<3x5xf64>) -> tensor<3x5xf64> attributes {boostr.differentiate} {
  %0 = linalg.matmul indexing_maps = [#km, #nk, #mn] ins(%a, %b : tensor<4x3xf64>, tensor<5x4xf64>) outs(%c : tensor<3x5xf64>) -> tensor<3x5xf64>
  return %0 : tensor<3x5xf64>
}

func.func @matmul_square(%a: tensor<3x3xf64>) -> tensor<3x3xf64> attributes {boostr.differentiate} {
  %zero = arith.constant 0.0 : f64
  %e = tensor.empty() : tensor<3x3xf64>
  %z = linalg.fill ins(%zero : f64) outs(%e : tensor<3x3xf64>) -> tensor<3x3xf64>
  %0 = linalg.matmul ins(%a, %a : tensor<3x3xf64>, tensor<3x3xf64>) outs(%z : tensor<3x3xf64>) -> tensor<3x3xf64>
  return %0 : tensor<3x3xf64>
}

func.func @batch_matmul(%a: tensor<2x3x4xf64>, %b: tensor<2x4x5xf64>, %c: tensor<2x3x5xf64>) -> tensor<2x3x5xf64> attributes {boostr.differentiate} {
  %0 = linalg.batch_matmul ins(%a, %b : tensor<2x3x4xf64>, tensor<2x4x5xf64>) outs(%c : tensor<2x3x5xf64>) -> tensor<2x3x5xf64>
  return %0 : tensor<2x3x5xf64>
}

func.func @batch_matmul_transposed(%a: tensor<2x3x4xf64>, %b: tensor<2x5x4xf64>, %c: tensor<2x3x5xf64>) -> tensor<2x3x5xf64> attributes {boostr.differentiate} {
  %0 = linalg.batch_matmul indexing_maps = [#bmk, #bnk, #bmn] ins(%a, %b : tensor<2x3x4xf64>, tensor<2x5x4xf64>) outs(%c : tensor<2x3x5xf64>) -> tensor<2x3x5xf64>
  return %0 : tensor<2x3x5xf64>
}

func.func @contract_broadcast(%a: tensor<2x3x4xf64>, %b: tensor<5x4xf64>, %c: tensor<2x3x5xf64>) -> tensor<2x3x5xf64> attributes {boostr.differentiate} {
  %0 = linalg.contract indexing_maps = [#bmk, #nk4, #bmn] ins(%a, %b : tensor<2x3x4xf64>, tensor<5x4xf64>) outs(%c : tensor<2x3x5xf64>) -> tensor<2x3x5xf64>
  return %0 : tensor<2x3x5xf64>
}

func.func @contract(%x: tensor<2x?x4xf64>, %w: tensor<2x3x4xf64>, %c: tensor<2x2x?x3xf64>) -> tensor<2x2x?x3xf64> attributes {boostr.differentiate} {
  %0 = linalg.contract indexing_maps = [#bsk, #hdk, #bhsd] ins(%x, %w : tensor<2x?x4xf64>, tensor<2x3x4xf64>) outs(%c : tensor<2x2x?x3xf64>) -> tensor<2x2x?x3xf64>
  return %0 : tensor<2x2x?x3xf64>
}

func.func @vectors(%a: tensor<3x4xf64>, %x: tensor<4xf64>, %y: tensor<3xf64>, %s: tensor<f64>) -> (tensor<3xf64>, tensor<4xf64>, tensor<f64>) attributes {boostr.differentiate} {
  %0 = linalg.matvec ins(%a, %x : tensor<3x4xf64>, tensor<4xf64>) outs(%y : tensor<3xf64>) -> tensor<3xf64>
  %1 = linalg.vecmat ins(%y, %a : tensor<3xf64>, tensor<3x4xf64>) outs(%x : tensor<4xf64>) -> tensor<4xf64>
  %2 = linalg.dot ins(%x, %1 : tensor<4xf64>, tensor<4xf64>) outs(%s : tensor<f64>) -> tensor<f64>
  return %0, %1, %2 : tensor<3xf64>, tensor<4xf64>, tensor<f64>
}

func.func @generic_product(%a: tensor<3x4xf64>, %b: tensor<5x4xf64>, %c: tensor<3x5xf64>) -> tensor<3x5xf64> attributes {boostr.differentiate} {
  // c - sum of a * exp(b)
  %0 = linalg.generic {indexing_maps = [#mk, #nk, #mn], iterator_types = ["parallel", "parallel", "reduction"]}
    ins(%a, %b : tensor<3x4xf64>, tensor<5x4xf64>) outs(%c : tensor<3x5xf64>) {
  ^bb0(%x: f64, %y: f64, %acc: f64):
    %e = math.exp %y : f64
    %p = arith.mulf %x, %e : f64
    %s = arith.subf %acc, %p : f64
    linalg.yield %s : f64
  } -> tensor<3x5xf64>
  return %0 : tensor<3x5xf64>
}

//===----------------------------------------------------------------------===//
// linalg: the rest
//===----------------------------------------------------------------------===//

func.func @movement(%x: tensor<2x?xf64>, %v: tensor<2xf64>) -> (tensor<?x2xf64>, tensor<3x2x4xf64>, tensor<2x?xf64>) attributes {boostr.differentiate} {
  %c1 = arith.constant 1 : index
  %d = tensor.dim %x, %c1 : tensor<2x?xf64>
  %e0 = tensor.empty(%d) : tensor<?x2xf64>
  %0 = linalg.transpose ins(%x : tensor<2x?xf64>) outs(%e0 : tensor<?x2xf64>) permutation = [1, 0]
  %e1 = tensor.empty() : tensor<3x2x4xf64>
  %1 = linalg.broadcast ins(%v : tensor<2xf64>) outs(%e1 : tensor<3x2x4xf64>) dimensions = [0, 2]
  %e2 = tensor.empty(%d) : tensor<2x?xf64>
  %2 = linalg.copy ins(%x : tensor<2x?xf64>) outs(%e2 : tensor<2x?xf64>) -> tensor<2x?xf64>
  return %0, %1, %2 : tensor<?x2xf64>, tensor<3x2x4xf64>, tensor<2x?xf64>
}

func.func @named_binary(%a: tensor<3xf64>, %b: tensor<3xf64>) -> tensor<3xf64> attributes {boostr.differentiate} {
  %e = tensor.empty() : tensor<3xf64>
  %0 = linalg.add ins(%a, %b : tensor<3xf64>, tensor<3xf64>) outs(%e : tensor<3xf64>) -> tensor<3xf64>
  %1 = linalg.sub ins(%0, %b : tensor<3xf64>, tensor<3xf64>) outs(%e : tensor<3xf64>) -> tensor<3xf64>
  %2 = linalg.mul ins(%1, %0 : tensor<3xf64>, tensor<3xf64>) outs(%e : tensor<3xf64>) -> tensor<3xf64>
  %3 = linalg.div ins(%2, %b : tensor<3xf64>, tensor<3xf64>) outs(%e : tensor<3xf64>) -> tensor<3xf64>
  %4 = linalg.powf ins(%3, %a : tensor<3xf64>, tensor<3xf64>) outs(%e : tensor<3xf64>) -> tensor<3xf64>
  %5 = linalg.max ins(%4, %a : tensor<3xf64>, tensor<3xf64>) outs(%e : tensor<3xf64>) -> tensor<3xf64>
  return %5 : tensor<3xf64>
}

func.func @named_unary(%x: tensor<3xf64>) -> tensor<3xf64> attributes {boostr.differentiate} {
  %e = tensor.empty() : tensor<3xf64>
  %0 = linalg.exp ins(%x : tensor<3xf64>) outs(%e : tensor<3xf64>) -> tensor<3xf64>
  %1 = linalg.log ins(%0 : tensor<3xf64>) outs(%e : tensor<3xf64>) -> tensor<3xf64>
  %2 = linalg.square ins(%1 : tensor<3xf64>) outs(%e : tensor<3xf64>) -> tensor<3xf64>
  %3 = linalg.sqrt ins(%2 : tensor<3xf64>) outs(%e : tensor<3xf64>) -> tensor<3xf64>
  %4 = linalg.rsqrt ins(%3 : tensor<3xf64>) outs(%e : tensor<3xf64>) -> tensor<3xf64>
  %5 = linalg.reciprocal ins(%4 : tensor<3xf64>) outs(%e : tensor<3xf64>) -> tensor<3xf64>
  %6 = linalg.negf ins(%5 : tensor<3xf64>) outs(%e : tensor<3xf64>) -> tensor<3xf64>
  %7 = linalg.abs ins(%6 : tensor<3xf64>) outs(%e : tensor<3xf64>) -> tensor<3xf64>
  %8 = linalg.tanh ins(%7 : tensor<3xf64>) outs(%e : tensor<3xf64>) -> tensor<3xf64>
  %9 = linalg.erf ins(%8 : tensor<3xf64>) outs(%e : tensor<3xf64>) -> tensor<3xf64>
  return %9 : tensor<3xf64>
}

func.func @map(%a: tensor<3xf64>, %b: tensor<3xf64>) -> tensor<3xf64> attributes {boostr.differentiate} {
  %e = tensor.empty() : tensor<3xf64>
  %0 = linalg.map { arith.mulf } ins(%a, %b : tensor<3xf64>, tensor<3xf64>) outs(%e : tensor<3xf64>)
  return %0 : tensor<3xf64>
}

func.func @elementwise(%a: tensor<2x3xf64>, %b: tensor<2xf64>) -> tensor<3x2xf64> attributes {boostr.differentiate} {
  %e = tensor.empty() : tensor<3x2xf64>
  %0 = linalg.elementwise kind=#linalg.elementwise_kind<mul> indexing_maps = [#t2, #col, #id2]
    ins(%a, %b : tensor<2x3xf64>, tensor<2xf64>) outs(%e : tensor<3x2xf64>) -> tensor<3x2xf64>
  return %0 : tensor<3x2xf64>
}

func.func @fill(%r: tensor<f64>) -> tensor<2x3xf64> attributes {boostr.differentiate} {
  %s = tensor.extract %r[] : tensor<f64>
  %e = tensor.empty() : tensor<2x3xf64>
  %0 = linalg.fill ins(%s : f64) outs(%e : tensor<2x3xf64>) -> tensor<2x3xf64>
  return %0 : tensor<2x3xf64>
}

func.func @reduce_sum(%x: tensor<2x?x3xf64>, %y: tensor<2x?x3xf64>, %i: tensor<2x3xf64>, %j: tensor<2x3xf64>) -> (tensor<2x3xf64>, tensor<2x3xf64>) attributes {boostr.differentiate} {
  %0:2 = linalg.reduce ins(%x, %y : tensor<2x?x3xf64>, tensor<2x?x3xf64>) outs(%i, %j : tensor<2x3xf64>, tensor<2x3xf64>) dimensions = [1]
    (%a: f64, %b: f64, %s: f64, %t: f64) {
      %p = arith.mulf %a, %b : f64
      %u = arith.addf %s, %p : f64
      %v = arith.addf %t, %a : f64
      linalg.yield %u, %v : f64, f64
    }
  return %0#0, %0#1 : tensor<2x3xf64>, tensor<2x3xf64>
}

func.func @reduce_max(%x: tensor<3x?x4xf64>, %i: tensor<3xf64>) -> tensor<3xf64> attributes {boostr.differentiate} {
  %0 = linalg.reduce { arith.maximumf } ins(%x : tensor<3x?x4xf64>) outs(%i : tensor<3xf64>) dimensions = [1, 2]
  return %0 : tensor<3xf64>
}

func.func @reduce_min(%x: tensor<3x4xf64>, %i: tensor<4xf64>) -> tensor<4xf64> attributes {boostr.differentiate} {
  // The smallest square.
  %0 = linalg.generic {indexing_maps = [#id2, #col], iterator_types = ["reduction", "parallel"]}
    ins(%x : tensor<3x4xf64>) outs(%i : tensor<4xf64>) {
  ^bb0(%a: f64, %acc: f64):
    %s = arith.mulf %a, %a : f64
    %m = arith.minnumf %s, %acc : f64
    linalg.yield %m : f64
  } -> tensor<4xf64>
  return %0 : tensor<4xf64>
}

func.func @reduce_all(%x: tensor<?x3xf64>, %i: tensor<f64>) -> tensor<f64> attributes {boostr.differentiate} {
  %0 = linalg.reduce { arith.addf } ins(%x : tensor<?x3xf64>) outs(%i : tensor<f64>) dimensions = [0, 1]
  return %0 : tensor<f64>
}

func.func @generic_broadcasts(%a: tensor<2x?xf64>, %r: tensor<2xf64>, %c: tensor<?xf64>, %k: tensor<2x1xf64>, %s: tensor<f64>, %o: tensor<2x?xf64>) -> (tensor<2x?xf64>, tensor<?x2xf64>) attributes {boostr.differentiate} {
  %c1 = arith.constant 1 : index
  %d = tensor.dim %a, %c1 : tensor<2x?xf64>
  %e = tensor.empty(%d) : tensor<?x2xf64>
  %sv = tensor.extract %s[] : tensor<f64>
  %0:2 = linalg.generic {indexing_maps = [#id2, #row, #col, #row0, #scalar2, #id2, #t2], iterator_types = ["parallel", "parallel"]}
    ins(%a, %r, %c, %k, %sv : tensor<2x?xf64>, tensor<2xf64>, tensor<?xf64>, tensor<2x1xf64>, f64)
    outs(%o, %e : tensor<2x?xf64>, tensor<?x2xf64>) {
  ^bb0(%av: f64, %rv: f64, %cv: f64, %kv: f64, %s1: f64, %ov: f64, %out: f64):
    %i = linalg.index 1 : index
    %ii = arith.index_cast %i : index to i64
    %if = arith.sitofp %ii : i64 to f64
    %1 = arith.subf %av, %rv : f64
    %2 = math.tanh %1 : f64
    %3 = arith.mulf %2, %cv : f64
    %4 = arith.divf %3, %kv : f64
    %5 = arith.mulf %4, %s1 : f64
    %6 = arith.addf %5, %ov : f64
    %7 = arith.mulf %6, %if : f64
    linalg.yield %6, %7 : f64, f64
  } -> (tensor<2x?xf64>, tensor<?x2xf64>)
  return %0#0, %0#1 : tensor<2x?xf64>, tensor<?x2xf64>
}

// The extent of the reduced dimension is known from an operand that is not read.
func.func @generic_extent(%a: tensor<2xf64>, %shape: tensor<?xf64>, %i: tensor<2xf64>) -> tensor<2xf64> attributes {boostr.differentiate} {
  %0 = linalg.generic {indexing_maps = [#row, #col, #row], iterator_types = ["parallel", "reduction"]}
    ins(%a, %shape : tensor<2xf64>, tensor<?xf64>) outs(%i : tensor<2xf64>) {
  ^bb0(%x: f64, %y: f64, %acc: f64):
    %s = arith.addf %x, %acc : f64
    linalg.yield %s : f64
  } -> tensor<2xf64>
  return %0 : tensor<2xf64>
}

//===----------------------------------------------------------------------===//
// Layers
//===----------------------------------------------------------------------===//

func.func @softmax(%x: tensor<2x?xf64>) -> tensor<2x?xf64> attributes {boostr.differentiate} {
  %c1 = arith.constant 1 : index
  %zero = arith.constant 0.0 : f64
  %low = arith.constant 0xFFF0000000000000 : f64
  %d = tensor.dim %x, %c1 : tensor<2x?xf64>
  %e = tensor.empty() : tensor<2xf64>
  %full = tensor.empty(%d) : tensor<2x?xf64>
  %m0 = linalg.fill ins(%low : f64) outs(%e : tensor<2xf64>) -> tensor<2xf64>
  %m = linalg.reduce { arith.maximumf } ins(%x : tensor<2x?xf64>) outs(%m0 : tensor<2xf64>) dimensions = [1]
  %p = linalg.generic {indexing_maps = [#id2, #row, #id2], iterator_types = ["parallel", "parallel"]}
    ins(%x, %m : tensor<2x?xf64>, tensor<2xf64>) outs(%full : tensor<2x?xf64>) {
  ^bb0(%a: f64, %b: f64, %o: f64):
    %0 = arith.subf %a, %b : f64
    %1 = math.exp %0 : f64
    linalg.yield %1 : f64
  } -> tensor<2x?xf64>
  %s0 = linalg.fill ins(%zero : f64) outs(%e : tensor<2xf64>) -> tensor<2xf64>
  %s = linalg.reduce { arith.addf } ins(%p : tensor<2x?xf64>) outs(%s0 : tensor<2xf64>) dimensions = [1]
  %y = linalg.generic {indexing_maps = [#id2, #row, #id2], iterator_types = ["parallel", "parallel"]}
    ins(%p, %s : tensor<2x?xf64>, tensor<2xf64>) outs(%full : tensor<2x?xf64>) {
  ^bb0(%a: f64, %b: f64, %o: f64):
    %0 = arith.divf %a, %b : f64
    linalg.yield %0 : f64
  } -> tensor<2x?xf64>
  return %y : tensor<2x?xf64>
}

func.func @rms_norm(%x: tensor<?x4xf64>, %g: tensor<4xf64>) -> tensor<?x4xf64> attributes {boostr.differentiate} {
  %c0 = arith.constant 0 : index
  %zero = arith.constant 0.0 : f64
  %quarter = arith.constant 0.25 : f64
  %eps = arith.constant 1.0e-5 : f64
  %d = tensor.dim %x, %c0 : tensor<?x4xf64>
  %e = tensor.empty(%d) : tensor<?xf64>
  %full = tensor.empty(%d) : tensor<?x4xf64>
  %s0 = linalg.fill ins(%zero : f64) outs(%e : tensor<?xf64>) -> tensor<?xf64>
  %s = linalg.generic {indexing_maps = [#id2, #row], iterator_types = ["parallel", "reduction"]}
    ins(%x : tensor<?x4xf64>) outs(%s0 : tensor<?xf64>) {
  ^bb0(%a: f64, %acc: f64):
    %0 = arith.mulf %a, %a : f64
    %1 = arith.addf %acc, %0 : f64
    linalg.yield %1 : f64
  } -> tensor<?xf64>
  %y = linalg.generic {indexing_maps = [#id2, #row, #col, #id2], iterator_types = ["parallel", "parallel"]}
    ins(%x, %s, %g : tensor<?x4xf64>, tensor<?xf64>, tensor<4xf64>) outs(%full : tensor<?x4xf64>) {
  ^bb0(%a: f64, %b: f64, %w: f64, %o: f64):
    %0 = arith.mulf %b, %quarter : f64
    %1 = arith.addf %0, %eps : f64
    %2 = math.rsqrt %1 : f64
    %3 = arith.mulf %a, %2 : f64
    %4 = arith.mulf %3, %w : f64
    linalg.yield %4 : f64
  } -> tensor<?x4xf64>
  return %y : tensor<?x4xf64>
}

func.func @fused_qkv(%x: tensor<2x?x4xf64>, %w: tensor<12x4xf64>, %b: tensor<12xf64>) -> (tensor<2x2x?x3xf64>, tensor<2x1x?x3xf64>, tensor<2x1x?x3xf64>) attributes {boostr.differentiate} {
  %q, %k, %v = boostr.fused_qkv %x, %w bias(%b) num_heads = 2 num_kv_heads = 1 head_dim = 3
    : tensor<2x?x4xf64>, tensor<12x4xf64>, tensor<12xf64>
  return %q, %k, %v : tensor<2x2x?x3xf64>, tensor<2x1x?x3xf64>, tensor<2x1x?x3xf64>
}

// Only one of three results has a cotangent.
func.func @fused_qkv_key(%x: tensor<2x?x4xf64>, %w: tensor<12x4xf64>) -> tensor<2x1x?x3xf64> attributes {boostr.differentiate} {
  %q, %k, %v = boostr.fused_qkv %x, %w num_heads = 2 num_kv_heads = 1 head_dim = 3
    : tensor<2x?x4xf64>, tensor<12x4xf64>
  return %k : tensor<2x1x?x3xf64>
}

func.func @out_proj_residual(%a: tensor<2x?x6xf64>, %w: tensor<4x6xf64>, %b: tensor<4xf64>, %r: tensor<2x?x4xf64>) -> tensor<2x?x4xf64> attributes {boostr.differentiate} {
  %y = boostr.out_proj_residual %a, %w bias(%b) residual(%r)
    : tensor<2x?x6xf64>, tensor<4x6xf64>, tensor<4xf64>, tensor<2x?x4xf64>
  return %y : tensor<2x?x4xf64>
}

}
