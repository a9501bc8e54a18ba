// RUN: boostr-opt %s --split-input-file --boostr-set-cpu-target=cpu=x86-64-v4 | FileCheck %s --check-prefixes=V4,KEPT
// RUN: boostr-opt %s --split-input-file --boostr-set-cpu-target=cpu=x86-64-v3 | FileCheck %s --check-prefixes=V3,KEPT
// RUN: boostr-opt %s --split-input-file --boostr-set-cpu-target=cpu=x86-64-v2 | FileCheck %s --check-prefixes=V2,KEPT
// RUN: boostr-opt %s --split-input-file --boostr-set-cpu-target | FileCheck %s --check-prefixes=NATIVE,KEPT
// RUN: boostr-opt %s --split-input-file --boostr-set-cpu-target="cpu=x86-64 features=+avx2,+fma" | FileCheck %s --check-prefixes=ADDED,KEPT
// RUN: boostr-opt %s --split-input-file --boostr-set-cpu-target="cpu=x86-64-v4 features=-avx512vl" | FileCheck %s --check-prefixes=REMOVED,KEPT
// RUN: boostr-opt %s --split-input-file --boostr-set-cpu-target="cpu=x86-64 features=+avx512f" | FileCheck %s --check-prefixes=PART,KEPT
// RUN: not boostr-opt %s --boostr-set-cpu-target=cpu=cortex-a57 2>&1 | FileCheck %s --check-prefix=NO-CPU
// RUN: not boostr-opt %s --boostr-set-cpu-target="cpu=x86-64 features=+avx2,+avx99" 2>&1 | FileCheck %s --check-prefix=NO-FEATURE
// RUN: not boostr-opt %s --boostr-set-cpu-target="cpu=x86-64 features=avx2" 2>&1 | FileCheck %s --check-prefix=NO-SIGN
//
// Of a named CPU the vectors are known and the caches are typical ones; of this
// machine both are read.

// V4: #boostr.cpu_target<cpu = "x86-64-v4", features = "", vector_bits = 512, registers = 32, l1_bytes = 32768, l2_bytes = 1048576>
// V3: #boostr.cpu_target<cpu = "x86-64-v3", features = "", vector_bits = 256, registers = 16, l1_bytes = 32768, l2_bytes = 262144>
// V2: #boostr.cpu_target<cpu = "x86-64-v2", features = "", vector_bits = 128, registers = 16, l1_bytes = 32768, l2_bytes = 262144>
// NATIVE: #boostr.cpu_target<cpu = "{{[^n"][^"]+}}", features = "{{[^"]+}}", vector_bits = {{128|256|512}}, registers = {{16|32}}, l1_bytes = {{[0-9]+}}, l2_bytes = {{[0-9]+}}>
// ADDED: #boostr.cpu_target<cpu = "x86-64", features = "+avx2,+fma", vector_bits = 256, registers = 16
// REMOVED: #boostr.cpu_target<cpu = "x86-64-v4", features = "-avx512vl", vector_bits = 256, registers = 16
// AVX-512 without its extensions for shorter vectors is of no use; what it
// implies is.
// PART: #boostr.cpu_target<cpu = "x86-64", features = "+avx512f", vector_bits = 256, registers = 16
// NO-CPU: error: 'cpu' expected a name that LLVM knows (llc -march=x86-64 -mcpu=help lists them), got 'cortex-a57'
// NO-FEATURE: error: 'features' expected names that LLVM knows, each after + or -, got '+avx99'
// NO-SIGN: error: 'features' expected names that LLVM knows, each after + or -, got 'avx2'
module @chosen {
}

// -----

// What the user wrote wins, whatever the options say.
// KEPT: module @untouched attributes {boostr.cpu_target = #boostr.cpu_target<cpu = "znver4", features = "+avx2", vector_bits = 256, registers = 16, l1_bytes = 1024, l2_bytes = 2048>}
module @untouched attributes {boostr.cpu_target = #boostr.cpu_target<
  cpu = "znver4", features = "+avx2", vector_bits = 256, registers = 16,
  l1_bytes = 1024, l2_bytes = 2048>} {
}
