// RUN: boostr-opt %s --boostr-differentiate -split-input-file -verify-diagnostics

func.func @negative_no_rule(%x: tensor<4xf32>) -> tensor<4xf32> attributes {boostr.differentiate} {
  // expected-error @below {{'math.atan2' op has no differentiation rule}}
  %y = math.atan2 %x, %x : tensor<4xf32>
  return %y : tensor<4xf32>
}

// -----

func.func @negative_second_derivative(%dy: tensor<1x2x3xf32>, %a: tensor<1x2x4xf32>, %w: tensor<3x4xf32>) -> tensor<1x2x4xf32> attributes {boostr.differentiate} {
  // expected-error @below {{'boostr.out_proj_residual_grad' op has no differentiation rule}}
  %da = boostr.out_proj_residual_grad %dy, %a, %w wrt(attn) : tensor<1x2x3xf32>, tensor<1x2x4xf32>, tensor<3x4xf32>
  return %da : tensor<1x2x4xf32>
}

// -----

func.func @negative_loop(%x: tensor<4xf32>, %n: index) -> tensor<4xf32> attributes {boostr.differentiate} {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  // expected-error @below {{'scf.for' op has no differentiation rule: control flow is not differentiated}}
  %y = scf.for %i = %c0 to %n step %c1 iter_args(%v = %x) -> tensor<4xf32> {
    %w = arith.addf %v, %v : tensor<4xf32>
    scf.yield %w : tensor<4xf32>
  }
  return %y : tensor<4xf32>
}

// -----

// An op that reads an argument inside its region only is on the way, too.

func.func @negative_branch(%x: tensor<4xf32>, %c: i1) -> tensor<4xf32> attributes {boostr.differentiate} {
  // expected-error @below {{'scf.if' op has no differentiation rule: control flow is not differentiated}}
  %y = scf.if %c -> tensor<4xf32> {
    scf.yield %x : tensor<4xf32>
  } else {
    %w = arith.addf %x, %x : tensor<4xf32>
    scf.yield %w : tensor<4xf32>
  }
  return %y : tensor<4xf32>
}

// -----

// expected-error @below {{'negative_blocks' expected a body of one block to differentiate, got 2}}
func.func @negative_blocks(%x: tensor<4xf32>) -> tensor<4xf32> attributes {boostr.differentiate} {
  cf.br ^next
^next:
  return %x : tensor<4xf32>
}

// -----

// expected-error @below {{'negative_external' has no body to differentiate}}
func.func private @negative_external(tensor<4xf32>) -> tensor<4xf32> attributes {boostr.differentiate}

// -----

func.func private @declared(tensor<4xf32>) -> tensor<4xf32>
func.func @negative_external_call(%x: tensor<4xf32>) -> tensor<4xf32> attributes {boostr.differentiate} {
  // expected-error @below {{'func.call' op calls 'declared', which has no body to differentiate}}
  %y = call @declared(%x) : (tensor<4xf32>) -> tensor<4xf32>
  return %y : tensor<4xf32>
}

// -----

func.func @negative_recursion(%x: tensor<4xf32>) -> tensor<4xf32> attributes {boostr.differentiate} {
  %y = call @other(%x) : (tensor<4xf32>) -> tensor<4xf32>
  return %y : tensor<4xf32>
}
func.func private @other(%x: tensor<4xf32>) -> tensor<4xf32> {
  // expected-error @below {{'func.call' op calls 'negative_recursion' recursively, which cannot be differentiated}}
  %y = call @negative_recursion(%x) : (tensor<4xf32>) -> tensor<4xf32>
  return %y : tensor<4xf32>
}

// -----

// expected-error @below {{'negative_name' cannot be differentiated: the module already has a symbol 'negative_name_vjp'}}
func.func @negative_name(%x: f32) -> f32 attributes {boostr.differentiate} {
  return %x : f32
}
// expected-note @below {{which is here}}
func.func private @negative_name_vjp()

// -----

// expected-error @below {{'negative_argument_number' has 1 arguments, got number 3 in boostr.differentiate}}
func.func @negative_argument_number(%x: f32) -> f32 attributes {boostr.differentiate = array<i64: 3>} {
  return %x : f32
}

// -----

// expected-error @below {{'negative_argument_type' expected argument #1 of boostr.differentiate to be a scalar or ranked tensor of f64, f32, f16 or bf16, got 'tensor<2xi32>'}}
func.func @negative_argument_type(%x: f32, %i: tensor<2xi32>) -> f32 attributes {boostr.differentiate = array<i64: 1>} {
  return %x : f32
}

// -----

// expected-error @below {{'negative_no_argument' has no argument to differentiate by}}
func.func @negative_no_argument(%i: i32) -> f32 attributes {boostr.differentiate} {
  %x = arith.constant 1.0 : f32
  return %x : f32
}

// -----

// expected-error @below {{'negative_no_result' has no float result to differentiate}}
func.func @negative_no_result(%x: f32) -> i32 attributes {boostr.differentiate} {
  %i = arith.constant 1 : i32
  return %i : i32
}

// -----

// expected-error @below {{'negative_buffer' expected tensors to differentiate, argument #1 is 'memref<4xf32>'}}
func.func @negative_buffer(%x: tensor<4xf32>, %m: memref<4xf32>) -> tensor<4xf32> attributes {boostr.differentiate} {
  return %x : tensor<4xf32>
}

// -----

