// RUN: boostr-opt %s --boostr-create-shape-functions --canonicalize | FileCheck %s

// The constraints of an op with weights by rows of heads; extents of results.

// CHECK-LABEL: func.func @qkv(
// CHECK-SAME:    boostr.shapes = @qkv__shapes
// CHECK-SAME:    boostr.signature = (tensor<?x?x384xf32>, tensor<?x?xf32>, tensor<?xf32>) -> (tensor<?x12x?x32xf32>, tensor<?x4x?x32xf32>, tensor<?x4x?x32xf32>)
// CHECK-SAME:    boostr.signature_names = ["input", "weight", "arg2", "query", "result1", "result2"]
// CHECK-LABEL: func.func private @qkv__shapes(
// CHECK-SAME:    %[[B:[a-z0-9]+]]: index, %[[S:[a-z0-9]+]]: index, %{{[a-z0-9]+}}: index, %[[ROWS:[a-z0-9]+]]: index, %[[H:[a-z0-9]+]]: index, %[[BIAS:[a-z0-9]+]]: index)
// CHECK-SAME:    -> (i64, index, index, index, index, index, index, index, index, index, index, index, index)
// CHECK-SAME:    boostr.constraints = [
// CHECK-SAME:      "dimension 1 of argument 1 'weight' equals 384",
// CHECK-SAME:      "dimension 0 of argument 1 'weight' equals 640",
// CHECK-SAME:      "dimension 0 of argument 2 'arg2' equals 640"]
// CHECK-SAME:    boostr.shapes_of = @qkv
// CHECK-DAG:     %[[C0:.*]] = arith.constant 0 : i64
// CHECK-DAG:     %[[C1:.*]] = arith.constant 1 : i64
// CHECK-DAG:     %[[C2:.*]] = arith.constant 2 : i64
// CHECK-DAG:     %[[C3:.*]] = arith.constant 3 : i64
// CHECK-DAG:     %[[C4:.*]] = arith.constant 4 : index
// CHECK-DAG:     %[[C12:.*]] = arith.constant 12 : index
// CHECK-DAG:     %[[C32:.*]] = arith.constant 32 : index
// CHECK-DAG:     %[[C384:.*]] = arith.constant 384 : index
// CHECK-DAG:     %[[C640:.*]] = arith.constant 640 : index
// CHECK:         %[[HOLDS3:.*]] = arith.cmpi eq, %[[BIAS]], %[[C640]]
// CHECK:         %[[STATUS3:.*]] = arith.select %[[HOLDS3]], %[[C0]], %[[C3]]
// CHECK:         %[[HOLDS2:.*]] = arith.cmpi eq, %[[ROWS]], %[[C640]]
// CHECK:         %[[STATUS2:.*]] = arith.select %[[HOLDS2]], %[[STATUS3]], %[[C2]]
// CHECK:         %[[HOLDS1:.*]] = arith.cmpi eq, %[[H]], %[[C384]]
// CHECK:         %[[STATUS1:.*]] = arith.select %[[HOLDS1]], %[[STATUS2]], %[[C1]]
// CHECK:         return %[[STATUS1]], %[[B]], %[[C12]], %[[S]], %[[C32]], %[[B]], %[[C4]], %[[S]], %[[C32]], %[[B]], %[[C4]], %[[S]], %[[C32]]
func.func @qkv(%x: tensor<?x?x384xf32> {boostr.name = "input"},
               %w: tensor<?x?xf32> loc("weight"), %b: tensor<?xf32>)
    -> (tensor<?x12x?x32xf32> {boostr.name = "query"}, tensor<?x4x?x32xf32>,
        tensor<?x4x?x32xf32>) {
  %q, %k, %v = boostr.fused_qkv %x, %w bias(%b)
      num_heads = 12 num_kv_heads = 4 head_dim = 32
      : tensor<?x?x384xf32>, tensor<?x?xf32>, tensor<?xf32>
  return %q, %k, %v
      : tensor<?x12x?x32xf32>, tensor<?x4x?x32xf32>, tensor<?x4x?x32xf32>
}

