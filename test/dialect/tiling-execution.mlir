// RUN: boostr-opt %s \
// RUN:   --transform-preload-library=transform-library-paths=%S/Inputs/tiling-schedule.mlir \
// RUN:   --transform-interpreter --canonicalize --convert-boostr-to-linalg \
// RUN:   --one-shot-bufferize=bufferize-function-boundaries --scf-forall-to-for \
// RUN:   --convert-linalg-to-loops --expand-strided-metadata --lower-affine \
// RUN:   --convert-scf-to-cf --convert-vector-to-llvm --convert-to-llvm \
// RUN:   --reconcile-unrealized-casts \
// RUN: | mlir-runner -e main -entry-point-result=void \
// RUN:   -shared-libs=%mlir_lib_dir/libmlir_c_runner_utils.so \
// RUN: | FileCheck %s

// Tiled ops compute what the whole ops do. Inputs are small integers, so that sums
// are exact in any order: every difference below is 0.

func.func private @qkv(%x: tensor<2x?x7xf32>, %w: tensor<36x7xf32>, %b: tensor<36xf32>)
    -> (tensor<2x6x?x3xf32>, tensor<2x3x?x3xf32>, tensor<2x3x?x3xf32>) {
  %q, %k, %v = boostr.fused_qkv %x, %w bias(%b) num_heads = 6 num_kv_heads = 3 head_dim = 3
      : tensor<2x?x7xf32>, tensor<36x7xf32>, tensor<36xf32>
  return %q, %k, %v : tensor<2x6x?x3xf32>, tensor<2x3x?x3xf32>, tensor<2x3x?x3xf32>
}

func.func private @qkv_tokens(%x: tensor<2x?x7xf32>, %w: tensor<36x7xf32>, %b: tensor<36xf32>)
    -> (tensor<2x6x?x3xf32>, tensor<2x3x?x3xf32>, tensor<2x3x?x3xf32>) attributes {tile = "tokens"} {
  %q, %k, %v = boostr.fused_qkv %x, %w bias(%b) num_heads = 6 num_kv_heads = 3 head_dim = 3
      : tensor<2x?x7xf32>, tensor<36x7xf32>, tensor<36xf32>
  return %q, %k, %v : tensor<2x6x?x3xf32>, tensor<2x3x?x3xf32>, tensor<2x3x?x3xf32>
}

func.func private @qkv_heads(%x: tensor<2x?x7xf32>, %w: tensor<36x7xf32>, %b: tensor<36xf32>)
    -> (tensor<2x6x?x3xf32>, tensor<2x3x?x3xf32>, tensor<2x3x?x3xf32>) attributes {tile = "heads"} {
  %q, %k, %v = boostr.fused_qkv %x, %w bias(%b) num_heads = 6 num_kv_heads = 3 head_dim = 3
      : tensor<2x?x7xf32>, tensor<36x7xf32>, tensor<36xf32>
  return %q, %k, %v : tensor<2x6x?x3xf32>, tensor<2x3x?x3xf32>, tensor<2x3x?x3xf32>
}

func.func private @qkv_threads(%x: tensor<2x?x7xf32>, %w: tensor<36x7xf32>, %b: tensor<36xf32>)
    -> (tensor<2x6x?x3xf32>, tensor<2x3x?x3xf32>, tensor<2x3x?x3xf32>) attributes {tile = "threads"} {
  %q, %k, %v = boostr.fused_qkv %x, %w bias(%b) num_heads = 6 num_kv_heads = 3 head_dim = 3
      : tensor<2x?x7xf32>, tensor<36x7xf32>, tensor<36xf32>
  return %q, %k, %v : tensor<2x6x?x3xf32>, tensor<2x3x?x3xf32>, tensor<2x3x?x3xf32>
}

func.func private @key(%x: tensor<2x?x7xf32>, %w: tensor<36x7xf32>, %b: tensor<36xf32>)
    -> (tensor<2x3x?x3xf32>) {
  %c1 = arith.constant 1 : index
  %s = tensor.dim %x, %c1 : tensor<2x?x7xf32>
  %q, %k, %v = boostr.fused_qkv %x, %w bias(%b) num_heads = 6 num_kv_heads = 3 head_dim = 3
      : tensor<2x?x7xf32>, tensor<36x7xf32>, tensor<36xf32>
  %e = tensor.empty(%s) : tensor<2x3x?x3xf32>
  %y = linalg.abs ins(%k : tensor<2x3x?x3xf32>) outs(%e : tensor<2x3x?x3xf32>) -> tensor<2x3x?x3xf32>
  return %y : tensor<2x3x?x3xf32>
}

