// RUN: boostr-opt %s --transform-interpreter -split-input-file --canonicalize --cse | FileCheck %s

// Upstream's transform ops tile the ops through TilingInterface.

module attributes {transform.with_named_sequence} {
  // CHECK-LABEL: func.func @out_proj_residual(
  // CHECK-SAME: %[[A:[^:]*]]: tensor<2x6x8xf32>, %[[W:[^:]*]]: tensor<4x8xf32>, %[[B:[^:]*]]: tensor<4xf32>, %[[R:[^:]*]]: tensor<2x6x4xf32>
  // CHECK: scf.forall (%[[I:.*]], %[[S0:.*]], %[[N0:.*]]) in (2, 2, 2) shared_outs(%[[OUT:.*]] = %{{.*}})
  // CHECK-DAG: %[[S:.*]] = affine.apply #{{.*}}(%[[S0]])
  // CHECK-DAG: %[[N:.*]] = affine.apply #{{.*}}(%[[N0]])
  // CHECK-DAG: %[[AT:.*]] = tensor.extract_slice %[[A]][%[[I]], %[[S]], 0] [1, 3, 8]
  // CHECK-DAG: %[[WT:.*]] = tensor.extract_slice %[[W]][%[[N]], 0] [2, 8]
  // CHECK-DAG: %[[BT:.*]] = tensor.extract_slice %[[B]][%[[N]]] [2]
  // CHECK-DAG: %[[RT:.*]] = tensor.extract_slice %[[R]][%[[I]], %[[S]], %[[N]]] [1, 3, 2]
  // CHECK: %[[Y:.*]] = boostr.out_proj_residual %[[AT]], %[[WT]] bias(%[[BT]]) residual(%[[RT]]) {note}
  // CHECK: tensor.parallel_insert_slice %[[Y]] into %[[OUT]][%[[I]], %[[S]], %[[N]]] [1, 3, 2]
  func.func @out_proj_residual(%a: tensor<2x6x8xf32>, %w: tensor<4x8xf32>, %b: tensor<4xf32>,
      %r: tensor<2x6x4xf32>) -> tensor<2x6x4xf32> {
    %y = boostr.out_proj_residual %a, %w bias(%b) residual(%r) {note}
        : tensor<2x6x8xf32>, tensor<4x8xf32>, tensor<4xf32>, tensor<2x6x4xf32>
    return %y : tensor<2x6x4xf32>
  }
  transform.named_sequence @__transform_main(%root: !transform.any_op {transform.readonly}) {
    %op = transform.structured.match ops{["boostr.out_proj_residual"]} in %root
        : (!transform.any_op) -> !transform.any_op
    %tiled, %loop = transform.structured.tile_using_forall %op tile_sizes [1, 3, 2]
        : (!transform.any_op) -> (!transform.any_op, !transform.any_op)
    transform.yield
  }
}

// -----

// Dynamic extents that the sizes need not divide.
module attributes {transform.with_named_sequence} {
  // CHECK-DAG: #[[REST:.*]] = affine_map<(d0)[s0] -> (-d0 + s0, 3)>
  // CHECK-LABEL: func.func @out_proj_residual_dynamic(
  // CHECK: scf.for %[[S:.*]] = %c0 to %{{.*}} step %c3 iter_args(%[[OUT:.*]] = %{{.*}})
  // CHECK: %[[SIZE:.*]] = affine.min #[[REST]](%[[S]])
  // CHECK: %[[Y:.*]] = boostr.out_proj_residual {{.*}} : tensor<?x?x8xf32>, tensor<4x8xf32>, tensor<?x?x4xf32>
  // CHECK: tensor.insert_slice %[[Y]] into %[[OUT]][0, %[[S]], 0] [%{{.*}}, %[[SIZE]], 4]
  func.func @out_proj_residual_dynamic(%a: tensor<?x?x8xf32>, %w: tensor<4x8xf32>,
      %r: tensor<?x?x4xf32>) -> tensor<?x?x4xf32> {
    %y = boostr.out_proj_residual %a, %w residual(%r)
        : tensor<?x?x8xf32>, tensor<4x8xf32>, tensor<?x?x4xf32>
    return %y : tensor<?x?x4xf32>
  }
  transform.named_sequence @__transform_main(%root: !transform.any_op {transform.readonly}) {
    %op = transform.structured.match ops{["boostr.out_proj_residual"]} in %root
        : (!transform.any_op) -> !transform.any_op
    %tiled, %loop = transform.structured.tile_using_for %op tile_sizes [0, 3, 0]
        : (!transform.any_op) -> (!transform.any_op, !transform.any_op)
    transform.yield
  }
}