// Terms of one sum may have different heads; what the op computes is
// constrained as what it reads.

// CHECK-LABEL: func.func private @qkv_grad__shapes(
// CHECK-SAME:    boostr.constraints = [
// CHECK-SAME:      "dimension 0 of argument 1 'arg1' equals dimension 0 of argument 0 'arg0'",
// CHECK-SAME:      "dimension 2 of argument 1 'arg1' equals dimension 2 of argument 0 'arg0'",
// CHECK-SAME:      "dimension 0 of argument 2 'arg2' equals dimension 0 of argument 0 'arg0'",
// CHECK-SAME:      "dimension 2 of argument 2 'arg2' equals dimension 2 of argument 0 'arg0'",
// CHECK-SAME:      "dimension 0 of argument 3 'arg3' equals dimension 0 of argument 0 'arg0'",
// CHECK-SAME:      "dimension 1 of argument 3 'arg3' equals dimension 2 of argument 0 'arg0'",
// CHECK-SAME:      "dimension 1 of argument 4 'arg4' equals dimension 2 of argument 3 'arg3'",
// CHECK-SAME:      "dimension 1 of argument 5 'arg5' equals dimension 2 of argument 3 'arg3'",
// CHECK-SAME:      "dimension 0 of argument 4 'arg4' equals 640",
// CHECK-SAME:      "dimension 0 of argument 5 'arg5' equals 640"]
func.func @qkv_grad(
    %dq: tensor<?x12x?x32xf32>, %dk: tensor<?x4x?x32xf32>,
    %dv: tensor<?x4x?x32xf32>, %x: tensor<?x?x?xf32>, %w: tensor<?x?xf32>,
    %dw0: tensor<?x?xf32>) -> (tensor<?x?x?xf32>, tensor<?x?xf32>) {
  %dx, %dw = boostr.fused_qkv_grad %dq, %dk, %dv, %x, %w accumulate_weight(%dw0)
      wrt(input, weight) num_heads = 12 num_kv_heads = 4 head_dim = 32
      : tensor<?x12x?x32xf32>, tensor<?x4x?x32xf32>, tensor<?x4x?x32xf32>,
        tensor<?x?x?xf32>, tensor<?x?xf32>, tensor<?x?xf32>
  return %dx, %dw : tensor<?x?x?xf32>, tensor<?x?xf32>
}

// CHECK-LABEL: func.func private @out_proj__shapes(
// CHECK-SAME:    boostr.constraints = [
// CHECK-SAME:      "dimension 1 of argument 1 'arg1' equals dimension 2 of argument 0 'arg0'",
// CHECK-SAME:      "dimension 0 of argument 2 'arg2' equals dimension 0 of argument 0 'arg0'",
// CHECK-SAME:      "dimension 1 of argument 2 'arg2' equals dimension 1 of argument 0 'arg0'",
// CHECK-SAME:      "dimension 2 of argument 2 'arg2' equals dimension 0 of argument 1 'arg1'"]
func.func @out_proj(%attn: tensor<?x?x?xf32>, %w: tensor<?x?xf32>,
                    %r: tensor<?x?x?xf32>) -> tensor<?x?x?xf32> {
  %y = boostr.out_proj_residual %attn, %w residual(%r)
      : tensor<?x?x?xf32>, tensor<?x?xf32>, tensor<?x?x?xf32>
  return %y : tensor<?x?x?xf32>
}

// What is static holds by type, and what follows from earlier constraints is
// not repeated: two constraints relate three extents.

