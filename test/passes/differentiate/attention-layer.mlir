// RUN: boostr-opt %s --boostr-differentiate | FileCheck %s
// RUN: boostr-opt %s --boostr-differentiate --canonicalize --cse --convert-boostr-to-linalg | FileCheck %s --check-prefix=LOWERED
//
// Whole attention layers. test/execution/test_differentiate.py runs these very
// functions and compares every gradient with finite differences.

#id4 = affine_map<(d0, d1, d2, d3) -> (d0, d1, d2, d3)>
#row4 = affine_map<(d0, d1, d2, d3) -> (d0, d1, d2)>
#id3 = affine_map<(d0, d1, d2) -> (d0, d1, d2)>
#row3 = affine_map<(d0, d1, d2) -> (d0, d1)>
#bmk = affine_map<(b, m, n, k) -> (b, m, k)>
#bnk = affine_map<(b, m, n, k) -> (b, n, k)>
#bmn = affine_map<(b, m, n, k) -> (b, m, n)>

// LOWERED-NOT: boostr.fused_qkv
// LOWERED-NOT: boostr.out_proj_residual

// Static shapes, two query heads that share one key/value head, bias, softmax with
// the maximum subtracted. The input is used twice, as input and as residual.

// CHECK-LABEL: func.func @attention_vjp(
// CHECK-SAME: %[[X:[^:]*]]: tensor<2x3x4xf64>, %[[WQKV:[^:]*]]: tensor<12x4xf64>, %[[BQKV:[^:]*]]: tensor<12xf64>, %[[WO:[^:]*]]: tensor<4x6xf64>, %[[BO:[^:]*]]: tensor<4xf64>, %[[DY:[^:]*]]: tensor<2x3x4xf64>)
// Forward, up to what is needed: the output projection is not.
// CHECK: %[[QKV:.*]]:3 = boostr.fused_qkv %[[X]], %[[WQKV]] bias(%[[BQKV]])
// CHECK: %[[V:.*]] = tensor.collapse_shape %[[QKV]]#2
// CHECK: %[[P:.*]] = linalg.div
// CHECK: %[[CONTEXT:.*]] = linalg.contract
// CHECK: %[[MERGED:.*]] = tensor.collapse_shape
// CHECK-NOT: boostr.out_proj_residual %
// Backward.
// CHECK: %[[GO:.*]]:3 = boostr.out_proj_residual_grad %[[DY]], %[[MERGED]], %[[WO]] wrt(attn, weight, bias)
// CHECK: %[[SPLIT:.*]] = tensor.expand_shape %[[GO]]#0
// CHECK: %[[DC:.*]] = linalg.transpose ins(%[[SPLIT]] : tensor<2x3x2x3xf64>) {{.*}} permutation = [0, 2, 1, 3]
// CHECK: linalg.contract {{.*}} ins(%[[DC]], %[[V]] :
// CHECK: linalg.contract {{.*}} ins(%[[DC]], %[[P]] :
// CHECK: boostr.fused_qkv_grad
// CHECK-SAME: %[[X]], %[[WQKV]] wrt(input, weight, bias) num_heads = 2 num_kv_heads = 1 head_dim = 3
// CHECK: %[[DX:.*]] = linalg.add ins(%[[DY]], %{{.*}} :
// CHECK: return %[[DX]], %{{.*}}, %{{.*}}, %[[GO]]#1, %[[GO]]#2
func.func @attention(%x: tensor<2x3x4xf64>, %wqkv: tensor<12x4xf64>, %bqkv: tensor<12xf64>,
                     %wo: tensor<4x6xf64>, %bo: tensor<4xf64>) -> tensor<2x3x4xf64>
    attributes {boostr.differentiate} {
  %zero = arith.constant 0.0 : f64
  %low = arith.constant 0xFFF0000000000000 : f64
  %scale = arith.constant 0.57735026918962573 : f64

  %q, %k, %v = boostr.fused_qkv %x, %wqkv bias(%bqkv) num_heads = 2 num_kv_heads = 1 head_dim = 3
      : tensor<2x3x4xf64>, tensor<12x4xf64>, tensor<12xf64>
  %k1 = tensor.collapse_shape %k [[0, 1], [2], [3]] : tensor<2x1x3x3xf64> into tensor<2x3x3xf64>
  %v1 = tensor.collapse_shape %v [[0, 1], [2], [3]] : tensor<2x1x3x3xf64> into tensor<2x3x3xf64>

  // scores = q @ k^T / sqrt(D)
  %scores_init = tensor.empty() : tensor<2x2x3x3xf64>
  %scores_zero = linalg.fill ins(%zero : f64) outs(%scores_init : tensor<2x2x3x3xf64>) -> tensor<2x2x3x3xf64>
  %scores = linalg.contract
      indexing_maps = [affine_map<(b, h, s, t, d) -> (b, h, s, d)>,
                       affine_map<(b, h, s, t, d) -> (b, t, d)>,
                       affine_map<(b, h, s, t, d) -> (b, h, s, t)>]
      ins(%q, %k1 : tensor<2x2x3x3xf64>, tensor<2x3x3xf64>)
      outs(%scores_zero : tensor<2x2x3x3xf64>) -> tensor<2x2x3x3xf64>
  %scaled = linalg.generic {indexing_maps = [#id4, #id4], iterator_types = ["parallel", "parallel", "parallel", "parallel"]}
      ins(%scores : tensor<2x2x3x3xf64>) outs(%scores_init : tensor<2x2x3x3xf64>) {
  ^bb0(%s: f64, %o: f64):
    %0 = arith.mulf %s, %scale : f64
    linalg.yield %0 : f64
  } -> tensor<2x2x3x3xf64>

  // p = softmax(scores)
  %row_init = tensor.empty() : tensor<2x2x3xf64>
  %max_init = linalg.fill ins(%low : f64) outs(%row_init : tensor<2x2x3xf64>) -> tensor<2x2x3xf64>
  %max = linalg.reduce { arith.maximumf } ins(%scaled : tensor<2x2x3x3xf64>) outs(%max_init : tensor<2x2x3xf64>) dimensions = [3]
  %max_rows = linalg.broadcast ins(%max : tensor<2x2x3xf64>) outs(%scores_init : tensor<2x2x3x3xf64>) dimensions = [3]
  %shifted = linalg.sub ins(%scaled, %max_rows : tensor<2x2x3x3xf64>, tensor<2x2x3x3xf64>) outs(%scores_init : tensor<2x2x3x3xf64>) -> tensor<2x2x3x3xf64>
  %exp = linalg.exp ins(%shifted : tensor<2x2x3x3xf64>) outs(%scores_init : tensor<2x2x3x3xf64>) -> tensor<2x2x3x3xf64>
  %sum_init = linalg.fill ins(%zero : f64) outs(%row_init : tensor<2x2x3xf64>) -> tensor<2x2x3xf64>
  %sum = linalg.reduce { arith.addf } ins(%exp : tensor<2x2x3x3xf64>) outs(%sum_init : tensor<2x2x3xf64>) dimensions = [3]
  %sum_rows = linalg.broadcast ins(%sum : tensor<2x2x3xf64>) outs(%scores_init : tensor<2x2x3x3xf64>) dimensions = [3]
  %p = linalg.div ins(%exp, %sum_rows : tensor<2x2x3x3xf64>, tensor<2x2x3x3xf64>) outs(%scores_init : tensor<2x2x3x3xf64>) -> tensor<2x2x3x3xf64>

  // context = p @ v, heads merged
  %context = linalg.contract
      indexing_maps = [affine_map<(b, h, s, d, t) -> (b, h, s, t)>,
                       affine_map<(b, h, s, d, t) -> (b, t, d)>,
                       affine_map<(b, h, s, d, t) -> (b, h, s, d)>]
      ins(%p, %v1 : tensor<2x2x3x3xf64>, tensor<2x3x3xf64>)
      outs(%scores_zero : tensor<2x2x3x3xf64>) -> tensor<2x2x3x3xf64>
  %tokens_init = tensor.empty() : tensor<2x3x2x3xf64>
  %tokens = linalg.transpose ins(%context : tensor<2x2x3x3xf64>) outs(%tokens_init : tensor<2x3x2x3xf64>) permutation = [0, 2, 1, 3]
  %merged = tensor.collapse_shape %tokens [[0], [1], [2, 3]] : tensor<2x3x2x3xf64> into tensor<2x3x6xf64>

  %y = boostr.out_proj_residual %merged, %wo bias(%bo) residual(%x)
      : tensor<2x3x6xf64>, tensor<4x6xf64>, tensor<4xf64>, tensor<2x3x4xf64>
  return %y : tensor<2x3x4xf64>
}

// Dynamic batch and tokens, causal, written as a front end does: heads folded into
// the batch of batch_matmul, fused softmax bodies. The gradient through the maximum
// is zero in exact arithmetic; told so, the pass leaves it out.

// CHECK-LABEL: func.func @causal_attention_vjp(
// CHECK: boostr.fused_qkv %
// CHECK: linalg.batch_matmul
// CHECK: boostr.stop_gradient
// CHECK: boostr.out_proj_residual_grad {{.*}} wrt(attn, weight)
// CHECK: linalg.transpose {{.*}} permutation = [0, 2, 1, 3]
// No search for the winner of the maximum.
// CHECK-NOT: i64
// CHECK: boostr.fused_qkv_grad {{.*}} wrt(input, weight)
// CHECK: return
func.func @causal_attention(%x: tensor<?x?x4xf64>, %wqkv: tensor<12x4xf64>, %wo: tensor<4x4xf64>) -> tensor<?x?x4xf64>
    attributes {boostr.differentiate} {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c2 = arith.constant 2 : index
  %zero = arith.constant 0.0 : f64
  %low = arith.constant 0xFFF0000000000000 : f64
  %scale = arith.constant 0.70710678118654757 : f64
  %batch = tensor.dim %x, %c0 : tensor<?x?x4xf64>
  %tokens = tensor.dim %x, %c1 : tensor<?x?x4xf64>
  %folded = arith.muli %batch, %c2 : index

  %q, %k, %v = boostr.fused_qkv %x, %wqkv num_heads = 2 num_kv_heads = 2 head_dim = 2
      : tensor<?x?x4xf64>, tensor<12x4xf64>
  %q3 = tensor.collapse_shape %q [[0, 1], [2], [3]] : tensor<?x2x?x2xf64> into tensor<?x?x2xf64>
  %k3 = tensor.collapse_shape %k [[0, 1], [2], [3]] : tensor<?x2x?x2xf64> into tensor<?x?x2xf64>
  %v3 = tensor.collapse_shape %v [[0, 1], [2], [3]] : tensor<?x2x?x2xf64> into tensor<?x?x2xf64>

  %scores_init = tensor.empty(%folded, %tokens, %tokens) : tensor<?x?x?xf64>
  %scores_zero = linalg.fill ins(%zero : f64) outs(%scores_init : tensor<?x?x?xf64>) -> tensor<?x?x?xf64>
  %scores = linalg.batch_matmul indexing_maps = [#bmk, #bnk, #bmn]
      ins(%q3, %k3 : tensor<?x?x2xf64>, tensor<?x?x2xf64>) outs(%scores_zero : tensor<?x?x?xf64>) -> tensor<?x?x?xf64>
  %masked = linalg.generic {indexing_maps = [#id3, #id3], iterator_types = ["parallel", "parallel", "parallel"]}
      ins(%scores : tensor<?x?x?xf64>) outs(%scores_init : tensor<?x?x?xf64>) {
  ^bb0(%s: f64, %o: f64):
    %i = linalg.index 1 : index
    %j = linalg.index 2 : index
    %future = arith.cmpi ugt, %j, %i : index
    %0 = arith.mulf %s, %scale : f64
    %1 = arith.select %future, %low, %0 : f64
    linalg.yield %1 : f64
  } -> tensor<?x?x?xf64>

  %row_init = tensor.empty(%folded, %tokens) : tensor<?x?xf64>
  %max_init = linalg.fill ins(%low : f64) outs(%row_init : tensor<?x?xf64>) -> tensor<?x?xf64>
  %max = linalg.generic {indexing_maps = [#id3, #row3], iterator_types = ["parallel", "parallel", "reduction"]}
      ins(%masked : tensor<?x?x?xf64>) outs(%max_init : tensor<?x?xf64>) attrs = {boostr.stop_gradient} {
  ^bb0(%s: f64, %m: f64):
    %0 = arith.maximumf %s, %m : f64
    linalg.yield %0 : f64
  } -> tensor<?x?xf64>
  %exp = linalg.generic {indexing_maps = [#id3, #row3, #id3], iterator_types = ["parallel", "parallel", "parallel"]}
      ins(%masked, %max : tensor<?x?x?xf64>, tensor<?x?xf64>) outs(%scores_init : tensor<?x?x?xf64>) {
  ^bb0(%s: f64, %m: f64, %o: f64):
    %0 = arith.subf %s, %m : f64
    %1 = math.exp %0 : f64
    linalg.yield %1 : f64
  } -> tensor<?x?x?xf64>
  %sum_init = linalg.fill ins(%zero : f64) outs(%row_init : tensor<?x?xf64>) -> tensor<?x?xf64>
  %sum = linalg.generic {indexing_maps = [#id3, #row3], iterator_types = ["parallel", "parallel", "reduction"]}
      ins(%exp : tensor<?x?x?xf64>) outs(%sum_init : tensor<?x?xf64>) {
  ^bb0(%e: f64, %acc: f64):
    %0 = arith.addf %acc, %e : f64
    linalg.yield %0 : f64
  } -> tensor<?x?xf64>
  %p = linalg.generic {indexing_maps = [#id3, #row3, #id3], iterator_types = ["parallel", "parallel", "parallel"]}
      ins(%exp, %sum : tensor<?x?x?xf64>, tensor<?x?xf64>) outs(%scores_init : tensor<?x?x?xf64>) {
  ^bb0(%e: f64, %s: f64, %o: f64):
    %0 = arith.divf %e, %s : f64
    linalg.yield %0 : f64
  } -> tensor<?x?x?xf64>

  %context_init = tensor.empty(%folded, %tokens) : tensor<?x?x2xf64>
  %context_zero = linalg.fill ins(%zero : f64) outs(%context_init : tensor<?x?x2xf64>) -> tensor<?x?x2xf64>
  %context = linalg.batch_matmul ins(%p, %v3 : tensor<?x?x?xf64>, tensor<?x?x2xf64>) outs(%context_zero : tensor<?x?x2xf64>) -> tensor<?x?x2xf64>
  %heads = tensor.expand_shape %context [[0, 1], [2], [3]] output_shape [%batch, 2, %tokens, 2] : tensor<?x?x2xf64> into tensor<?x2x?x2xf64>
  %tokens_init = tensor.empty(%batch, %tokens) : tensor<?x?x2x2xf64>
  %by_token = linalg.transpose ins(%heads : tensor<?x2x?x2xf64>) outs(%tokens_init : tensor<?x?x2x2xf64>) permutation = [0, 2, 1, 3]
  %merged = tensor.collapse_shape %by_token [[0], [1], [2, 3]] : tensor<?x?x2x2xf64> into tensor<?x?x4xf64>

  %y = boostr.out_proj_residual %merged, %wo residual(%x)
      : tensor<?x?x4xf64>, tensor<4x4xf64>, tensor<?x?x4xf64>
  return %y : tensor<?x?x4xf64>
}