// -----

// Token tiles of fused_qkv are fused_qkv.
module attributes {transform.with_named_sequence} {
  // CHECK-LABEL: func.func @fused_qkv_tokens(
  // CHECK-SAME: %[[X:[^:]*]]: tensor<2x?x8xbf16>, %[[W:[^:]*]]: tensor<24x8xbf16>, %[[B:[^:]*]]: tensor<24xbf16>
  // CHECK: scf.forall (%{{.*}}) in (4)
  // CHECK: %[[XT:.*]] = tensor.extract_slice %[[X]][0, %{{.*}}, 0] [2, %{{.*}}, 8]
  // CHECK: boostr.fused_qkv %[[XT]], %[[W]] bias(%[[B]]) num_heads = 4 num_kv_heads = 1 head_dim = 4 :
  // CHECK: tensor.parallel_insert_slice %{{.*}} [2, 4, %{{.*}}, 4]
  // CHECK: tensor.parallel_insert_slice %{{.*}} [2, 1, %{{.*}}, 4]
  // CHECK: tensor.parallel_insert_slice %{{.*}} [2, 1, %{{.*}}, 4]
  func.func @fused_qkv_tokens(%x: tensor<2x?x8xbf16>, %w: tensor<24x8xbf16>, %b: tensor<24xbf16>)
      -> (tensor<2x4x?x4xbf16>, tensor<2x1x?x4xbf16>, tensor<2x1x?x4xbf16>) {
    %q, %k, %v = boostr.fused_qkv %x, %w bias(%b) num_heads = 4 num_kv_heads = 1 head_dim = 4
        : tensor<2x?x8xbf16>, tensor<24x8xbf16>, tensor<24xbf16>
    return %q, %k, %v : tensor<2x4x?x4xbf16>, tensor<2x1x?x4xbf16>, tensor<2x1x?x4xbf16>
  }
  transform.named_sequence @__transform_main(%root: !transform.any_op {transform.readonly}) {
    %op = transform.structured.match ops{["boostr.fused_qkv"]} in %root
        : (!transform.any_op) -> !transform.any_op
    %tiled, %loop = transform.structured.tile_using_forall %op num_threads [0, 4, 0]
        : (!transform.any_op) -> (!transform.any_op, !transform.any_op)
    transform.yield
  }
}

// -----