func.func private @key_fused(%x: tensor<2x?x7xf32>, %w: tensor<36x7xf32>, %b: tensor<36xf32>)
    -> (tensor<2x3x?x3xf32>) attributes {tile = "fuse"} {
  %c1 = arith.constant 1 : index
  %s = tensor.dim %x, %c1 : tensor<2x?x7xf32>
  %q, %k, %v = boostr.fused_qkv %x, %w bias(%b) num_heads = 6 num_kv_heads = 3 head_dim = 3
      : tensor<2x?x7xf32>, tensor<36x7xf32>, tensor<36xf32>
  %e = tensor.empty(%s) : tensor<2x3x?x3xf32>
  %y = linalg.abs ins(%k : tensor<2x3x?x3xf32>) outs(%e : tensor<2x3x?x3xf32>) -> tensor<2x3x?x3xf32>
  return %y : tensor<2x3x?x3xf32>
}

func.func private @d_input(%q: tensor<2x6x?x3xf32>, %k: tensor<2x3x?x3xf32>, %x: tensor<2x?x7xf32>, %w: tensor<36x7xf32>)
    -> (tensor<2x?x7xf32>) {
  %dx = boostr.fused_qkv_grad %q, %k, %k, %x, %w wrt(input) num_heads = 6 num_kv_heads = 3 head_dim = 3
      : tensor<2x6x?x3xf32>, tensor<2x3x?x3xf32>, tensor<2x3x?x3xf32>, tensor<2x?x7xf32>, tensor<36x7xf32>
  return %dx : tensor<2x?x7xf32>
}

func.func private @d_input_tokens(%q: tensor<2x6x?x3xf32>, %k: tensor<2x3x?x3xf32>, %x: tensor<2x?x7xf32>, %w: tensor<36x7xf32>)
    -> (tensor<2x?x7xf32>) attributes {tile = "tokens"} {
  %dx = boostr.fused_qkv_grad %q, %k, %k, %x, %w wrt(input) num_heads = 6 num_kv_heads = 3 head_dim = 3
      : tensor<2x6x?x3xf32>, tensor<2x3x?x3xf32>, tensor<2x3x?x3xf32>, tensor<2x?x7xf32>, tensor<36x7xf32>
  return %dx : tensor<2x?x7xf32>
}

func.func private @d_input_threads(%q: tensor<2x6x?x3xf32>, %k: tensor<2x3x?x3xf32>, %x: tensor<2x?x7xf32>, %w: tensor<36x7xf32>)
    -> (tensor<2x?x7xf32>) attributes {tile = "threads"} {
  %dx = boostr.fused_qkv_grad %q, %k, %k, %x, %w wrt(input) num_heads = 6 num_kv_heads = 3 head_dim = 3
      : tensor<2x6x?x3xf32>, tensor<2x3x?x3xf32>, tensor<2x3x?x3xf32>, tensor<2x?x7xf32>, tensor<36x7xf32>
  return %dx : tensor<2x?x7xf32>
}

func.func private @d_both(%q: tensor<2x6x?x3xf32>, %k: tensor<2x3x?x3xf32>, %x: tensor<2x?x7xf32>, %w: tensor<36x7xf32>)
    -> (tensor<2x?x7xf32>, tensor<36x7xf32>) {
  %dx, %dw = boostr.fused_qkv_grad %q, %k, %k, %x, %w accumulate_weight(%w) wrt(input, weight)
      num_heads = 6 num_kv_heads = 3 head_dim = 3 : tensor<2x6x?x3xf32>, tensor<2x3x?x3xf32>, tensor<2x3x?x3xf32>, tensor<2x?x7xf32>, tensor<36x7xf32>, tensor<36x7xf32>
  return %dx, %dw : tensor<2x?x7xf32>, tensor<36x7xf32>
}

func.func private @d_both_columns(%q: tensor<2x6x?x3xf32>, %k: tensor<2x3x?x3xf32>, %x: tensor<2x?x7xf32>, %w: tensor<36x7xf32>)
    -> (tensor<2x?x7xf32>, tensor<36x7xf32>) attributes {tile = "columns"} {
  %dx, %dw = boostr.fused_qkv_grad %q, %k, %k, %x, %w accumulate_weight(%w) wrt(input, weight)
      num_heads = 6 num_kv_heads = 3 head_dim = 3 : tensor<2x6x?x3xf32>, tensor<2x3x?x3xf32>, tensor<2x3x?x3xf32>, tensor<2x?x7xf32>, tensor<36x7xf32>, tensor<36x7xf32>
  return %dx, %dw : tensor<2x?x7xf32>, tensor<36x7xf32>
}

