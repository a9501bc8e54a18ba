// RUN: boostr-opt %s --boostr-create-shape-functions --split-input-file --verify-diagnostics

// expected-error @+1 {{cannot export function 'scalar': argument 1 'scale': expected a ranked tensor, got f32; pass a tensor of rank 0 instead}}
func.func @scalar(%x: tensor<4xf32>, %s: f32 {boostr.name = "scale"}) {
  return
}

// -----

// expected-error @+1 {{cannot export function 'unranked': argument 0 'arg0': expected a ranked tensor, got tensor<*xf32>}}
func.func @unranked(%x: tensor<*xf32>) {
  return
}

// -----

// expected-error @+1 {{cannot export function 'deep': result 0 'result0': expected rank 8 or less, got tensor<1x1x1x1x1x1x1x1x1xf32>}}
func.func @deep() -> tensor<1x1x1x1x1x1x1x1x1xf32> {
  %0 = arith.constant dense<0.0> : tensor<1x1x1x1x1x1x1x1x1xf32>
  return %0 : tensor<1x1x1x1x1x1x1x1x1xf32>
}

// -----

// expected-error @+1 {{cannot export function 'odd': argument 0 'arg0': expected elements of type f64, f32, f16, bf16, or integers of 1, 8, 16, 32 or 64 bits, got tensor<4xi7>}}
func.func @odd(%x: tensor<4xi7>) {
  return
}

// -----

// expected-error @+1 {{cannot export function 'indices': argument 0 'arg0': expected elements}}
func.func @indices(%x: tensor<4xindex>) {
  return
}

// -----

// expected-error @+1 {{cannot export function 'complex': argument 0 'arg0': expected elements}}
func.func @complex(%x: tensor<4xcomplex<f32>>) {
  return
}

// -----

// expected-error @+1 {{cannot export function 'encoded': argument 0 'arg0': expected a tensor without encoding, got tensor<4xf32, "sparse">}}
func.func @encoded(%x: tensor<4xf32, "sparse">) {
  return
}

// -----

func.func @data_dependent(%n: tensor<i64>) -> tensor<?xf32> {
  // expected-error @+1 {{'tensor.extract' op gives a value that an extent depends on, and it cannot be computed from the extents of the function's arguments}}
  %0 = tensor.extract %n[] : tensor<i64>
  %1 = arith.index_cast %0 : i64 to index
  %2 = tensor.empty(%1) : tensor<?xf32>
  return %2 : tensor<?xf32>
}

// -----

func.func private @outside(tensor<?xf32>) -> tensor<?xf32>

func.func @opaque(%x: tensor<?xf32>) -> tensor<?xf32> {
  // expected-error @+1 {{'func.call' op the extent of dimension 0 of result 0 cannot be computed from the extents of the function's arguments}}
  %0 = call @outside(%x) : (tensor<?xf32>) -> tensor<?xf32>
  return %0 : tensor<?xf32>
}

// -----

func.func @recursive(%x: tensor<?xf32>) -> tensor<?xf32> {
  // expected-error @+1 {{'func.call' op is recursive, so the shapes of what it returns are not known before it runs}}
  %0 = call @recursive(%x) : (tensor<?xf32>) -> tensor<?xf32>
  return %0 : tensor<?xf32>
}

// -----

func.func @growing(%x: tensor<?xf32>) -> tensor<?xf32> {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c8 = arith.constant 8 : index
  // expected-error @+1 {{the extent of dimension 0 of a value that a loop carries changes from one iteration to the next}}
  %0 = scf.for %i = %c0 to %c8 step %c1 iter_args(%acc = %x) -> tensor<?xf32> {
    %1 = tensor.concat dim(0) %acc, %x
        : (tensor<?xf32>, tensor<?xf32>) -> tensor<?xf32>
    scf.yield %1 : tensor<?xf32>
  }
  return %0 : tensor<?xf32>
}

// -----

func.func @branches(%x: tensor<?xf32>, %y: tensor<?xf32>, %flag: tensor<i1>)
    -> tensor<?xf32> {
  %condition = tensor.extract %flag[] : tensor<i1>
  // expected-error @+1 {{'scf.if' op the extent of dimension 0 of result 0 cannot be computed from the extents of the function's arguments}}
  %0 = scf.if %condition -> tensor<?xf32> {
    scf.yield %x : tensor<?xf32>
  } else {
    scf.yield %y : tensor<?xf32>
  }
  return %0 : tensor<?xf32>
}

// -----

// expected-error @+1 {{cannot compute the shape of result 0 of function 'returns': expected one return, got 2}}
func.func @returns(%x: tensor<?xf32>, %flag: tensor<i1>) -> tensor<?xf32> {
  %condition = tensor.extract %flag[] : tensor<i1>
  cf.cond_br %condition, ^first, ^second
^first:
  return %x : tensor<?xf32>
^second:
  %0 = arith.addf %x, %x : tensor<?xf32>
  return %0 : tensor<?xf32>
}

// -----

// What the attributes of these passes may be.

// expected-error @+1 {{'boostr.name' expected a string that is not empty, got ""}}
func.func @empty_name(%x: tensor<4xf32> {boostr.name = ""}) {
  return
}

// -----

// expected-error @+1 {{has unknown attribute 'boostr.nam' of the boostr dialect on an argument or result}}
func.func private @wrong_attribute() -> (tensor<4xf32> {boostr.nam = "y"})

// -----

// expected-error @+1 {{'boostr.signature' expected a function type, got f32}}
func.func private @wrong_signature() attributes {boostr.signature = f32}

// -----

// expected-error @+1 {{'boostr.signature_names' expected beside 'boostr.signature'}}
func.func private @names_alone() attributes {boostr.signature_names = []}

// -----

// expected-error @+1 {{'boostr.signature_names' expected 1 names, got 2}}
func.func private @two_names() attributes {
  boostr.signature = (tensor<f32>) -> (), boostr.signature_names = ["x", "y"]}

// -----

// expected-error @+1 {{'boostr.constraints' expected an array of strings, got [1]}}
func.func private @wrong_constraints() attributes {boostr.constraints = [1]}

// -----

// expected-error @+1 {{'boostr.shapes' expected a symbol, got "f"}}
func.func private @wrong_shapes() attributes {boostr.shapes = "f"}

// -----

// expected-error @+1 {{cannot export function 'tanhf': its name belongs to the C library}}
func.func @tanhf(%x: tensor<f32>) -> tensor<f32> {
  return %x : tensor<f32>
}

// -----

// expected-error @+1 {{cannot export function '__f': its name belongs to the C library}}
func.func @__f(%x: tensor<f32>) -> tensor<f32> {
  return %x : tensor<f32>
}

// -----

// expected-error @+1 {{cannot export function 'template': its name is a keyword of C or C++}}
func.func @template(%x: tensor<f32>) -> tensor<f32> {
  return %x : tensor<f32>
}

// -----

// A private function has no name outside.
func.func private @int(%x: tensor<f32>) -> tensor<f32> {
  return %x : tensor<f32>
}