// A tile of head groups reads its rows of query, key and value, which no
// fused_qkv does. Two groups here, of 3 query heads and 2 key and value heads.
module attributes {transform.with_named_sequence} {
  // CHECK-DAG: #[[QROW:.*]] = affine_map<()[s0] -> (s0 * 12)>
  // CHECK-DAG: #[[KROW:.*]] = affine_map<()[s0] -> (s0 * 8 + 24)>
  // CHECK-DAG: #[[VROW:.*]] = affine_map<()[s0] -> (s0 * 8 + 40)>
  // CHECK-DAG: #[[QHEAD:.*]] = affine_map<()[s0] -> (s0 * 3)>
  // CHECK-DAG: #[[KHEAD:.*]] = affine_map<()[s0] -> (s0 * 2)>
  // CHECK-LABEL: func.func @fused_qkv_heads(
  // CHECK-SAME: %[[X:[^:]*]]: tensor<2x5x8xf32>, %[[W:[^:]*]]: tensor<56x8xf32>, %[[B:[^:]*]]: tensor<56xf32>
  // CHECK: scf.forall (%[[G:.*]]) in (2)
  // CHECK-NOT: boostr
  // CHECK: %[[QR:.*]] = affine.apply #[[QROW]]()[%[[G]]]
  // CHECK: tensor.extract_slice %[[W]][%[[QR]], 0] [12, 8]
  // CHECK: linalg.contract {{.*}} ins(%[[X]], %{{.*}} : tensor<2x5x8xf32>, tensor<3x4x8xf32>) outs(%{{.*}} : tensor<2x3x5x4xf32>)
  // CHECK: tensor.extract_slice %[[B]][%[[QR]]] [12]
  // CHECK: %[[KR:.*]] = affine.apply #[[KROW]]()[%[[G]]]
  // CHECK: tensor.extract_slice %[[W]][%[[KR]], 0] [8, 8]
  // CHECK: %[[VR:.*]] = affine.apply #[[VROW]]()[%[[G]]]
  // CHECK: tensor.extract_slice %[[W]][%[[VR]], 0] [8, 8]
  // CHECK: %[[QH:.*]] = affine.apply #[[QHEAD]]()[%[[G]]]
  // CHECK: %[[KH:.*]] = affine.apply #[[KHEAD]]()[%[[G]]]
  // CHECK: tensor.parallel_insert_slice %{{.*}}[0, %[[QH]], 0, 0] [2, 3, 5, 4]
  // CHECK: tensor.parallel_insert_slice %{{.*}}[0, %[[KH]], 0, 0] [2, 2, 5, 4]
  // CHECK: tensor.parallel_insert_slice %{{.*}}[0, %[[KH]], 0, 0] [2, 2, 5, 4]
  func.func @fused_qkv_heads(%x: tensor<2x5x8xf32>, %w: tensor<56x8xf32>, %b: tensor<56xf32>)
      -> (tensor<2x6x5x4xf32>, tensor<2x4x5x4xf32>, tensor<2x4x5x4xf32>) {
    %q, %k, %v = boostr.fused_qkv %x, %w bias(%b) num_heads = 6 num_kv_heads = 4 head_dim = 4
        : tensor<2x5x8xf32>, tensor<56x8xf32>, tensor<56xf32>
    return %q, %k, %v : tensor<2x6x5x4xf32>, tensor<2x4x5x4xf32>, tensor<2x4x5x4xf32>
  }
  transform.named_sequence @__transform_main(%root: !transform.any_op {transform.readonly}) {
    %op = transform.structured.match ops{["boostr.fused_qkv"]} in %root
        : (!transform.any_op) -> !transform.any_op
    %tiled, %loop = transform.structured.tile_using_forall %op tile_sizes [0, 0, 1]
        : (!transform.any_op) -> (!transform.any_op, !transform.any_op)
    transform.yield
  }
}

// -----

// Groups of heads of separate weights are rows of each.
module attributes {transform.with_named_sequence} {
  // CHECK-DAG: #[[QROW:.*]] = affine_map<()[s0] -> (s0 * 12)>
  // CHECK-DAG: #[[KROW:.*]] = affine_map<()[s0] -> (s0 * 8)>
  // CHECK-LABEL: func.func @fused_qkv_separate_heads(
  // CHECK-SAME: %{{[^:]*}}: tensor<2x5x8xf32>, %[[WQ:[^:]*]]: tensor<24x8xf32>, %[[WK:[^:]*]]: tensor<16x8xf32>, %[[WV:[^:]*]]: tensor<16x8xf32>
  // CHECK: %[[QR:.*]] = affine.apply #[[QROW]]
  // CHECK: tensor.extract_slice %[[WQ]][%[[QR]], 0] [12, 8]
  // CHECK: %[[KR:.*]] = affine.apply #[[KROW]]
  // CHECK: tensor.extract_slice %[[WK]][%[[KR]], 0] [8, 8]
  // CHECK: tensor.extract_slice %[[WV]][%[[KR]], 0] [8, 8]
  func.func @fused_qkv_separate_heads(%x: tensor<2x5x8xf32>, %wq: tensor<24x8xf32>,
      %wk: tensor<16x8xf32>, %wv: tensor<16x8xf32>)
      -> (tensor<2x6x5x4xf32>, tensor<2x4x5x4xf32>, tensor<2x4x5x4xf32>) {
    %q, %k, %v = boostr.fused_qkv %x, %wq, %wk, %wv num_heads = 6 num_kv_heads = 4 head_dim = 4
        : tensor<2x5x8xf32>, tensor<24x8xf32>, tensor<16x8xf32>, tensor<16x8xf32>
    return %q, %k, %v : tensor<2x6x5x4xf32>, tensor<2x4x5x4xf32>, tensor<2x4x5x4xf32>
  }
  transform.named_sequence @__transform_main(%root: !transform.any_op {transform.readonly}) {
    %op = transform.structured.match ops{["boostr.fused_qkv"]} in %root
        : (!transform.any_op) -> !transform.any_op
    %tiled, %loop = transform.structured.tile_using_forall %op tile_sizes [0, 0, 1]
        : (!transform.any_op) -> (!transform.any_op, !transform.any_op)
    transform.yield
  }
}