// CHECK-LABEL: func.func private @elementwise__shapes(
// CHECK-SAME:    boostr.constraints = [
// CHECK-SAME:      "dimension 0 of argument 1 'arg1' equals dimension 0 of argument 0 'arg0'",
// CHECK-SAME:      "dimension 0 of argument 2 'arg2' equals dimension 0 of argument 1 'arg1'"]
func.func @elementwise(%x: tensor<?x4xf32>, %y: tensor<?x4xf32>,
                       %z: tensor<?x4xf32>) -> tensor<?x4xf32> {
  %0 = arith.addf %x, %y : tensor<?x4xf32>
  %1 = arith.mulf %y, %z : tensor<?x4xf32>
  %2 = arith.subf %x, %z : tensor<?x4xf32>
  %3 = arith.addf %0, %1 : tensor<?x4xf32>
  %4 = arith.addf %3, %2 : tensor<?x4xf32>
  return %4 : tensor<?x4xf32>
}

// CHECK-LABEL: func.func private @all_static__shapes(
// CHECK-SAME:    boostr.constraints = []
// CHECK:         %[[OK:.*]] = arith.constant 0 : i64
// CHECK:         return %[[OK]], %{{.*}} : i64, index
func.func @all_static(%x: tensor<4xf32>, %y: tensor<4xf32>) -> tensor<4xf32> {
  %0 = arith.addf %x, %y : tensor<4xf32>
  return %0 : tensor<4xf32>
}

// Rank 0, and nothing at all.

// CHECK-LABEL: func.func private @scalar__shapes() -> i64
func.func @scalar(%x: tensor<f32>) -> (tensor<f32>, tensor<f32>) {
  return %x, %x : tensor<f32>, tensor<f32>
}

// CHECK-LABEL: func.func private @nothing__shapes() -> i64
func.func @nothing() {
  return
}

// Structured ops: loops that several operands run along, and windows.

// CHECK-LABEL: func.func private @convolution__shapes(
// CHECK-SAME:    boostr.constraints = [
// CHECK-SAME:      "dimension 1 of argument 1 'arg1' equals dimension 1 of argument 0 'arg0'",
// CHECK-SAME:      "dimension 0 of argument 2 'arg2' equals dimension 0 of argument 0 'arg0'",
// CHECK-SAME:      "dimension 1 of argument 2 'arg2' equals dimension 0 of argument 1 'arg1'",
// CHECK-SAME:      "the window of 'linalg.conv_2d_nchw_fchw' fits into dimension 2 of argument 0 'arg0'",
// CHECK-SAME:      "the window of 'linalg.conv_2d_nchw_fchw' fits into dimension 3 of argument 0 'arg0'"]
func.func @convolution(%x: tensor<?x?x?x?xf32>, %k: tensor<?x?x3x3xf32>,
                       %o: tensor<?x?x?x?xf32>) -> tensor<?x?x?x?xf32> {
  %r = linalg.conv_2d_nchw_fchw
      ins(%x, %k : tensor<?x?x?x?xf32>, tensor<?x?x3x3xf32>)
      outs(%o : tensor<?x?x?x?xf32>) -> tensor<?x?x?x?xf32>
  return %r : tensor<?x?x?x?xf32>
}

// CHECK-LABEL: func.func private @softmax__shapes(
// CHECK-SAME:    boostr.constraints = [
// CHECK-SAME:      "dimension 0 of argument 1 'arg1' equals dimension 0 of argument 0 'arg0'",
// CHECK-SAME:      "dimension 1 of argument 1 'arg1' equals dimension 1 of argument 0 'arg0'"]
func.func @softmax(%x: tensor<?x?xf32>, %y: tensor<?x?xf32>) -> tensor<?x?xf32> {
  %0 = linalg.softmax dimension(1) ins(%x : tensor<?x?xf32>)
      outs(%y : tensor<?x?xf32>) -> tensor<?x?xf32>
  return %0 : tensor<?x?xf32>
}

// Extents that are computed differently and are equal: no constraint.

