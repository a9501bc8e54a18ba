// RUN: boostr-opt %s --boostr-order-loops | FileCheck %s

#q = affine_map<(b, s, t, d) -> (b, s, d)>
#k = affine_map<(b, s, t, d) -> (b, t, d)>
#v = affine_map<(b, s, d, t) -> (b, t, d)>
#p = affine_map<(b, s, d, t) -> (b, s, t)>
#out = affine_map<(b, s, i, j) -> (b, s, i)>

// Scores: both operands lie along d, so the sum stays innermost and is relaxed.
// CHECK-DAG: #[[Q:.*]] = affine_map<(d0, d1, d2, d3) -> (d0, d1, d3)>
// CHECK-DAG: #[[K:.*]] = affine_map<(d0, d1, d2, d3) -> (d0, d2, d3)>
// CHECK-DAG: #[[OUT:.*]] = affine_map<(d0, d1, d2, d3) -> (d0, d1, d2)>
// CHECK-LABEL: func.func @scores
// CHECK:         linalg.generic {indexing_maps = [#[[Q]], #[[K]], #[[OUT]]]
// CHECK-SAME:      iterator_types = ["parallel", "parallel", "parallel", "reduction"]
// CHECK:           arith.mulf %{{.*}} fastmath<contract>
// CHECK:           arith.addf %{{.*}} fastmath<reassoc,contract>
func.func @scores(%q: memref<?x?x?xf32>, %k: memref<?x?x?xf32>, %out: memref<?x?x?xf32>) {
  linalg.generic {indexing_maps = [#q, #k, #out],
                  iterator_types = ["parallel", "parallel", "parallel", "reduction"]}
      ins(%q, %k : memref<?x?x?xf32>, memref<?x?x?xf32>) outs(%out : memref<?x?x?xf32>) {
  ^bb0(%a: f32, %b: f32, %c: f32):
    %product = arith.mulf %a, %b : f32
    %sum = arith.addf %c, %product : f32
    linalg.yield %sum : f32
  }
  return
}

// Context: values and result lie along d, so the sum over t moves outwards.
// CHECK-LABEL: func.func @context
// CHECK:         linalg.generic {indexing_maps = [#{{.*}}, #{{.*}}, #[[Q]]]
// CHECK-SAME:      iterator_types = ["parallel", "parallel", "reduction", "parallel"]
// CHECK-NOT:       fastmath
// CHECK:           linalg.yield
func.func @context(%p: memref<?x?x?xf32>, %v: memref<?x?x?xf32>, %out: memref<?x?x?xf32>) {
  linalg.generic {indexing_maps = [#p, #v, #out],
                  iterator_types = ["parallel", "parallel", "parallel", "reduction"]}
      ins(%p, %v : memref<?x?x?xf32>, memref<?x?x?xf32>) outs(%out : memref<?x?x?xf32>) {
  ^bb0(%a: f32, %b: f32, %c: f32):
    %product = arith.mulf %a, %b : f32
    %sum = arith.addf %c, %product : f32
    linalg.yield %sum : f32
  }
  return
}

// Sums in f16 keep their order.
// CHECK-LABEL: func.func @narrow_sum
// CHECK-NOT:     fastmath
// CHECK:         return
func.func @narrow_sum(%x: memref<?xf16>, %sum: memref<f16>) {
  linalg.generic {indexing_maps = [affine_map<(i) -> (i)>, affine_map<(i) -> ()>],
                  iterator_types = ["reduction"]}
      ins(%x : memref<?xf16>) outs(%sum : memref<f16>) {
  ^bb0(%a: f16, %b: f16):
    %0 = arith.addf %a, %b : f16
    linalg.yield %0 : f16
  }
  return
}

// A product is no sum, and what is on tensors is left alone.
// CHECK-LABEL: func.func @untouched
// CHECK-NOT:     fastmath
// CHECK:         iterator_types = ["reduction", "parallel"]
// CHECK-NOT:     fastmath
// CHECK:         return
func.func @untouched(%x: memref<?xf32>, %product: memref<f32>, %y: tensor<?x?xf32>, %z: tensor<?xf32>) -> tensor<?xf32> {
  linalg.generic {indexing_maps = [affine_map<(i) -> (i)>, affine_map<(i) -> ()>],
                  iterator_types = ["reduction"]}
      ins(%x : memref<?xf32>) outs(%product : memref<f32>) {
  ^bb0(%a: f32, %b: f32):
    %0 = arith.mulf %a, %b : f32
    linalg.yield %0 : f32
  }
  %sum = linalg.generic {indexing_maps = [affine_map<(i, j) -> (j, i)>, affine_map<(i, j) -> (j)>],
                         iterator_types = ["reduction", "parallel"]}
      ins(%y : tensor<?x?xf32>) outs(%z : tensor<?xf32>) {
  ^bb0(%a: f32, %b: f32):
    %0 = arith.addf %a, %b : f32
    linalg.yield %0 : f32
  } -> tensor<?xf32>
  return %sum : tensor<?xf32>
}