// -----

// Columns of all separate weights and of what their gradients add to.
module attributes {transform.with_named_sequence} {
  // CHECK-LABEL: func.func @fused_qkv_grad_separate(
  // CHECK-SAME: %[[X:[^:]*]]: tensor<2x3x8xf32>, %[[WQ:[^:]*]]: tensor<8x8xf32>, %[[WK:[^:]*]]: tensor<4x8xf32>
  // CHECK: scf.forall (%{{.*}}) in (2)
  // CHECK-DAG: %[[XT:.*]] = tensor.extract_slice %[[X]][0, 0, %{{.*}}] [2, 3, 4]
  // CHECK-DAG: %[[QT:.*]] = tensor.extract_slice %[[WQ]][0, %{{.*}}] [8, 4]
  // CHECK-DAG: %[[KT:.*]] = tensor.extract_slice %[[WK]][0, %{{.*}}] [4, 4]
  // CHECK: %[[G:.*]]:4 = boostr.fused_qkv_grad %{{.*}}, %{{.*}}, %{{.*}}, %[[XT]], %[[QT]], %[[KT]], %[[KT]] accumulate_weight(%{{.*}}, %{{.*}}, %{{.*}}) wrt(input, weight)
  // CHECK: tensor.parallel_insert_slice %[[G]]#0 into %{{.*}} [2, 3, 4]
  // CHECK: tensor.parallel_insert_slice %[[G]]#1 into %{{.*}} [8, 4]
  // CHECK: tensor.parallel_insert_slice %[[G]]#2 into %{{.*}} [4, 4]
  // CHECK: tensor.parallel_insert_slice %[[G]]#3 into %{{.*}} [4, 4]
  func.func @fused_qkv_grad_separate(%x: tensor<2x3x8xf32>, %wq: tensor<8x8xf32>,
      %wk: tensor<4x8xf32>, %dq: tensor<2x2x3x4xf32>, %dk: tensor<2x1x3x4xf32>)
      -> (tensor<2x3x8xf32>, tensor<8x8xf32>, tensor<4x8xf32>, tensor<4x8xf32>) {
    %g:4 = boostr.fused_qkv_grad %dq, %dk, %dk, %x, %wq, %wk, %wk accumulate_weight(%wq, %wk, %wk)
        wrt(input, weight) num_heads = 2 num_kv_heads = 1 head_dim = 4
        : tensor<2x2x3x4xf32>, tensor<2x1x3x4xf32>, tensor<2x1x3x4xf32>, tensor<2x3x8xf32>,
          tensor<8x8xf32>, tensor<4x8xf32>, tensor<4x8xf32>, tensor<8x8xf32>, tensor<4x8xf32>,
          tensor<4x8xf32>
    return %g#0, %g#1, %g#2, %g#3 : tensor<2x3x8xf32>, tensor<8x8xf32>, tensor<4x8xf32>, tensor<4x8xf32>
  }
  transform.named_sequence @__transform_main(%root: !transform.any_op {transform.readonly}) {
    %op = transform.structured.match ops{["boostr.fused_qkv_grad"]} in %root
        : (!transform.any_op) -> !transform.any_op
    %tiled, %loop = transform.structured.tile_using_forall %op tile_sizes [4]
        : (!transform.any_op) -> (!transform.any_op, !transform.any_op)
    transform.yield
  }
}

// -----

