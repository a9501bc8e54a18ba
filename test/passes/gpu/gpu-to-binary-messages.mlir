// RUN: boostr-opt %s --boostr-gpu-to-binary="report=true ptxas=%S/Inputs/ptxas-with-messages" 2>%t.err \
// RUN:   | FileCheck %s
// RUN: FileCheck %s --check-prefix=SAID < %t.err

// An assembler of the first versions of CUDA 12 works on one thread.
// RUN: boostr-opt %s --boostr-gpu-to-binary="ptxas=%S/Inputs/ptxas-without-threads" 2>&1 \
// RUN:   | FileCheck %s --check-prefix=OLD
// OLD-NOT: Unknown
// OLD: bin = "cubin"

// What the assembler says is not lost.

// CHECK: metadata = {registers = 168 : i64, shared_bytes = 1024 : i64, spill_load_bytes = 28 : i64, spill_store_bytes = 36 : i64, stack_bytes = 40 : i64}

// SAID: warning: ptxas: (C7510) Potential Performance Loss: wgmma.mma_async instructions are serialized {{.*}} 'multiply'
// SAID: warning: ptxas: Unresolved extern variable
// SAID: warning: kernel 'multiply' spills 36 bytes and reloads 28
// SAID: remark: kernel 'multiply': 168 registers, 40 bytes of stack, 1024 bytes of static shared memory
module attributes {boostr.gpu_target = #boostr.gpu_target<chip = "sm_90a", features = "+ptx83">} {
  gpu.module @kernels {
    llvm.func @multiply() attributes {gpu.kernel, nvvm.kernel} {
      llvm.return
    }
  }
}