func.func private @proj(%a: tensor<2x?x9xf32>, %w: tensor<7x9xf32>, %b: tensor<7xf32>, %r: tensor<2x?x7xf32>)
    -> (tensor<2x?x7xf32>) {
  %y = boostr.out_proj_residual %a, %w bias(%b) residual(%r)
      : tensor<2x?x9xf32>, tensor<7x9xf32>, tensor<7xf32>, tensor<2x?x7xf32>
  return %y : tensor<2x?x7xf32>
}

func.func private @proj_tokens(%a: tensor<2x?x9xf32>, %w: tensor<7x9xf32>, %b: tensor<7xf32>, %r: tensor<2x?x7xf32>)
    -> (tensor<2x?x7xf32>) attributes {tile = "tokens"} {
  %y = boostr.out_proj_residual %a, %w bias(%b) residual(%r)
      : tensor<2x?x9xf32>, tensor<7x9xf32>, tensor<7xf32>, tensor<2x?x7xf32>
  return %y : tensor<2x?x7xf32>
}

func.func private @proj_columns(%a: tensor<2x?x9xf32>, %w: tensor<7x9xf32>, %b: tensor<7xf32>, %r: tensor<2x?x7xf32>)
    -> (tensor<2x?x7xf32>) attributes {tile = "heads"} {
  %y = boostr.out_proj_residual %a, %w bias(%b) residual(%r)
      : tensor<2x?x9xf32>, tensor<7x9xf32>, tensor<7xf32>, tensor<2x?x7xf32>
  return %y : tensor<2x?x7xf32>
}

func.func private @proj_threads(%a: tensor<2x?x9xf32>, %w: tensor<7x9xf32>, %b: tensor<7xf32>, %r: tensor<2x?x7xf32>)
    -> (tensor<2x?x7xf32>) attributes {tile = "threads"} {
  %y = boostr.out_proj_residual %a, %w bias(%b) residual(%r)
      : tensor<2x?x9xf32>, tensor<7x9xf32>, tensor<7xf32>, tensor<2x?x7xf32>
  return %y : tensor<2x?x7xf32>
}

func.func private @d_attn(%y: tensor<2x?x7xf32>, %a: tensor<2x?x9xf32>, %w: tensor<7x9xf32>)
    -> (tensor<2x?x9xf32>) {
  %da = boostr.out_proj_residual_grad %y, %a, %w wrt(attn)
      : tensor<2x?x7xf32>, tensor<2x?x9xf32>, tensor<7x9xf32>
  return %da : tensor<2x?x9xf32>
}

func.func private @d_attn_threads(%y: tensor<2x?x7xf32>, %a: tensor<2x?x9xf32>, %w: tensor<7x9xf32>)
    -> (tensor<2x?x9xf32>) attributes {tile = "threads"} {
  %da = boostr.out_proj_residual_grad %y, %a, %w wrt(attn)
      : tensor<2x?x7xf32>, tensor<2x?x9xf32>, tensor<7x9xf32>
  return %da : tensor<2x?x9xf32>
}

// The largest difference of two tensors.
func.func private @difference1(%a: tensor<?xf32>, %b: tensor<?xf32>) -> f32 {
  %zero = arith.constant dense<0.0> : tensor<f32>
  %largest = linalg.generic {indexing_maps = [affine_map<(d0) -> (d0)>,
      affine_map<(d0) -> (d0)>, affine_map<(d0) -> ()>], iterator_types = ["reduction"]}
      ins(%a, %b : tensor<?xf32>, tensor<?xf32>) outs(%zero : tensor<f32>) {
  ^bb0(%x: f32, %y: f32, %m: f32):
    %d = arith.subf %x, %y : f32
    %e = math.absf %d : f32
    %n = arith.maximumf %m, %e : f32
    linalg.yield %n : f32
  } -> tensor<f32>
  %0 = tensor.extract %largest[] : tensor<f32>
  return %0 : f32
}