// A tile that may or may not cover every group is a tile of groups.
module attributes {transform.with_named_sequence} {
  // CHECK-LABEL: func.func @fused_qkv_heads_rest(
  // CHECK: scf.for
  // CHECK: %[[SIZE:.*]] = affine.min
  // CHECK: tensor.expand_shape %{{.*}} output_shape [%{{.*}}, 4, 8] : tensor<?x8xf16> into tensor<?x4x8xf16>
  // CHECK: linalg.contract {{.*}} : tensor<2x5x8xf16>, tensor<?x4x8xf16>) outs(%{{.*}} : tensor<2x?x5x4xf32>)
  // CHECK: arith.truncf
  // CHECK: tensor.insert_slice %{{.*}} : tensor<2x?x5x4xf16> into tensor<2x6x5x4xf16>
  func.func @fused_qkv_heads_rest(%x: tensor<2x5x8xf16>, %w: tensor<48x8xf16>) -> tensor<2x6x5x4xf16> {
    %q, %k, %v = boostr.fused_qkv %x, %w num_heads = 6 num_kv_heads = 3 head_dim = 4
        : tensor<2x5x8xf16>, tensor<48x8xf16>
    return %q : tensor<2x6x5x4xf16>
  }
  transform.named_sequence @__transform_main(%root: !transform.any_op {transform.readonly}) {
    %op = transform.structured.match ops{["boostr.fused_qkv"]} in %root
        : (!transform.any_op) -> !transform.any_op
    %tiled, %loop = transform.structured.tile_using_for %op tile_sizes [0, 0, 2]
        : (!transform.any_op) -> (!transform.any_op, !transform.any_op)
    transform.yield
  }
}

// -----

// Gradients of activations: tokens and columns.
module attributes {transform.with_named_sequence} {
  // CHECK-LABEL: func.func @fused_qkv_grad_input(
  // CHECK-SAME: %[[DQ:[^:]*]]: tensor<2x2x6x4xf32>, %[[DK:[^:]*]]: tensor<2x1x6x4xf32>, %[[X:[^:]*]]: tensor<2x6x8xf32>, %[[W:[^:]*]]: tensor<16x8xf32>
  // CHECK: scf.forall (%[[I:.*]], %[[S0:.*]], %[[C0:.*]]) in (2, 2, 2)
  // CHECK-DAG: %[[S:.*]] = affine.apply #{{.*}}(%[[S0]])
  // CHECK-DAG: %[[C:.*]] = affine.apply #{{.*}}(%[[C0]])
  // CHECK-DAG: %[[DQT:.*]] = tensor.extract_slice %[[DQ]][%[[I]], 0, %[[S]], 0] [1, 2, 3, 4]
  // CHECK-DAG: %[[DKT:.*]] = tensor.extract_slice %[[DK]][%[[I]], 0, %[[S]], 0] [1, 1, 3, 4]
  // CHECK-DAG: %[[XT:.*]] = tensor.extract_slice %[[X]][%[[I]], %[[S]], %[[C]]] [1, 3, 4]
  // CHECK-DAG: %[[WT:.*]] = tensor.extract_slice %[[W]][0, %[[C]]] [16, 4]
  // CHECK: %[[DX:.*]] = boostr.fused_qkv_grad %[[DQT]], %[[DKT]], %[[DKT]], %[[XT]], %[[WT]] wrt(input)
  // CHECK: tensor.parallel_insert_slice %[[DX]] into %{{.*}}[%[[I]], %[[S]], %[[C]]] [1, 3, 4]
  func.func @fused_qkv_grad_input(%dq: tensor<2x2x6x4xf32>, %dk: tensor<2x1x6x4xf32>,
      %x: tensor<2x6x8xf32>, %w: tensor<16x8xf32>) -> tensor<2x6x8xf32> {
    %dx = boostr.fused_qkv_grad %dq, %dk, %dk, %x, %w wrt(input) num_heads = 2 num_kv_heads = 1
        head_dim = 4 : tensor<2x2x6x4xf32>, tensor<2x1x6x4xf32>, tensor<2x1x6x4xf32>,
        tensor<2x6x8xf32>, tensor<16x8xf32>
    return %dx : tensor<2x6x8xf32>
  }
  transform.named_sequence @__transform_main(%root: !transform.any_op {transform.readonly}) {
    %op = transform.structured.match ops{["boostr.fused_qkv_grad"]} in %root
        : (!transform.any_op) -> !transform.any_op
    %tiled, %loop = transform.structured.tile_using_forall %op tile_sizes [1, 3, 4]
        : (!transform.any_op) -> (!transform.any_op, !transform.any_op)
    transform.yield
  }
}

