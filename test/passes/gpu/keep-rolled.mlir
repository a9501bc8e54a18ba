// RUN: boostr-compile %s --target=cuda:sm_80 --emit=ptx -o - | FileCheck %s

// What says that a loop stays as it is written reaches the assembler.

// CHECK:      .entry
// CHECK:      .pragma "nounroll";
// CHECK:      mma.sync.aligned.m16n8k16
func.func @out(%a: tensor<?x?x4096xbf16>, %w: tensor<4096x4096xbf16>, %r: tensor<?x?x4096xbf16>) -> tensor<?x?x4096xbf16> {
  %y = boostr.out_proj_residual %a, %w residual(%r)
      : tensor<?x?x4096xbf16>, tensor<4096x4096xbf16>, tensor<?x?x4096xbf16>
  return %y : tensor<?x?x4096xbf16>
}