// Integers from -5 to 5 at 1 indices.
func.func private @integers1(%n0: index) -> tensor<?xf32> {
  %c7 = arith.constant 7 : index
  %c11 = arith.constant 11 : index
  %five = arith.constant 5.0 : f32
  %0 = tensor.generate %n0 {
  ^bb0(%i0: index):
    %m0 = arith.muli %i0, %c7 : index
    %r = arith.remui %m0, %c11 : index
    %j = arith.index_cast %r : index to i32
    %f = arith.sitofp %j : i32 to f32
    %g = arith.subf %f, %five : f32
    tensor.yield %g : f32
  } : tensor<?xf32>
  return %0 : tensor<?xf32>
}

// The largest difference of two tensors.
func.func private @difference2(%a: tensor<?x?xf32>, %b: tensor<?x?xf32>) -> f32 {
  %zero = arith.constant dense<0.0> : tensor<f32>
  %largest = linalg.generic {indexing_maps = [affine_map<(d0, d1) -> (d0, d1)>,
      affine_map<(d0, d1) -> (d0, d1)>, affine_map<(d0, d1) -> ()>], iterator_types = ["reduction", "reduction"]}
      ins(%a, %b : tensor<?x?xf32>, tensor<?x?xf32>) outs(%zero : tensor<f32>) {
  ^bb0(%x: f32, %y: f32, %m: f32):
    %d = arith.subf %x, %y : f32
    %e = math.absf %d : f32
    %n = arith.maximumf %m, %e : f32
    linalg.yield %n : f32
  } -> tensor<f32>
  %0 = tensor.extract %largest[] : tensor<f32>
  return %0 : f32
}

// Integers from -5 to 5 at 2 indices.
func.func private @integers2(%n0: index, %n1: index) -> tensor<?x?xf32> {
  %c3 = arith.constant 3 : index
  %c7 = arith.constant 7 : index
  %c11 = arith.constant 11 : index
  %five = arith.constant 5.0 : f32
  %0 = tensor.generate %n0, %n1 {
  ^bb0(%i0: index, %i1: index):
    %m0 = arith.muli %i0, %c7 : index
    %m1 = arith.muli %i1, %c3 : index
    %s1 = arith.addi %m0, %m1 : index
    %r = arith.remui %s1, %c11 : index
    %j = arith.index_cast %r : index to i32
    %f = arith.sitofp %j : i32 to f32
    %g = arith.subf %f, %five : f32
    tensor.yield %g : f32
  } : tensor<?x?xf32>
  return %0 : tensor<?x?xf32>
}

// The largest difference of two tensors.
func.func private @difference3(%a: tensor<?x?x?xf32>, %b: tensor<?x?x?xf32>) -> f32 {
  %zero = arith.constant dense<0.0> : tensor<f32>
  %largest = linalg.generic {indexing_maps = [affine_map<(d0, d1, d2) -> (d0, d1, d2)>,
      affine_map<(d0, d1, d2) -> (d0, d1, d2)>, affine_map<(d0, d1, d2) -> ()>], iterator_types = ["reduction", "reduction", "reduction"]}
      ins(%a, %b : tensor<?x?x?xf32>, tensor<?x?x?xf32>) outs(%zero : tensor<f32>) {
  ^bb0(%x: f32, %y: f32, %m: f32):
    %d = arith.subf %x, %y : f32
    %e = math.absf %d : f32
    %n = arith.maximumf %m, %e : f32
    linalg.yield %n : f32
  } -> tensor<f32>
  %0 = tensor.extract %largest[] : tensor<f32>
  return %0 : f32
}

// Integers from -5 to 5 at 3 indices.
func.func private @integers3(%n0: index, %n1: index, %n2: index) -> tensor<?x?x?xf32> {
  %c3 = arith.constant 3 : index
  %c7 = arith.constant 7 : index
  %c11 = arith.constant 11 : index
  %c13 = arith.constant 13 : index
  %five = arith.constant 5.0 : f32
  %0 = tensor.generate %n0, %n1, %n2 {
  ^bb0(%i0: index, %i1: index, %i2: index):
    %m0 = arith.muli %i0, %c7 : index
    %m1 = arith.muli %i1, %c3 : index
    %s1 = arith.addi %m0, %m1 : index
    %m2 = arith.muli %i2, %c13 : index
    %s2 = arith.addi %s1, %m2 : index
    %r = arith.remui %s2, %c11 : index
    %j = arith.index_cast %r : index to i32
    %f = arith.sitofp %j : i32 to f32
    %g = arith.subf %f, %five : f32
    tensor.yield %g : f32
  } : tensor<?x?x?xf32>
  return %0 : tensor<?x?x?xf32>
}

