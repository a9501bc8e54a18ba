// RUN: boostr-opt %s --emit-bytecode -o %t.mlirbc
// RUN: boostr-opt %t.mlirbc | FileCheck %s
// RUN: boostr-opt %S/roundtrip.mlir --emit-bytecode | boostr-opt | FileCheck %S/roundtrip.mlir

// A dialect version later than this build's is refused. Versions are sections of
// their own: number 7, length 1, version 1, each stored as 2*n + 1 but the first.
// RUN: %python -c "import sys; data = open(sys.argv[1], 'rb').read(); assert data.count(bytes([7, 3, 3])) == 1; open(sys.argv[2], 'wb').write(data.replace(bytes([7, 3, 3]), bytes([7, 3, 5])))" %t.mlirbc %t.newer.mlirbc
// RUN: not boostr-opt %t.newer.mlirbc 2>&1 | FileCheck %s --check-prefix=NEWER
// NEWER: boostr dialect bytecode of version 2 is newer than this build reads, expected at most 1

// CHECK-LABEL: func.func @f
// CHECK: boostr.out_proj_residual_grad %{{.*}} accumulate_bias(%{{.*}}) wrt(attn, bias) {boostr.stop_gradient} :
func.func @f(%dy: tensor<2x3x4xf32>, %a: tensor<2x3x8xf32>, %w: tensor<4x8xf32>,
    %db0: tensor<4xf32>) -> (tensor<2x3x8xf32>, tensor<4xf32>) {
  %da, %db = boostr.out_proj_residual_grad %dy, %a, %w accumulate_bias(%db0) wrt(attn, bias)
      {boostr.stop_gradient} : tensor<2x3x4xf32>, tensor<2x3x8xf32>, tensor<4x8xf32>, tensor<4xf32>
  return %da, %db : tensor<2x3x8xf32>, tensor<4xf32>
}
