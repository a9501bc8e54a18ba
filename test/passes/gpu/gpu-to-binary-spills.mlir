// RUN: boostr-opt %s --boostr-gpu-to-binary="ptxas=%S/Inputs/ptxas-that-spills" 2>%t.err \
// RUN:   | FileCheck %s
// RUN: FileCheck %s --check-prefix=SAID < %t.err

// An assembler that spills registers to have more blocks on a multiprocessor is told to have
// fewer, one less each time; PTX for later chips has that too. Kernels that take as many
// registers as a thread may have, and those that say how many blocks they want, stay as they are.

// CHECK-DAG: <"eager", !llvm.func<void ()>, metadata = {registers = 150 : i64, shared_bytes = 1 : i64, spill_load_bytes = 0 : i64, spill_store_bytes = 0 : i64
// CHECK-DAG: <"steady", !llvm.func<void ()>, metadata = {registers = 120 : i64, shared_bytes = 1 : i64, spill_load_bytes = 0 : i64, spill_store_bytes = 0 : i64
// CHECK-DAG: <"large", !llvm.func<void ()>, metadata = {registers = 255 : i64, shared_bytes = 1 : i64, spill_load_bytes = 104 : i64
// CHECK-DAG: <"bounded", !llvm.func<void ()>, metadata = {registers = 2 : i64, shared_bytes = 1 : i64, spill_load_bytes = 16 : i64

// CHECK: entry eager(
// CHECK: .minnctapersm 1
// CHECK: entry steady(
// CHECK: .minnctapersm 2
// CHECK: entry large(
// CHECK-NOT: .minnctapersm
// CHECK: entry bounded(
// CHECK: .minnctapersm 2

// SAID-NOT: ' spills
// SAID: warning: kernel 'large' spills 104 bytes and reloads 104
// SAID: warning: kernel 'bounded' spills 16 bytes and reloads 16
// SAID-NOT: ' spills
module attributes {boostr.gpu_target = #boostr.gpu_target<chip = "sm_120", features = "+ptx87">} {
  gpu.module @kernels {
    llvm.func @eager() attributes {gpu.kernel, nvvm.kernel, nvvm.maxntid = array<i32: 256, 1, 1>} {
      llvm.return
    }
    llvm.func @steady() attributes {gpu.kernel, nvvm.kernel, nvvm.maxntid = array<i32: 128, 2, 1>} {
      llvm.return
    }
    llvm.func @large() attributes {gpu.kernel, nvvm.kernel, nvvm.maxntid = array<i32: 256, 1, 1>} {
      llvm.return
    }
    llvm.func @bounded() attributes {gpu.kernel, nvvm.kernel, nvvm.maxntid = array<i32: 256, 1, 1>, nvvm.minctasm = 2 : i32} {
      llvm.return
    }
  }
}