// The largest difference of two tensors.
func.func private @difference4(%a: tensor<?x?x?x?xf32>, %b: tensor<?x?x?x?xf32>) -> f32 {
  %zero = arith.constant dense<0.0> : tensor<f32>
  %largest = linalg.generic {indexing_maps = [affine_map<(d0, d1, d2, d3) -> (d0, d1, d2, d3)>,
      affine_map<(d0, d1, d2, d3) -> (d0, d1, d2, d3)>, affine_map<(d0, d1, d2, d3) -> ()>], iterator_types = ["reduction", "reduction", "reduction", "reduction"]}
      ins(%a, %b : tensor<?x?x?x?xf32>, tensor<?x?x?x?xf32>) outs(%zero : tensor<f32>) {
  ^bb0(%x: f32, %y: f32, %m: f32):
    %d = arith.subf %x, %y : f32
    %e = math.absf %d : f32
    %n = arith.maximumf %m, %e : f32
    linalg.yield %n : f32
  } -> tensor<f32>
  %0 = tensor.extract %largest[] : tensor<f32>
  return %0 : f32
}

// Integers from -5 to 5 at 4 indices.
func.func private @integers4(%n0: index, %n1: index, %n2: index, %n3: index) -> tensor<?x?x?x?xf32> {
  %c3 = arith.constant 3 : index
  %c5 = arith.constant 5 : index
  %c7 = arith.constant 7 : index
  %c11 = arith.constant 11 : index
  %c13 = arith.constant 13 : index
  %five = arith.constant 5.0 : f32
  %0 = tensor.generate %n0, %n1, %n2, %n3 {
  ^bb0(%i0: index, %i1: index, %i2: index, %i3: index):
    %m0 = arith.muli %i0, %c7 : index
    %m1 = arith.muli %i1, %c3 : index
    %s1 = arith.addi %m0, %m1 : index
    %m2 = arith.muli %i2, %c13 : index
    %s2 = arith.addi %s1, %m2 : index
    %m3 = arith.muli %i3, %c5 : index
    %s3 = arith.addi %s2, %m3 : index
    %r = arith.remui %s3, %c11 : index
    %j = arith.index_cast %r : index to i32
    %f = arith.sitofp %j : i32 to f32
    %g = arith.subf %f, %five : f32
    tensor.yield %g : f32
  } : tensor<?x?x?x?xf32>
  return %0 : tensor<?x?x?x?xf32>
}