// CHECK-LABEL: func.func private @flatten__shapes(
// CHECK-SAME:    %[[B:[a-z0-9]+]]: index, %[[S:[a-z0-9]+]]: index,
// CHECK-SAME:    boostr.constraints = []
// CHECK:         return %{{.*}}, %[[B]], %[[S]], %{{.*}} : i64, index, index, index
func.func @flatten(%x: tensor<?x?x64xf32>, %w: tensor<64x32xf32>)
    -> tensor<?x?x32xf32> {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %b = tensor.dim %x, %c0 : tensor<?x?x64xf32>
  %s = tensor.dim %x, %c1 : tensor<?x?x64xf32>
  %flat = tensor.collapse_shape %x [[0, 1], [2]]
      : tensor<?x?x64xf32> into tensor<?x64xf32>
  %n = arith.muli %b, %s : index
  %e = tensor.empty(%n) : tensor<?x32xf32>
  %m = linalg.matmul ins(%flat, %w : tensor<?x64xf32>, tensor<64x32xf32>)
      outs(%e : tensor<?x32xf32>) -> tensor<?x32xf32>
  %o = tensor.expand_shape %m [[0, 1], [2]] output_shape [%b, %s, 32]
      : tensor<?x32xf32> into tensor<?x?x32xf32>
  return %o : tensor<?x?x32xf32>
}

// CHECK-LABEL: func.func private @split__shapes(
// CHECK-SAME:    %[[N:[a-z0-9]+]]: index)
// CHECK-SAME:    boostr.constraints = ["dimension 0 of argument 0 'arg0' equals the product of dimensions 0 to 1 of result 0 of 'tensor.expand_shape'"]
// CHECK:         %[[GROUPS:.*]] = arith.divsi %[[N]], %{{.*}}
// CHECK:         return %{{.*}}, %[[GROUPS]], %{{.*}} : i64, index, index
func.func @split(%x: tensor<?xf32>) -> tensor<?x3xf32> {
  %c0 = arith.constant 0 : index
  %c3 = arith.constant 3 : index
  %n = tensor.dim %x, %c0 : tensor<?xf32>
  %g = arith.divsi %n, %c3 : index
  %0 = tensor.expand_shape %x [[0, 1]] output_shape [%g, 3]
      : tensor<?xf32> into tensor<?x3xf32>
  return %0 : tensor<?x3xf32>
}

// Nothing is divided by zero, neither here nor there.

// CHECK-LABEL: func.func private @divide__shapes(
// CHECK-SAME:    %[[N:[a-z0-9]+]]: index, %[[D:[a-z0-9]+]]: index)
// CHECK-SAME:    boostr.constraints = ["the divisor of 'arith.divui' is not zero"]
// CHECK:         %[[BY:.*]] = arith.select %{{.*}}, %{{.*}}, %[[D]] : index
// CHECK:         arith.divui %[[N]], %[[BY]]
// CHECK:         %[[BROKEN:.*]] = arith.cmpi eq, %[[D]], %{{.*}}
// CHECK:         %[[STATUS:.*]] = arith.extui %[[BROKEN]]
// CHECK:         return %[[STATUS]]
func.func @divide(%x: tensor<?xf32>, %y: tensor<?xf32>) -> tensor<?xf32> {
  %c0 = arith.constant 0 : index
  %n = tensor.dim %x, %c0 : tensor<?xf32>
  %d = tensor.dim %y, %c0 : tensor<?xf32>
  %q = arith.divui %n, %d : index
  %0 = tensor.empty(%q) : tensor<?xf32>
  return %0 : tensor<?xf32>
}

// CHECK-LABEL: func.func private @slice__shapes(
// CHECK-SAME:    boostr.constraints = [
// CHECK-SAME:      "the size in dimension 0 of the slice of 'tensor.extract_slice' is not negative",
// CHECK-SAME:      "the end in dimension 1 of the slice of 'tensor.extract_slice' is at most dimension 1 of argument 0 'arg0'"]
func.func @slice(%x: tensor<?x?xf32>) -> tensor<?x4xf32> {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %b = tensor.dim %x, %c0 : tensor<?x?xf32>
  %m = arith.subi %b, %c1 : index
  %o = tensor.extract_slice %x[1, 0] [%m, 4] [1, 2]
      : tensor<?x?xf32> to tensor<?x4xf32>
  return %o : tensor<?x4xf32>
}