// -----

module attributes {transform.with_named_sequence} {
  // CHECK-LABEL: func.func @out_proj_residual_grad_attn(
  // CHECK: scf.for
  // CHECK: boostr.out_proj_residual_grad %{{.*}} wrt(attn) : tensor<1x?x4xf32>, tensor<1x?x8xf32>, tensor<4x8xf32>
  func.func @out_proj_residual_grad_attn(%dy: tensor<1x?x4xf32>, %a: tensor<1x?x8xf32>, %w: tensor<4x8xf32>)
      -> tensor<1x?x8xf32> {
    %da = boostr.out_proj_residual_grad %dy, %a, %w wrt(attn)
        : tensor<1x?x4xf32>, tensor<1x?x8xf32>, tensor<4x8xf32>
    return %da : tensor<1x?x8xf32>
  }
  transform.named_sequence @__transform_main(%root: !transform.any_op {transform.readonly}) {
    %op = transform.structured.match ops{["boostr.out_proj_residual_grad"]} in %root
        : (!transform.any_op) -> !transform.any_op
    %tiled, %loop = transform.structured.tile_using_for %op tile_sizes [0, 16]
        : (!transform.any_op) -> (!transform.any_op, !transform.any_op)
    transform.yield
  }
}

// -----

// The gradient of a weight: columns of it and of what it accumulates into.
module attributes {transform.with_named_sequence} {
  // CHECK-LABEL: func.func @out_proj_residual_grad_weight(
  // CHECK-SAME: %[[DY:[^:]*]]: tensor<2x3x4xbf16>, %[[A:[^:]*]]: tensor<2x3x8xbf16>, %[[W:[^:]*]]: tensor<4x8xbf16>, %[[DW:[^:]*]]: tensor<4x8xf32>
  // CHECK: %[[AT:.*]] = tensor.extract_slice %[[A]][0, 0, %[[C:.*]]] [2, 3, 4]
  // CHECK: %[[WT:.*]] = tensor.extract_slice %[[W]][0, %[[C]]] [4, 4]
  // CHECK: %[[DWT:.*]] = tensor.extract_slice %[[DW]][0, %[[C]]] [4, 4]
  // CHECK: boostr.out_proj_residual_grad %[[DY]], %[[AT]], %[[WT]] accumulate_weight(%[[DWT]]) wrt(weight)
  func.func @out_proj_residual_grad_weight(%dy: tensor<2x3x4xbf16>, %a: tensor<2x3x8xbf16>,
      %w: tensor<4x8xbf16>, %dw0: tensor<4x8xf32>) -> tensor<4x8xf32> {
    %dw = boostr.out_proj_residual_grad %dy, %a, %w accumulate_weight(%dw0) wrt(weight)
        : tensor<2x3x4xbf16>, tensor<2x3x8xbf16>, tensor<4x8xbf16>, tensor<4x8xf32>
    return %dw : tensor<4x8xf32>
  }
  transform.named_sequence @__transform_main(%root: !transform.any_op {transform.readonly}) {
    %op = transform.structured.match ops{["boostr.out_proj_residual_grad"]} in %root
        : (!transform.any_op) -> !transform.any_op
    %tiled, %loop = transform.structured.tile_using_forall %op tile_sizes [4]
        : (!transform.any_op) -> (!transform.any_op, !transform.any_op)
    transform.yield
  }
}

// -----