func.func @main() {
  %c1 = arith.constant 1 : index
  %c2 = arith.constant 2 : index
  %c3 = arith.constant 3 : index
  %c4 = arith.constant 4 : index
  %c5 = arith.constant 5 : index
  %c6 = arith.constant 6 : index
  %c7 = arith.constant 7 : index
  %c9 = arith.constant 9 : index
  %c36 = arith.constant 36 : index
  %x0 = call @integers3(%c2, %c5, %c7) : (index, index, index) -> tensor<?x?x?xf32>
  %x = tensor.cast %x0 : tensor<?x?x?xf32> to tensor<2x?x7xf32>
  %w0 = call @integers2(%c36, %c7) : (index, index) -> tensor<?x?xf32>
  %w = tensor.cast %w0 : tensor<?x?xf32> to tensor<36x7xf32>
  %b0 = call @integers1(%c36) : (index) -> tensor<?xf32>
  %b = tensor.cast %b0 : tensor<?xf32> to tensor<36xf32>
  %a0 = call @integers3(%c2, %c5, %c9) : (index, index, index) -> tensor<?x?x?xf32>
  %a = tensor.cast %a0 : tensor<?x?x?xf32> to tensor<2x?x9xf32>
  %pw0 = call @integers2(%c7, %c9) : (index, index) -> tensor<?x?xf32>
  %pw = tensor.cast %pw0 : tensor<?x?xf32> to tensor<7x9xf32>
  %pb0 = call @integers1(%c7) : (index) -> tensor<?xf32>
  %pb = tensor.cast %pb0 : tensor<?xf32> to tensor<7xf32>
  %r1:3 = call @qkv(%x, %w, %b)
      : (tensor<2x?x7xf32>, tensor<36x7xf32>, tensor<36xf32>) -> (tensor<2x6x?x3xf32>, tensor<2x3x?x3xf32>, tensor<2x3x?x3xf32>)
  %r2:3 = call @qkv_tokens(%x, %w, %b)
      : (tensor<2x?x7xf32>, tensor<36x7xf32>, tensor<36xf32>) -> (tensor<2x6x?x3xf32>, tensor<2x3x?x3xf32>, tensor<2x3x?x3xf32>)
  %p3 = tensor.cast %r1#0 : tensor<2x6x?x3xf32> to tensor<?x?x?x?xf32>
  %q3 = tensor.cast %r2#0 : tensor<2x6x?x3xf32> to tensor<?x?x?x?xf32>
  %d3 = call @difference4(%p3, %q3) : (tensor<?x?x?x?xf32>, tensor<?x?x?x?xf32>) -> f32
  // CHECK: query tokens 0{{$}}
  vector.print str "query tokens "
  vector.print %d3 : f32
  %p4 = tensor.cast %r1#1 : tensor<2x3x?x3xf32> to tensor<?x?x?x?xf32>
  %q4 = tensor.cast %r2#1 : tensor<2x3x?x3xf32> to tensor<?x?x?x?xf32>
  %d4 = call @difference4(%p4, %q4) : (tensor<?x?x?x?xf32>, tensor<?x?x?x?xf32>) -> f32
  // CHECK: key tokens 0{{$}}
  vector.print str "key tokens "
  vector.print %d4 : f32
  %p5 = tensor.cast %r1#2 : tensor<2x3x?x3xf32> to tensor<?x?x?x?xf32>
  %q5 = tensor.cast %r2#2 : tensor<2x3x?x3xf32> to tensor<?x?x?x?xf32>
  %d5 = call @difference4(%p5, %q5) : (tensor<?x?x?x?xf32>, tensor<?x?x?x?xf32>) -> f32
  // CHECK: value tokens 0{{$}}
  vector.print str "value tokens "
  vector.print %d5 : f32
  %r6:3 = call @qkv_heads(%x, %w, %b)
      : (tensor<2x?x7xf32>, tensor<36x7xf32>, tensor<36xf32>) -> (tensor<2x6x?x3xf32>, tensor<2x3x?x3xf32>, tensor<2x3x?x3xf32>)
  %p7 = tensor.cast %r1#0 : tensor<2x6x?x3xf32> to tensor<?x?x?x?xf32>
  %q7 = tensor.cast %r6#0 : tensor<2x6x?x3xf32> to tensor<?x?x?x?xf32>
  %d7 = call @difference4(%p7, %q7) : (tensor<?x?x?x?xf32>, tensor<?x?x?x?xf32>) -> f32
  // CHECK: query heads 0{{$}}
  vector.print str "query heads "
  vector.print %d7 : f32
  %p8 = tensor.cast %r1#1 : tensor<2x3x?x3xf32> to tensor<?x?x?x?xf32>
  %q8 = tensor.cast %r6#1 : tensor<2x3x?x3xf32> to tensor<?x?x?x?xf32>
  %d8 = call @difference4(%p8, %q8) : (tensor<?x?x?x?xf32>, tensor<?x?x?x?xf32>) -> f32
  // CHECK: key heads 0{{$}}
  vector.print str "key heads "
  vector.print %d8 : f32
  %p9 = tensor.cast %r1#2 : tensor<2x3x?x3xf32> to tensor<?x?x?x?xf32>
  %q9 = tensor.cast %r6#2 : tensor<2x3x?x3xf32> to tensor<?x?x?x?xf32>
  %d9 = call @difference4(%p9, %q9) : (tensor<?x?x?x?xf32>, tensor<?x?x?x?xf32>) -> f32
  // CHECK: value heads 0{{$}}
  vector.print str "value heads "
  vector.print %d9 : f32
  %r10:3 = call @qkv_threads(%x, %w, %b)
      : (tensor<2x?x7xf32>, tensor<36x7xf32>, tensor<36xf32>) -> (tensor<2x6x?x3xf32>, tensor<2x3x?x3xf32>, tensor<2x3x?x3xf32>)
  %p11 = tensor.cast %r1#0 : tensor<2x6x?x3xf32> to tensor<?x?x?x?xf32>
  %q11 = tensor.cast %r10#0 : tensor<2x6x?x3xf32> to tensor<?x?x?x?xf32>
  %d11 = call @difference4(%p11, %q11) : (tensor<?x?x?x?xf32>, tensor<?x?x?x?xf32>) -> f32
  // CHECK: query threads 0{{$}}
  vector.print str "query threads "
  vector.print %d11 : f32
  %p12 = tensor.cast %r1#1 : tensor<2x3x?x3xf32> to tensor<?x?x?x?xf32>
  %q12 = tensor.cast %r10#1 : tensor<2x3x?x3xf32> to tensor<?x?x?x?xf32>
  %d12 = call @difference4(%p12, %q12) : (tensor<?x?x?x?xf32>, tensor<?x?x?x?xf32>) -> f32
  // CHECK: key threads 0{{$}}
  vector.print str "key threads "
  vector.print %d12 : f32
  %p13 = tensor.cast %r1#2 : tensor<2x3x?x3xf32> to tensor<?x?x?x?xf32>
  %q13 = tensor.cast %r10#2 : tensor<2x3x?x3xf32> to tensor<?x?x?x?xf32>
  %d13 = call @difference4(%p13, %q13) : (tensor<?x?x?x?xf32>, tensor<?x?x?x?xf32>) -> f32
  // CHECK: value threads 0{{$}}
  vector.print str "value threads "
  vector.print %d13 : f32
  %r14 = call @key(%x, %w, %b)
      : (tensor<2x?x7xf32>, tensor<36x7xf32>, tensor<36xf32>) -> (tensor<2x3x?x3xf32>)
  %r15 = call @key_fused(%x, %w, %b)
      : (tensor<2x?x7xf32>, tensor<36x7xf32>, tensor<36xf32>) -> (tensor<2x3x?x3xf32>)
  %p16 = tensor.cast %r14 : tensor<2x3x?x3xf32> to tensor<?x?x?x?xf32>
  %q16 = tensor.cast %r15 : tensor<2x3x?x3xf32> to tensor<?x?x?x?xf32>
  %d16 = call @difference4(%p16, %q16) : (tensor<?x?x?x?xf32>, tensor<?x?x?x?xf32>) -> f32
  // CHECK: key fused 0{{$}}
  vector.print str "key fused "
  vector.print %d16 : f32
  %r17 = call @d_input(%r1#0, %r1#1, %x, %w)
      : (tensor<2x6x?x3xf32>, tensor<2x3x?x3xf32>, tensor<2x?x7xf32>, tensor<36x7xf32>) -> (tensor<2x?x7xf32>)
  %r18 = call @d_input_tokens(%r1#0, %r1#1, %x, %w)
      : (tensor<2x6x?x3xf32>, tensor<2x3x?x3xf32>, tensor<2x?x7xf32>, tensor<36x7xf32>) -> (tensor<2x?x7xf32>)
  %p19 = tensor.cast %r17 : tensor<2x?x7xf32> to tensor<?x?x?xf32>
  %q19 = tensor.cast %r18 : tensor<2x?x7xf32> to tensor<?x?x?xf32>
  %d19 = call @difference3(%p19, %q19) : (tensor<?x?x?xf32>, tensor<?x?x?xf32>) -> f32
  // CHECK: d_input tokens 0{{$}}
  vector.print str "d_input tokens "
  vector.print %d19 : f32
  %r20 = call @d_input_threads(%r1#0, %r1#1, %x, %w)
      : (tensor<2x6x?x3xf32>, tensor<2x3x?x3xf32>, tensor<2x?x7xf32>, tensor<36x7xf32>) -> (tensor<2x?x7xf32>)
  %p21 = tensor.cast %r17 : tensor<2x?x7xf32> to tensor<?x?x?xf32>
  %q21 = tensor.cast %r20 : tensor<2x?x7xf32> to tensor<?x?x?xf32>
  %d21 = call @difference3(%p21, %q21) : (tensor<?x?x?xf32>, tensor<?x?x?xf32>) -> f32
  // CHECK: d_input threads 0{{$}}
  vector.print str "d_input threads "
  vector.print %d21 : f32
  %r22:2 = call @d_both(%r1#0, %r1#1, %x, %w)
      : (tensor<2x6x?x3xf32>, tensor<2x3x?x3xf32>, tensor<2x?x7xf32>, tensor<36x7xf32>) -> (tensor<2x?x7xf32>, tensor<36x7xf32>)
  %r23:2 = call @d_both_columns(%r1#0, %r1#1, %x, %w)
      : (tensor<2x6x?x3xf32>, tensor<2x3x?x3xf32>, tensor<2x?x7xf32>, tensor<36x7xf32>) -> (tensor<2x?x7xf32>, tensor<36x7xf32>)
  %p24 = tensor.cast %r22#0 : tensor<2x?x7xf32> to tensor<?x?x?xf32>
  %q24 = tensor.cast %r23#0 : tensor<2x?x7xf32> to tensor<?x?x?xf32>
  %d24 = call @difference3(%p24, %q24) : (tensor<?x?x?xf32>, tensor<?x?x?xf32>) -> f32
  // CHECK: d_input columns 0{{$}}
  vector.print str "d_input columns "
  vector.print %d24 : f32
  %p25 = tensor.cast %r22#1 : tensor<36x7xf32> to tensor<?x?xf32>
  %q25 = tensor.cast %r23#1 : tensor<36x7xf32> to tensor<?x?xf32>
  %d25 = call @difference2(%p25, %q25) : (tensor<?x?xf32>, tensor<?x?xf32>) -> f32
  // CHECK: d_weight columns 0{{$}}
  vector.print str "d_weight columns "
  vector.print %d25 : f32
  %r26 = call @proj(%a, %pw, %pb, %x)
      : (tensor<2x?x9xf32>, tensor<7x9xf32>, tensor<7xf32>, tensor<2x?x7xf32>) -> (tensor<2x?x7xf32>)
  %r27 = call @proj_tokens(%a, %pw, %pb, %x)
      : (tensor<2x?x9xf32>, tensor<7x9xf32>, tensor<7xf32>, tensor<2x?x7xf32>) -> (tensor<2x?x7xf32>)
  %p28 = tensor.cast %r26 : tensor<2x?x7xf32> to tensor<?x?x?xf32>
  %q28 = tensor.cast %r27 : tensor<2x?x7xf32> to tensor<?x?x?xf32>
  %d28 = call @difference3(%p28, %q28) : (tensor<?x?x?xf32>, tensor<?x?x?xf32>) -> f32
  // CHECK: output tokens 0{{$}}
  vector.print str "output tokens "
  vector.print %d28 : f32
  %r29 = call @proj_columns(%a, %pw, %pb, %x)
      : (tensor<2x?x9xf32>, tensor<7x9xf32>, tensor<7xf32>, tensor<2x?x7xf32>) -> (tensor<2x?x7xf32>)
  %p30 = tensor.cast %r26 : tensor<2x?x7xf32> to tensor<?x?x?xf32>
  %q30 = tensor.cast %r29 : tensor<2x?x7xf32> to tensor<?x?x?xf32>
  %d30 = call @difference3(%p30, %q30) : (tensor<?x?x?xf32>, tensor<?x?x?xf32>) -> f32
  // CHECK: output columns 0{{$}}
  vector.print str "output columns "
  vector.print %d30 : f32
  %r31 = call @proj_threads(%a, %pw, %pb, %x)
      : (tensor<2x?x9xf32>, tensor<7x9xf32>, tensor<7xf32>, tensor<2x?x7xf32>) -> (tensor<2x?x7xf32>)
  %p32 = tensor.cast %r26 : tensor<2x?x7xf32> to tensor<?x?x?xf32>
  %q32 = tensor.cast %r31 : tensor<2x?x7xf32> to tensor<?x?x?xf32>
  %d32 = call @difference3(%p32, %q32) : (tensor<?x?x?xf32>, tensor<?x?x?xf32>) -> f32
  // CHECK: output threads 0{{$}}
  vector.print str "output threads "
  vector.print %d32 : f32
  %r33 = call @d_attn(%r26, %a, %pw)
      : (tensor<2x?x7xf32>, tensor<2x?x9xf32>, tensor<7x9xf32>) -> (tensor<2x?x9xf32>)
  %r34 = call @d_attn_threads(%r26, %a, %pw)
      : (tensor<2x?x7xf32>, tensor<2x?x9xf32>, tensor<7x9xf32>) -> (tensor<2x?x9xf32>)
  %p35 = tensor.cast %r33 : tensor<2x?x9xf32> to tensor<?x?x?xf32>
  %q35 = tensor.cast %r34 : tensor<2x?x9xf32> to tensor<?x?x?xf32>
  %d35 = call @difference3(%p35, %q35) : (tensor<?x?x?xf32>, tensor<?x?x?xf32>) -> f32
  // CHECK: d_attn threads 0{{$}}
  vector.print str "d_attn threads "
  vector.print %d35 : f32
  // What is compared is not all zeros, nor are all results the same.
  %p36 = tensor.cast %r33 : tensor<2x?x9xf32> to tensor<?x?x?xf32>
  %q36 = tensor.cast %a : tensor<2x?x9xf32> to tensor<?x?x?xf32>
  %d36 = call @difference3(%p36, %q36) : (tensor<?x?x?xf32>, tensor<?x?x?xf32>) -> f32
  // CHECK: d_attn attn {{[1-9]}}
  vector.print str "d_attn attn "
  vector.print %d36 : f32
  return
}
