// RUN: not boostr-opt %s --boostr-differentiate=functions=f,nothing 2>&1 | FileCheck %s --check-prefix=NAME
// RUN: not boostr-opt %s --boostr-differentiate="functions=f wrt=7" 2>&1 | FileCheck %s --check-prefix=NUMBER
// RUN: not boostr-opt %s --boostr-differentiate="functions=f wrt=1" 2>&1 | FileCheck %s --check-prefix=TYPE
// RUN: not boostr-opt %s --boostr-differentiate="functions=g wrt=0" 2>&1 | FileCheck %s --check-prefix=NONE

// NAME: error: option 'functions' of boostr-differentiate names 'nothing', which is no function of the module
// NUMBER: error: 'func.func' op 'f' has 2 arguments, got number 7 in option 'wrt'
// TYPE: error: 'func.func' op 'f' expected argument #1 of option 'wrt' to be a scalar or ranked tensor of f64, f32, f16 or bf16, got 'i32'
func.func @f(%x: f32, %i: i32) -> f32 {
  return %x : f32
}

// NONE: error: 'func.func' op 'g' has no argument to differentiate by
func.func @g(%x: f32, %y: f32) -> f32 attributes {boostr.differentiate = array<i64: 1>} {
  return %x : f32
}