// Both of them, by columns, with a loop that does not divide them.
module attributes {transform.with_named_sequence} {
  // CHECK-LABEL: func.func @fused_qkv_grad_both(
  // CHECK: scf.forall (%{{.*}}) in (3)
  // CHECK: %[[C:.*]] = affine.apply
  // CHECK: %[[SIZE:.*]] = affine.min
  // CHECK: %[[G:.*]]:2 = boostr.fused_qkv_grad %{{.*}} wrt(input, weight) num_heads = 1 {{.*}}tensor<2x3x?xf32>, tensor<12x?xf32>
  // CHECK-DAG: tensor.parallel_insert_slice %[[G]]#0 into %{{.*}}[0, 0, %[[C]]] [2, 3, %[[SIZE]]]
  // CHECK-DAG: tensor.parallel_insert_slice %[[G]]#1 into %{{.*}}[0, %[[C]]] [12, %[[SIZE]]]
  func.func @fused_qkv_grad_both(%dy: tensor<2x1x3x4xf32>, %x: tensor<2x3x8xf32>, %w: tensor<12x8xf32>)
      -> (tensor<2x3x8xf32>, tensor<12x8xf32>) {
    %dx, %dw = boostr.fused_qkv_grad %dy, %dy, %dy, %x, %w wrt(input, weight)
        num_heads = 1 num_kv_heads = 1 head_dim = 4 : tensor<2x1x3x4xf32>, tensor<2x1x3x4xf32>,
        tensor<2x1x3x4xf32>, tensor<2x3x8xf32>, tensor<12x8xf32>
    return %dx, %dw : tensor<2x3x8xf32>, tensor<12x8xf32>
  }
  transform.named_sequence @__transform_main(%root: !transform.any_op {transform.readonly}) {
    %op = transform.structured.match ops{["boostr.fused_qkv_grad"]} in %root
        : (!transform.any_op) -> !transform.any_op
    %tiled, %loop = transform.structured.tile_using_forall %op tile_sizes [3]
        : (!transform.any_op) -> (!transform.any_op, !transform.any_op)
    transform.yield
  }
}

// -----

// A consumer's tiles take in what they read of the ops.
module attributes {transform.with_named_sequence} {
  // CHECK-LABEL: func.func @fuse(
  // CHECK: scf.for
  // CHECK: %[[Y:.*]] = boostr.out_proj_residual %{{.*}} : tensor<2x3x8xf32>, tensor<4x8xf32>, tensor<2x3x4xf32>
  // CHECK: linalg.exp ins(%[[Y]] : tensor<2x3x4xf32>)
  func.func @fuse(%a: tensor<2x6x8xf32>, %w: tensor<4x8xf32>, %r: tensor<2x6x4xf32>) -> tensor<2x6x4xf32> {
    %y = boostr.out_proj_residual %a, %w residual(%r)
        : tensor<2x6x8xf32>, tensor<4x8xf32>, tensor<2x6x4xf32>
    %e = tensor.empty() : tensor<2x6x4xf32>
    %z = linalg.exp ins(%y : tensor<2x6x4xf32>) outs(%e : tensor<2x6x4xf32>) -> tensor<2x6x4xf32>
    return %z : tensor<2x6x4xf32>
  }
  transform.named_sequence @__transform_main(%root: !transform.any_op {transform.readonly}) {
    %op = transform.structured.match ops{["linalg.exp"]} in %root
        : (!transform.any_op) -> !transform.any_op
    %tiled, %loop = transform.structured.fuse %op tile_sizes [0, 3, 0]
        : (!transform.any_op) -> (!transform.any_op, !transform.any_op)
    transform.yield
  }
}

// -----

// A chain of producers, down to the function's argument.
module attributes {transform.with_named_sequence} {
  // CHECK-LABEL: func.func @fuse_chain(
  // CHECK: scf.for
  // CHECK: %[[X:.*]] = linalg.exp {{.*}} -> tensor<2x3x8xf32>
  // CHECK: %[[Q:.*]] = linalg.contract {{.*}} ins(%[[X]], {{.*}} -> tensor<2x2x3x4xf32>
  // CHECK: %[[K:.*]] = linalg.contract {{.*}} ins(%[[X]], {{.*}} -> tensor<2x1x3x4xf32>
  // CHECK: boostr.fused_qkv_grad %[[Q]], %[[K]], %[[K]], %[[X]], %{{.*}} wrt(input)
  // CHECK-NOT: boostr
  // CHECK: return
  func.func @fuse_chain(%x: tensor<2x6x8xf32>, %w: tensor<16x8xf32>) -> tensor<2x6x8xf32> {
    %e = tensor.empty() : tensor<2x6x8xf32>
    %a = linalg.exp ins(%x : tensor<2x6x8xf32>) outs(%e : tensor<2x6x8xf32>) -> tensor<2x6x8xf32>
    %q, %k, %v = boostr.fused_qkv %a, %w num_heads = 2 num_kv_heads = 1 head_dim = 4
        : tensor<2x6x8xf32>, tensor<16x8xf32>
    %dx = boostr.fused_qkv_grad %q, %k, %k, %a, %w wrt(input) num_heads = 2 num_kv_heads = 1
        head_dim = 4 : tensor<2x2x6x4xf32>, tensor<2x1x6x4xf32>, tensor<2x1x6x4xf32>,
        tensor<2x6x8xf32>, tensor<16x8xf32>
    return %dx : tensor<2x6x8xf32>
  }
  transform.named_sequence @__transform_main(%root: !transform.any_op {transform.readonly}) {
    %op = transform.structured.match ops{["boostr.fused_qkv_grad"]} in %root
        : (!transform.any_op) -> !transform.any_op
    %tiled, %loop = transform.structured.fuse %op tile_sizes [0, 3]
        : (!transform.any_op) -> (!transform.any_op, !transform.any_op)
    transform.yield
  }
}

