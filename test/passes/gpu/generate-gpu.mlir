// RUN: boostr-opt %s --boostr-generate-gpu --canonicalize --cse | FileCheck %s
//
// What the host computes and what kernels consist of. test/gpu runs them.

// Three segments in one launch: X is walked by one tensor map, weight and result
// by one each. Tokens of any number: a unit of 64 of them is as many batches of a
// power of two of tokens as fit.

// CHECK-LABEL: func @fused_qkv_bias_bf16(
// CHECK-COUNT-7: llvm.call @boostr_cuda_encode_tensor_map
// CHECK:         llvm.call @boostr_cuda_multiprocessors
// CHECK:         gpu.launch_func @fused_qkv::@fused_qkv blocks in (%{{.+}}, %c1, %c1) threads in (%c384, %c1, %c1) dynamic_shared_memory_size %{{.+}} args(
// CHECK-NOT:     boostr.fused_qkv
func.func @fused_qkv_bias_bf16(%x: memref<?x?x512xbf16>, %w: memref<1024x512xbf16>,
    %b: memref<1024xbf16>, %q: memref<?x4x?x128xbf16>, %k: memref<?x2x?x128xbf16>,
    %v: memref<?x2x?x128xbf16>) {
  boostr.fused_qkv %x, %w bias(%b) outs(%q, %k, %v) num_heads = 4 num_kv_heads = 2 head_dim = 128
      {boostr.gpu_tiles = [#boostr.gpu_tile<kernel = wgmma, block = [128, 256, 64], stages = 4, group = 16>]}
      : memref<?x?x512xbf16>, memref<1024x512xbf16>, memref<1024xbf16>,
        memref<?x4x?x128xbf16>, memref<?x2x?x128xbf16>, memref<?x2x?x128xbf16>
  return
}

// One launch for the gradient of the input, one for those of weight and bias. The
// f32 gradient of the weight is added to by the copy engine; that of the bias by
// the threads that hold its sums.

// CHECK-LABEL: func @fused_qkv_grad_f16(
// CHECK:         gpu.launch_func @fused_qkv_grad::@fused_qkv_grad
// CHECK:         gpu.launch_func @[[WEIGHT:fused_qkv_grad_.+]]::@fused_qkv_grad
func.func @fused_qkv_grad_f16(%dq: memref<2x4x?x64xf16>, %dk: memref<2x1x?x64xf16>,
    %dv: memref<2x1x?x64xf16>, %x: memref<2x?x512xf16>, %w: memref<384x512xf16>,
    %dx: memref<2x?x512xf16>, %dw: memref<384x512xf32>, %db: memref<384xf16>) {
  boostr.fused_qkv_grad %dq, %dk, %dv, %x, %w accumulate_weight(%dw) outs(%dx, %db)
      wrt(input, weight, bias) num_heads = 4 num_kv_heads = 1 head_dim = 64
      {boostr.gpu_tiles = [#boostr.gpu_tile<kernel = wgmma, block = [128, 128, 64], stages = 4, group = 16>,
                           #boostr.gpu_tile<kernel = wgmma, block = [128, 256, 64], stages = 4, group = 8>]}
      : memref<2x4x?x64xf16>, memref<2x1x?x64xf16>, memref<2x1x?x64xf16>, memref<2x?x512xf16>,
        memref<384x512xf16>, memref<384x512xf32>, memref<2x?x512xf16>, memref<384xf16>
  return
}

// The residual of a tile is fetched beside its products, by the warpgroups that multiply.

// CHECK-LABEL: func @residual(
// CHECK:         gpu.launch_func @[[RESIDUAL:.+]]::@out_proj_residual
func.func @residual(%a: memref<?x?x1024xbf16>, %w: memref<512x1024xbf16>,
    %r: memref<?x?x512xbf16>, %y: memref<?x?x512xbf16>) {
  boostr.out_proj_residual %a, %w residual(%r) outs(%y)
      {boostr.gpu_tiles = [#boostr.gpu_tile<kernel = wgmma, block = [128, 256, 64], stages = 4, group = 16>]}
      : memref<?x?x1024xbf16>, memref<512x1024xbf16>, memref<?x?x512xbf16>, memref<?x?x512xbf16>
  return
}

// Few tiles and a long k: up to 8 blocks share a tile. What they leave for each
// other is in memory that is there for this launch.

// CHECK-LABEL: func @shared_tiles(
// CHECK:         %[[WORKSPACE:.+]] = llvm.alloca %{{.+}} x !llvm.ptr
// CHECK-NEXT:    llvm.store %[[NULL:.+]], %[[WORKSPACE]]
// CHECK:         scf.if %{{.+}} -> (i64, i64) {
// CHECK:           %[[BLOCK:.+]] = llvm.call @boostr_allocate
// CHECK:           llvm.store %[[BLOCK]], %[[WORKSPACE]]
// CHECK:           llvm.call @boostr_cuda_token()
// CHECK:         gpu.launch_func @[[SHARED:.+]]::@out_proj_residual_grad
// CHECK:         %[[USED:.+]] = llvm.load %[[WORKSPACE]]
// CHECK-NEXT:    llvm.call @boostr_release(%[[USED]])
// CHECK-NEXT:    llvm.store %[[NULL]], %[[WORKSPACE]]
func.func @shared_tiles(%dy: memref<?x?x1024xbf16>, %a: memref<?x?x1024xbf16>,
    %w: memref<1024x1024xbf16>, %dw: memref<1024x1024xbf16>) {
  boostr.out_proj_residual_grad %dy, %a, %w outs(%dw) wrt(weight)
      {boostr.gpu_tiles = [#boostr.gpu_tile<kernel = wgmma, block = [128, 256, 64], stages = 4, group = 8, split = 8>]}
      : memref<?x?x1024xbf16>, memref<?x?x1024xbf16>, memref<1024x1024xbf16>, memref<1024x1024xbf16>
  return
}

// Few tokens occupy more multiprocessors with narrow tiles: half a head here, a
// whole one, or one and a half; tiles of three consumers may be fewer than one for each.
// The kernel that costs least is launched: 8 steps that take what passes through shared
// memory, and 4800 cycles at its ends (1800 if the epilogue overlaps), in each round.
// Boxes of lhs have as many rows as there are tokens.

// CHECK-LABEL: func @narrow_tiles(
// CHECK:         %[[ALL:.+]] = arith.muli %{{.+}}, %c8384 : index
// CHECK:         %[[COST1:.+]] = arith.muli %{{.+}}, %c9920 : index
// CHECK:         %[[COST2:.+]] = arith.muli %{{.+}}, %c11456 : index
// CHECK:         %[[COST3:.+]] = arith.muli %{{.+}}, %c14016 : index
// CHECK:         %[[ROUNDS:.+]] = arith.muli %{{.+}}, %c9992 : index
// CHECK:         %[[WHOLE:.+]] = arith.addi %[[ROUNDS]], %c3000 : index
// CHECK:         %[[COST4:.+]] = arith.minui %[[WHOLE]], %{{.+}} : index
// CHECK:         %[[FEW:.+]] = arith.cmpi ule, %{{.+}}, %c128 : index
// CHECK:         %[[COST0:.+]] = arith.select %[[FEW]], %c0, %[[ALL]] : index
// CHECK:         %[[LEAST3:.+]] = arith.minui %[[COST3]], %[[COST4]]
// CHECK:         %[[LEAST2:.+]] = arith.minui %[[COST2]], %[[LEAST3]]
// CHECK:         %[[LEAST1:.+]] = arith.minui %[[COST1]], %[[LEAST2]]
// CHECK:         %[[LEAST0:.+]] = arith.minui %[[COST0]], %[[LEAST1]]
// CHECK:         %[[FIRST:.+]] = arith.cmpi eq, %[[COST0]], %[[LEAST0]]
// CHECK:         scf.if %[[FIRST]]
// CHECK:           gpu.launch_func @[[NARROW:.+]]::@fused_qkv
// CHECK:         } else {
// CHECK:           %[[SECOND:.+]] = arith.cmpi eq, %[[COST1]], %[[LEAST1]]
// CHECK:           scf.if %[[SECOND]]
// CHECK:             gpu.launch_func @{{.+}}::@fused_qkv
// CHECK:           } else {
// CHECK:             %[[THIRD:.+]] = arith.cmpi eq, %[[COST2]], %[[LEAST2]]
// CHECK:             scf.if %[[THIRD]]
// CHECK:               gpu.launch_func @[[ACROSS:.+]]::@fused_qkv
// CHECK:             } else {
// CHECK:               %[[FOURTH:.+]] = arith.cmpi eq, %[[COST3]], %[[LEAST3]]
// CHECK:               scf.if %[[FOURTH]]
// CHECK:                 gpu.launch_func @[[TALL:.+]]::@fused_qkv {{.*}}threads in (%c512, %c1, %c1)
// CHECK:               } else {
// CHECK:                 gpu.launch_func @[[WIDE:.+]]::@fused_qkv {{.*}}threads in (%c384, %c1, %c1)
func.func @narrow_tiles(%x: memref<?x?x512xbf16>, %w: memref<1024x512xbf16>,
    %q: memref<?x4x?x128xbf16>, %k: memref<?x2x?x128xbf16>, %v: memref<?x2x?x128xbf16>) {
  boostr.fused_qkv %x, %w outs(%q, %k, %v) num_heads = 4 num_kv_heads = 2 head_dim = 128
      {boostr.gpu_tiles = [#boostr.gpu_tile<kernel = wgmma, block = [128, 256, 64], stages = 4, group = 16, split = 8, narrow = [64, 128, 192], tall = [192]>]}
      : memref<?x?x512xbf16>, memref<1024x512xbf16>,
        memref<?x4x?x128xbf16>, memref<?x2x?x128xbf16>, memref<?x2x?x128xbf16>
  return
}

// Rows of 64 bytes where they are no heads: boxes of 32 columns, with the swizzle of
// 64 bytes (2), for the residual and the result; operands keep that of 128 (3).

// CHECK-LABEL: func @narrow_tiles_of_32_columns(
// CHECK:         scf.if
// CHECK-COUNT-2:   llvm.call @boostr_cuda_encode_tensor_map({{.*}}, %c3_i32)
// CHECK-COUNT-2:   llvm.call @boostr_cuda_encode_tensor_map({{.*}}, %c2_i32)
// CHECK:         } else {
// CHECK-COUNT-4:   llvm.call @boostr_cuda_encode_tensor_map({{.*}}, %c3_i32)
// CHECK:         return
func.func @narrow_tiles_of_32_columns(%a: memref<?x?x512xbf16>, %w: memref<1024x512xbf16>, %y: memref<?x?x1024xbf16>) {
  boostr.out_proj_residual %a, %w residual(%y) outs(%y)
      {boostr.gpu_tiles = [#boostr.gpu_tile<kernel = wgmma, block = [128, 256, 64], stages = 4, group = 16, narrow = [32]>]}
      : memref<?x?x512xbf16>, memref<1024x512xbf16>, memref<?x?x1024xbf16>, memref<?x?x1024xbf16>
  return
}

// Flat tiles, which one warpgroup multiplies and another loads: the first is for up to
// 64 rows, before those of 128.

// CHECK-LABEL: func @flat_tiles(
// CHECK:         %[[ROWS:.+]] = arith.muli
// CHECK:         %[[IS_FEW:.+]] = arith.cmpi ule, %[[ROWS]], %c64{{.*}} : index
// CHECK:         arith.select %[[IS_FEW]], %c0{{.*}}
// CHECK:         scf.if
// CHECK:           gpu.launch_func @[[FLAT:.+]]::@out_proj_residual {{.*}}threads in (%c256, %c1, %c1)
// CHECK:         } else {
// CHECK:           scf.if
// CHECK:             gpu.launch_func @{{.+}}::@out_proj_residual {{.*}}threads in (%c384, %c1, %c1)
// CHECK:           } else {
// CHECK:             gpu.launch_func @{{.+}}::@out_proj_residual {{.*}}threads in (%c384, %c1, %c1)
func.func @flat_tiles(%a: memref<?x?x512xbf16>, %w: memref<1024x512xbf16>, %y: memref<?x?x1024xbf16>) {
  boostr.out_proj_residual %a, %w residual(%y) outs(%y)
      {boostr.gpu_tiles = [#boostr.gpu_tile<kernel = wgmma, block = [128, 256, 64], stages = 4, group = 16, narrow = [64], flat = [32]>]}
      : memref<?x?x512xbf16>, memref<1024x512xbf16>, memref<?x?x1024xbf16>, memref<?x?x1024xbf16>
  return
}

// CHECK-LABEL: func @elsewhere
// CHECK-NEXT:    return
func.func @elsewhere() {
  return
}

// The kernels, in the order of their insertion.

// CHECK:       gpu.module @fused_qkv
// CHECK:         llvm.func @fused_qkv(%{{.+}}: !llvm.ptr {llvm.align = 64 : i64, llvm.byval = !llvm.array<128 x i8>, nvvm.grid_constant}
// CHECK-SAME:      attributes {gpu.kernel, nvvm.kernel, nvvm.maxntid = array<i32: 384>, nvvm.minctasm = 1 : i32}
// CHECK:         nvvm.setmaxregister decrease 24
// CHECK:           nvvm.mbarrier.arrive.expect_tx %{{.+}}, %c49152_i32
// CHECK:           nvvm.cp.async.bulk.tensor.shared.cluster.global
// CHECK:         nvvm.setmaxregister increase 240
// The first step of a tile: a box of the results of the tile before leaves with its products under way.
// CHECK-COUNT-4:   nvvm.wgmma.mma_async {{.*}}, <m = 64, n = 256, k = 16>, D[<f32>, <one>], A[<bf16>, <one>, <row>], B[<bf16>, <one>, <col>
// CHECK-NOT:       nvvm.wgmma.wait.group.sync.aligned
// CHECK-COUNT-4:   nvvm.stmatrix
// CHECK:           nvvm.cp.async.bulk.tensor.global.shared.cta
// The others. A slot of the ring is released with the first product of the next one under way.
// CHECK:           nvvm.wgmma.mma_async
// CHECK-NOT:       nvvm.wgmma.mma_async
// CHECK:           nvvm.wgmma.wait.group.sync.aligned 1
// CHECK:           nvvm.mbarrier.arrive
// CHECK-COUNT-3:   nvvm.wgmma.mma_async {{.*}}, <m = 64, n = 256, k = 16>
// CHECK-NOT:       nvvm.wgmma.wait.group.sync.aligned
// CHECK-COUNT-3:   nvvm.cp.async.bulk.tensor.global.shared.cta
// CHECK:           nvvm.wgmma.wait.group.sync.aligned 0
// The last tile.
// CHECK:           nvvm.stmatrix
// CHECK-COUNT-4:   nvvm.cp.async.bulk.tensor.global.shared.cta

// Memory of the weight runs along the columns of the result here.
// CHECK:       gpu.module @fused_qkv_grad
// CHECK-COUNT-4:   nvvm.wgmma.mma_async {{.*}}, <m = 64, n = 128, k = 16>, D[<f32>, <one>], A[<f16>, <one>, <row>], B[<f16>, <one>, <row>]

// Neither operand runs along k. Two warps add up the tokens, in registers, and
// exchange what they have with those of other blocks.
// CHECK:       gpu.module @[[WEIGHT]]
// CHECK:           nvvm.setmaxregister decrease 48
// CHECK:           llvm.load %{{.+}} : !llvm.ptr<3> -> vector<2xi32>
// CHECK:           gpu.shuffle xor
// CHECK:           llvm.cmpxchg %{{.+}} syncscope("device") monotonic monotonic
// CHECK:           nvvm.setmaxregister increase 224
// CHECK:           nvvm.wgmma.mma_async {{.*}}, <m = 64, n = 256, k = 16>, D[<f32>, <one>], A[<f16>, <one>, <col>], B[<f16>, <one>, <row>]
// CHECK-NOT:       <m = 64, n = 8, k = 16>
// CHECK:           nvvm.cp.async.bulk.tensor.reduce

// CHECK:       gpu.module @[[RESIDUAL]]
// CHECK:           nvvm.setmaxregister decrease
// CHECK-COUNT-3:   nvvm.cp.async.bulk.tensor.shared.cluster.global
// CHECK-NOT:       nvvm.cp.async.bulk.tensor.shared.cluster.global
// CHECK:           nvvm.setmaxregister increase
// CHECK-COUNT-8:   nvvm.wgmma.mma_async
// CHECK:           nvvm.cp.async.bulk.tensor.shared.cluster.global
// CHECK:           nvvm.ldmatrix
// CHECK:           nvvm.wgmma.wait.group.sync.aligned 0

// Whole tiles come first. The owner of a tile waits for the flags of its helpers,
// whose sums come through the ring.
// CHECK:       gpu.module @[[SHARED]]
// CHECK:           nvvm.setmaxregister decrease 24
// CHECK-NOT:       atomic
// CHECK:           nvvm.cp.async.bulk.tensor.shared.cluster.global
// CHECK:           llvm.load %{{.+}} atomic syncscope("device") acquire
// CHECK:           nvvm.cp.async.bulk.shared.cluster.global
// CHECK:           llvm.store %{{.+}} atomic syncscope("device") release

// CHECK:       gpu.module @[[NARROW]]
// CHECK:           nvvm.wgmma.mma_async {{.*}}, <m = 64, n = 64, k = 16>

// Each 64 columns of a tile of 192 are loaded and stored by themselves.
// CHECK:       gpu.module @[[ACROSS]]
// CHECK:           nvvm.mbarrier.arrive.expect_tx
// CHECK-COUNT-5:   nvvm.cp.async.bulk.tensor.shared.cluster.global
// CHECK-NOT:       nvvm.cp.async.bulk.tensor.shared.cluster.global
// CHECK:           nvvm.wgmma.mma_async {{.*}}, <m = 64, n = 192, k = 16>
// CHECK-COUNT-3:   nvvm.cp.async.bulk.tensor.global.shared.cta
// CHECK:       gpu.module @[[TALL]]
// CHECK:         llvm.func @fused_qkv({{.*}}nvvm.maxntid = array<i32: 512>
// CHECK:         nvvm.setmaxregister decrease 56
// CHECK:         nvvm.setmaxregister increase 152
// CHECK:       gpu.module @[[WIDE]]
// CHECK:           nvvm.wgmma.mma_async {{.*}}, <m = 64, n = 256, k = 16>