func.func @negative_store(%x: f32) -> f32 attributes {boostr.differentiate} {
  %m = memref.alloc() : memref<f32>
  // expected-error @below {{'memref.store' op has no differentiation rule: writes a value that depends on a differentiated argument to memory}}
  memref.store %x, %m[] : memref<f32>
  %y = memref.load %m[] : memref<f32>
  return %y : f32
}

// -----

func.func @negative_element_type(%x: tensor<4xf32>) -> tensor<4xf32> attributes {boostr.differentiate} {
  // expected-error @below {{'arith.truncf' op has no differentiation rule for type 'tensor<4xf8E5M2>'}}
  %0 = arith.truncf %x : tensor<4xf32> to tensor<4xf8E5M2>
  %1 = arith.extf %0 : tensor<4xf8E5M2> to tensor<4xf32>
  return %1 : tensor<4xf32>
}

// -----

func.func @negative_captured(%x: f32, %t: tensor<4xf32>) -> tensor<4xf32> attributes {boostr.differentiate} {
  %e = tensor.empty() : tensor<4xf32>
  // expected-error @below {{'linalg.map' op has no differentiation rule: its body reads a value of the function that depends on a differentiated argument, which must be an operand}}
  %y = linalg.map ins(%t : tensor<4xf32>) outs(%e : tensor<4xf32>) (%a: f32, %o: f32) {
    %p = arith.mulf %a, %x : f32
    linalg.yield %p : f32
  }
  return %y : tensor<4xf32>
}

// -----

func.func @negative_body(%x: tensor<4xf32>) -> tensor<4xf32> attributes {boostr.differentiate} {
  %e = tensor.empty() : tensor<4xf32>
  %y = linalg.map ins(%x : tensor<4xf32>) outs(%e : tensor<4xf32>) (%a: f32, %o: f32) {
    // expected-error @below {{'math.atan2' op has no differentiation rule}}
    %p = math.atan2 %a, %a : f32
    linalg.yield %p : f32
  }
  return %y : tensor<4xf32>
}

// -----

func.func @negative_body_element_type(%x: tensor<4xf32>) -> tensor<4xf32> attributes {boostr.differentiate} {
  %e = tensor.empty() : tensor<4xf32>
  %y = linalg.map ins(%x : tensor<4xf32>) outs(%e : tensor<4xf32>) (%a: f32, %o: f32) {
    %0 = arith.truncf %a : f32 to f8E5M2
    // expected-error @below {{'arith.extf' op has no differentiation rule for type 'f8E5M2'}}
    %1 = arith.extf %0 : f8E5M2 to f32
    linalg.yield %1 : f32
  }
  return %y : tensor<4xf32>
}

// -----

func.func @negative_body_control_flow(%x: tensor<4xf32>, %c: i1) -> tensor<4xf32> attributes {boostr.differentiate} {
  %e = tensor.empty() : tensor<4xf32>
  // expected-error @below {{'linalg.map' op has no differentiation rule: control flow (scf.if) in its body}}
  %y = linalg.map ins(%x : tensor<4xf32>) outs(%e : tensor<4xf32>) (%a: f32, %o: f32) {
    %p = scf.if %c -> f32 {
      %s = arith.mulf %a, %a : f32
      scf.yield %s : f32
    } else {
      scf.yield %a : f32
    }
    linalg.yield %p : f32
  }
  return %y : tensor<4xf32>
}

// -----

func.func @negative_reduction(%x: tensor<4xf32>, %i: tensor<f32>) -> tensor<f32> attributes {boostr.differentiate} {
  // expected-error @below {{'linalg.reduce' op has no differentiation rule: expected the reduction of result #0 to combine what is accumulated with one new value by arith.addf, subf, maximumf, maxnumf, minimumf or minnumf}}
  %y = linalg.reduce { arith.mulf } ins(%x : tensor<4xf32>) outs(%i : tensor<f32>) dimensions = [0]
  return %y : tensor<f32>
}

// -----

func.func @negative_coupled_reduction(%x: tensor<4xf32>, %i: tensor<f32>, %j: tensor<f32>) -> tensor<f32> attributes {boostr.differentiate} {
  // expected-error @below {{'linalg.reduce' op has no differentiation rule: expected the reduction of result #0}}
  %y:2 = linalg.reduce ins(%x, %x : tensor<4xf32>, tensor<4xf32>) outs(%i, %j : tensor<f32>, tensor<f32>) dimensions = [0]
    (%a: f32, %b: f32, %s: f32, %t: f32) {
      %p = arith.mulf %s, %b : f32
      %u = arith.addf %s, %a : f32
      %v = arith.addf %t, %p : f32
      linalg.yield %u, %v : f32, f32
    }
  return %y#0 : tensor<f32>
}

// -----

func.func @negative_map(%x: tensor<5xf32>, %w: tensor<2xf32>, %i: tensor<4xf32>) -> tensor<4xf32> attributes {boostr.differentiate = array<i64: 0>} {
  // expected-error @below {{'linalg.generic' op has no differentiation rule: operand #0 is read through affine_map<(d0, d1) -> (d0 + d1)>, expected a projected permutation}}
  %y = linalg.generic {indexing_maps = [affine_map<(d0, d1) -> (d0 + d1)>, affine_map<(d0, d1) -> (d1)>, affine_map<(d0, d1) -> (d0)>], iterator_types = ["parallel", "reduction"]}
    ins(%x, %w : tensor<5xf32>, tensor<2xf32>) outs(%i : tensor<4xf32>) {
  ^bb0(%a: f32, %b: f32, %acc: f32):
    %s = arith.addf %acc, %a : f32
    linalg.yield %s : f32
  } -> tensor<4xf32>
  return %y : tensor<4xf32>
}