// -----

// A consumer of one result, by heads, computes that one only: key rows 8 to 12.
module attributes {transform.with_named_sequence} {
  // CHECK: #[[KROW:.*]] = affine_map<()[s0] -> (s0 * 4 + 8)>
  // CHECK-LABEL: func.func @fuse_key(
  // CHECK: scf.for %[[J:[a-z0-9]+]] =
  // CHECK: %[[ROW:.*]] = affine.apply #[[KROW]]()[%[[J]]]
  // CHECK: tensor.extract_slice %{{.*}}[%[[ROW]], 0] [4, 8]
  // CHECK-COUNT-1: linalg.contract
  // CHECK-NOT: linalg.contract
  // CHECK: linalg.exp
  func.func @fuse_key(%x: tensor<2x6x8xf32>, %w: tensor<24x8xf32>) -> tensor<2x2x6x4xf32> {
    %q, %k, %v = boostr.fused_qkv %x, %w num_heads = 2 num_kv_heads = 2 head_dim = 4
        : tensor<2x6x8xf32>, tensor<24x8xf32>
    %e = tensor.empty() : tensor<2x2x6x4xf32>
    %z = linalg.exp ins(%k : tensor<2x2x6x4xf32>) outs(%e : tensor<2x2x6x4xf32>) -> tensor<2x2x6x4xf32>
    return %z : tensor<2x2x6x4xf32>
  }
  transform.named_sequence @__transform_main(%root: !transform.any_op {transform.readonly}) {
    %op = transform.structured.match ops{["linalg.exp"]} in %root
        : (!transform.any_op) -> !transform.any_op
    %tiled, %loop = transform.structured.fuse %op tile_sizes [0, 1, 0, 0]
        : (!transform.any_op) -> (!transform.any_op, !transform.any_op)
    transform.yield
  }
}

// -----

// Parts of heads are no tiles of fused_qkv: the consumer is tiled without it.
module attributes {transform.with_named_sequence} {
  // CHECK-LABEL: func.func @untouched_parts_of_heads(
  // CHECK: boostr.fused_qkv
  // CHECK: scf.for
  // CHECK-NOT: linalg.contract
  // CHECK: linalg.exp
  func.func @untouched_parts_of_heads(%x: tensor<2x6x8xf32>, %w: tensor<24x8xf32>) -> tensor<2x2x6x4xf32> {
    %q, %k, %v = boostr.fused_qkv %x, %w num_heads = 2 num_kv_heads = 2 head_dim = 4
        : tensor<2x6x8xf32>, tensor<24x8xf32>
    %e = tensor.empty() : tensor<2x2x6x4xf32>
    %z = linalg.exp ins(%q : tensor<2x2x6x4xf32>) outs(%e : tensor<2x2x6x4xf32>) -> tensor<2x2x6x4xf32>
    return %z : tensor<2x2x6x4xf32>
  }
  transform.named_sequence @__transform_main(%root: !transform.any_op {transform.readonly}) {
    %op = transform.structured.match ops{["linalg.exp"]} in %root
        : (!transform.any_op) -> !transform.any_op
    %tiled, %loop = transform.structured.fuse %op tile_sizes [0, 0, 0, 2]
        : (!transform.any_op) -> (!transform.any_op, !transform.any_op)
    transform.yield
  }
}
