// RUN: boostr-opt %s --boostr-set-gpu-target --split-input-file | FileCheck %s
// RUN: boostr-opt %s --boostr-set-gpu-target="chip=sm_80 features=+ptx75" --split-input-file \
// RUN:   | FileCheck %s --check-prefix=OTHER
// RUN: not boostr-opt %s --boostr-set-gpu-target=chip=sm_12345 2>&1 | FileCheck %s --check-prefix=CHIP
// RUN: not boostr-opt %s --boostr-set-gpu-target=features=+flux 2>&1 | FileCheck %s --check-prefix=FEATURES

// CHECK: module attributes {boostr.gpu_target = #boostr.gpu_target<chip = "sm_90a", features = "+ptx83">}
// OTHER: module attributes {boostr.gpu_target = #boostr.gpu_target<chip = "sm_80", features = "+ptx75">}
// CHIP: error: 'chip' expected a name that LLVM knows (llc -march=nvptx64 -mcpu=help lists them), got 'sm_12345'
// FEATURES: error: 'features' expected names that LLVM knows, each after + or -, got '+flux'
module {
}

// -----

// What the user wrote wins.
// CHECK: module attributes {boostr.gpu_target = #boostr.gpu_target<chip = "sm_100a", features = "">}
// OTHER: module attributes {boostr.gpu_target = #boostr.gpu_target<chip = "sm_100a", features = "">}
module attributes {boostr.gpu_target = #boostr.gpu_target<chip = "sm_100a", features = "">} {
}