// CHECK-LABEL: func.func private @cast_concat_pad__shapes(
// CHECK-SAME:    boostr.constraints = [
// CHECK-SAME:      "dimension 0 of argument 0 'arg0' equals 8",
// CHECK-SAME:      "dimension 1 of argument 1 'arg1' equals 4"]
func.func @cast_concat_pad(%x: tensor<?x4xf32>, %y: tensor<?x?xf32>)
    -> tensor<?x6xf32> {
  %zero = arith.constant 0.0 : f32
  %0 = tensor.cast %x : tensor<?x4xf32> to tensor<8x4xf32>
  %1 = tensor.concat dim(0) %0, %y
      : (tensor<8x4xf32>, tensor<?x?xf32>) -> tensor<?x4xf32>
  %2 = tensor.pad %1 low[1, 0] high[0, 2] {
  ^bb0(%i: index, %j: index):
    tensor.yield %zero : f32
  } : tensor<?x4xf32> to tensor<?x6xf32>
  return %2 : tensor<?x6xf32>
}

// Through a call. The callee is private and gets no function of its own.

// CHECK-LABEL: func.func private @sum(
// CHECK-SAME:    -> tensor<?xf32> {{[{]$}}
// CHECK-NOT:     func.func private @sum__shapes
func.func private @sum(%x: tensor<?xf32>, %y: tensor<?xf32>) -> tensor<?xf32> {
  %0 = arith.addf %x, %y : tensor<?xf32>
  return %0 : tensor<?xf32>
}

// CHECK-LABEL: func.func private @call__shapes(
// CHECK-SAME:    boostr.constraints = ["dimension 0 of argument 1 'arg1' equals dimension 0 of argument 0 'arg0'"]
func.func @call(%x: tensor<?xf32>, %y: tensor<?xf32>) -> tensor<?xf32> {
  %0 = call @sum(%x, %y) : (tensor<?xf32>, tensor<?xf32>) -> tensor<?xf32>
  %1 = call @sum(%0, %x) : (tensor<?xf32>, tensor<?xf32>) -> tensor<?xf32>
  return %1 : tensor<?xf32>
}

// Through a loop that keeps extents, and branches that agree.

// CHECK-LABEL: func.func private @loop__shapes(
// CHECK-SAME:    %[[N:[a-z0-9]+]]: index, %{{.*}}: index)
// CHECK-SAME:    boostr.constraints = ["dimension 0 of argument 1 'arg1' equals dimension 0 of argument 0 'arg0'"]
// CHECK:         return %{{.*}}, %[[N]] : i64, index
func.func @loop(%x: tensor<?xf32>, %y: tensor<?xf32>, %flag: tensor<i1>)
    -> tensor<?xf32> {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c8 = arith.constant 8 : index
  %0 = scf.for %i = %c0 to %c8 step %c1 iter_args(%acc = %x) -> tensor<?xf32> {
    %1 = arith.addf %acc, %y : tensor<?xf32>
    scf.yield %1 : tensor<?xf32>
  }
  %condition = tensor.extract %flag[] : tensor<i1>
  %2 = scf.if %condition -> tensor<?xf32> {
    %3 = arith.mulf %0, %x : tensor<?xf32>
    scf.yield %3 : tensor<?xf32>
  } else {
    scf.yield %x : tensor<?xf32>
  }
  return %2 : tensor<?xf32>
}

// A name that is taken is left to its owner.

// CHECK-LABEL: func.func @clash(
// CHECK-SAME:    boostr.shapes = @clash__shapes_0
func.func @clash(%x: tensor<?xf32>) -> tensor<?xf32> {
  return %x : tensor<?xf32>
}
func.func private @clash__shapes()

// External functions are not ours.

// CHECK-LABEL: func.func private @external(tensor<?xf32>)
// CHECK-NOT:     @external__shapes
func.func private @external(tensor<?xf32>) -> tensor<?xf32>
