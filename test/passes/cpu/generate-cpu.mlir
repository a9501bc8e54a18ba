// RUN: boostr-opt %s --boostr-generate-cpu=min-task-work=1 --canonicalize --cse | FileCheck %s
//
// Tiles are small by hand, so that there is little to read: a block of 4 x 8
// sums from 8 steps of k at a time, 2 x 4 of them in registers, 4 to a vector.

// The whole of it once. Rows of the weight lie along k, so they are the side of
// rows, which is copied, and tokens that of columns, which is transposed in
// squares of 4 x 4. 3 blocks of the 10 tokens are packed for all, and then there
// are as many times 2 or 4 blocks of the 16 query features and 1 or 2 of the 8 key
// or value features each, whichever the threads share best.

// CHECK-LABEL: func @fused_qkv_bias_f32(
// CHECK-SAME:    %[[INPUT:[a-z0-9]+]]: memref<2x5x8xf32>, %[[WEIGHT:[a-z0-9]+]]: memref<32x8xf32>, %[[BIAS:[a-z0-9]+]]: memref<32xf32>, %[[QUERY:[a-z0-9]+]]: memref<2x4x5x4xf32>, %[[KEY:[a-z0-9]+]]: memref<2x2x5x4xf32>, %[[VALUE:[a-z0-9]+]]: memref<2x2x5x4xf32>
// CHECK-DAG:     %[[C0:.+]] = arith.constant 0 : index
// CHECK-DAG:     %[[C1:.+]] = arith.constant 1 : index
// CHECK-DAG:     %[[C2:.+]] = arith.constant 2 : index
// CHECK-DAG:     %[[C3:.+]] = arith.constant 3 : index
// CHECK-DAG:     %[[C4:.+]] = arith.constant 4 : index
// CHECK-DAG:     %[[C8:.+]] = arith.constant 8 : index
// CHECK-DAG:     %[[C16:.+]] = arith.constant 16 : index
// Rows of the weight and the bias are read where they lie: no slice, no copy.
// CHECK-DAG:     memref.reinterpret_cast %[[WEIGHT]] to offset: [0], sizes: [128]
// CHECK-DAG:     memref.reinterpret_cast %[[WEIGHT]] to offset: [128], sizes: [64]
// CHECK-DAG:     memref.reinterpret_cast %[[WEIGHT]] to offset: [192], sizes: [64]
// CHECK-DAG:     memref.reinterpret_cast %[[BIAS]] to offset: [24], sizes: [8]
// CHECK-NOT:     memref.copy
// CHECK-NOT:     linalg
//
// Three blocks of a panel of 4 tokens by 8 steps.
// CHECK:         %[[PACKED:.+]] = memref.alloc() {alignment = 64 : i64} : memref<96xf32>
// CHECK:         scf.parallel (%{{.+}}) = (%[[C0]]) to (%[[C3]]) step (%[[C1]])
// CHECK-COUNT-4:   vector.load {{.*}} : memref<{{.+}}xf32, strided<[1]{{.*}}>>, vector<4xf32>
// CHECK:           vector.shuffle {{.*}} [0, 4, 2, 6]
// CHECK:           vector.shuffle {{.*}} [1, 5, 3, 7]
// CHECK-COUNT-2:   vector.shuffle
// CHECK:           vector.shuffle {{.*}} [0, 1, 4, 5]
// CHECK:           vector.shuffle {{.*}} [2, 3, 6, 7]
// CHECK-COUNT-2:   vector.shuffle
// CHECK-COUNT-4:   vector.store {{.*}}, %[[PACKED]]
//
// CHECK:         call @boostr_num_threads() : () -> i64
// CHECK:         %[[WIDTH:.+]] = arith.select %{{.+}}, %[[C4]], %[[C8]] : index
// CHECK:         %[[Q_BLOCKS:.+]] = arith.ceildivui %[[C16]], %[[WIDTH]]
// CHECK:         %[[Q_TASKS:.+]] = arith.muli %[[Q_BLOCKS]], %[[C3]]
// CHECK:         %[[K_BLOCKS:.+]] = arith.ceildivui %[[C8]], %[[WIDTH]]
// CHECK:         %[[K_TASKS:.+]] = arith.muli %[[K_BLOCKS]], %[[C3]]
// CHECK:         %[[QK_TASKS:.+]] = arith.addi %[[Q_TASKS]], %[[K_TASKS]]
// CHECK:         %[[BLOCKS:.+]] = arith.addi %[[QK_TASKS]], %[[K_TASKS]]
// CHECK:         scf.parallel (%[[FIRST:.+]]) = (%[[C0]]) to (%[[TASKS:.+]]) step (%[[C1]])
// CHECK:           scf.for %[[TASK:.+]] = %[[FIRST]] to %[[BLOCKS]] step %[[TASKS]]
// CHECK:           %[[IS_KEY:.+]] = arith.cmpi ult, %[[TASK]], %[[QK_TASKS]]
// CHECK:           arith.select %[[IS_KEY]], {{.*}} : memref<{{.+}}xf32, strided<[1]{{.*}}>>
// CHECK:           %[[IS_QUERY:.+]] = arith.cmpi ult, %[[TASK]], %[[Q_TASKS]]
// CHECK:           arith.select %[[IS_QUERY]], %[[C4]], %[[C2]] : index
// CHECK:           %[[SUMS:.+]] = memref.alloc() {alignment = 64 : i64} : memref<32xf32>
// CHECK:           %[[ROWS:.+]] = memref.alloc() {alignment = 64 : i64} : memref<32xf32>
// CHECK:           scf.for
// CHECK:             %[[COPIED:.+]] = vector.load {{.*}} : memref<{{.+}}xf32, strided<[1]{{.*}}>>, vector<4xf32>
// CHECK:             vector.store %[[COPIED]], %[[ROWS]]
// CHECK-NOT:         vector.shuffle
// All of k is one block of steps: sums begin with zero and are not loaded.
// CHECK-NOT:         vector.load %[[SUMS]]
// CHECK:               scf.for %{{.+}} = %[[C0]] to %[[C2]] step %[[C1]]
// CHECK:                 memref.prefetch %[[SUMS]]
// CHECK:                 memref.prefetch %[[PACKED]]
// The rows that are packed next.
// CHECK:                 memref.prefetch {{.*}} : memref<{{.+}}xf32, strided<[1]{{.*}}>>
// CHECK:                 scf.for %{{.+}} = %[[C0]] to %[[C4]] step %[[C1]] iter_args(%[[SUM0:.+]] = {{.+}}, %[[SUM1:.+]] = {{.+}}) -> (vector<4xf32>, vector<4xf32>)
// CHECK:                 %[[COLUMNS:.+]] = vector.load %[[PACKED]]
// CHECK:                 %[[ELEMENT0:.+]] = memref.load %[[ROWS]]
// CHECK:                 %[[ROW0:.+]] = vector.broadcast %[[ELEMENT0]]
// CHECK:                 vector.fma %[[ROW0]], %[[COLUMNS]], %[[SUM0]]
// CHECK:                 %[[ROW1:.+]] = vector.broadcast
// CHECK:                 vector.fma %[[ROW1]], %[[COLUMNS]], %[[SUM1]]
// CHECK-NOT:             vector.fma
// CHECK-COUNT-2:       vector.store {{.*}}, %[[SUMS]]
//
// Squares of sums are transposed where they lie; tokens that do not exist are not
// stored. Rows of the result are whole vectors: there is no code for a rest.
// CHECK-COUNT-4:     vector.load %[[SUMS]]
// CHECK-COUNT-8:     vector.shuffle
// CHECK-COUNT-4:     vector.store {{.*}}, %[[SUMS]]
// CHECK:             scf.for
// CHECK:               vector.load %[[SUMS]]
// CHECK:               %[[ADDEND:.+]] = vector.load {{.*}} : memref<{{.+}}xf32, strided<[1]{{.*}}>>
// CHECK:               %[[RESULT:.+]] = arith.addf %{{.+}}, %[[ADDEND]] : vector<4xf32>
// CHECK:               vector.store %[[RESULT]], {{.*}} : memref<{{.+}}xf32, strided<[1]{{.*}}>>
// CHECK-NOT:         memref.load %[[SUMS]]
// CHECK:           memref.dealloc %[[SUMS]] :
// CHECK-NOT:     scf.parallel
// CHECK:         memref.dealloc %[[PACKED]] :
// CHECK-NEXT:    return
func.func @fused_qkv_bias_f32(%input: memref<2x5x8xf32>, %weight: memref<32x8xf32>,
    %bias: memref<32xf32>, %query: memref<2x4x5x4xf32>,
    %key: memref<2x2x5x4xf32>, %value: memref<2x2x5x4xf32>) {
  boostr.fused_qkv %input, %weight bias(%bias) outs(%query, %key, %value)
      num_heads = 4 num_kv_heads = 2 head_dim = 4 {boostr.cpu_tile =
      #boostr.cpu_tile<kernel = fma, block = [4, 8, 8], register = [2, 4], lanes = 4, packed_bytes = 4096>}
      : memref<2x5x8xf32>, memref<32x8xf32>, memref<32xf32>,
        memref<2x4x5x4xf32>, memref<2x2x5x4xf32>, memref<2x2x5x4xf32>
  return
}

// With an odd head_dim no vector of features is whole in a head: results are
// stored one by one, while the operands are packed as before.

// CHECK-LABEL: func @fused_qkv_odd_head_dim(
// CHECK-COUNT-8:   vector.shuffle
// CHECK:         scf.parallel
// CHECK:           vector.fma
// CHECK-NOT:       vector.store {{.*}} : memref<{{.+}}xf32, strided<[1]{{.*}}>>
// CHECK:           memref.store {{.*}} : memref<{{.+}}xf32, strided<[1]{{.*}}>>
// CHECK:         return
func.func @fused_qkv_odd_head_dim(%input: memref<1x4x8xf32>, %weight: memref<9x8xf32>,
    %query: memref<1x1x4x3xf32>, %key: memref<1x1x4x3xf32>, %value: memref<1x1x4x3xf32>) {
  boostr.fused_qkv %input, %weight outs(%query, %key, %value)
      num_heads = 1 num_kv_heads = 1 head_dim = 3 {boostr.cpu_tile =
      #boostr.cpu_tile<kernel = fma, block = [4, 8, 8], register = [2, 4], lanes = 4, packed_bytes = 4096>}
      : memref<1x4x8xf32>, memref<9x8xf32>, memref<1x1x4x3xf32>,
        memref<1x1x4x3xf32>, memref<1x1x4x3xf32>
  return
}

// k = 6: four steps by a square (or a copy), the other two element by element, and
// zeros up to a whole chunk of four.

// CHECK-LABEL: func @fused_qkv_k_no_multiple_of_lanes(
// CHECK-DAG:     %[[ZERO:.+]] = arith.constant 0.000000e+00 : f32
// CHECK:         %[[PACKED:.+]] = memref.alloc() {{.*}} : memref<32xf32>
// CHECK-COUNT-8:   vector.shuffle
// CHECK:             %[[ELEMENT:.+]] = memref.load {{.*}} : memref<{{.+}}xf32, strided<[1]{{.*}}>>
// CHECK:             memref.store %[[ELEMENT]], %[[PACKED]]
// CHECK:             memref.store %[[ZERO]], %[[PACKED]]
// CHECK:         scf.parallel
// CHECK:           vector.fma
func.func @fused_qkv_k_no_multiple_of_lanes(%input: memref<1x4x6xf32>,
    %weight: memref<12x6xf32>, %query: memref<1x1x4x4xf32>,
    %key: memref<1x1x4x4xf32>, %value: memref<1x1x4x4xf32>) {
  boostr.fused_qkv %input, %weight outs(%query, %key, %value)
      num_heads = 1 num_kv_heads = 1 head_dim = 4 {boostr.cpu_tile =
      #boostr.cpu_tile<kernel = fma, block = [4, 8, 8], register = [2, 4], lanes = 4, packed_bytes = 4096>}
      : memref<1x4x6xf32>, memref<12x6xf32>, memref<1x1x4x4xf32>,
        memref<1x1x4x4xf32>, memref<1x1x4x4xf32>
  return
}

// Extents that are not known are read, the numbers of tasks are computed, and
// what the rows of the input follow each other by is not known to be 1: no
// vector is loaded from it. Rows of the input are packed as many at a time as fit.

// CHECK-LABEL: func @fused_qkv_dynamic_strided(
// CHECK-SAME:    %[[INPUT:[a-z0-9]+]]: memref<?x?x?xf32, strided<[?, ?, ?], offset: ?>>
// CHECK:         %{{.+}}, %{{.+}}, %[[SIZES:.+]]:3, %[[STRIDES:.+]]:3 = memref.extract_strided_metadata %[[INPUT]]
// CHECK:         %[[TOKENS:.+]] = arith.muli
// CHECK:         %[[PACKED:.+]] = memref.alloc(%{{.+}}) {alignment = 64 : i64} : memref<?xf32>
// CHECK:         scf.for
// CHECK:           scf.parallel
// CHECK-NOT:         vector.load {{.*}} : memref<{{.+}}xf32, strided<[1]{{.*}}>>
// CHECK:             %[[ELEMENT:.+]] = memref.load {{.*}} : memref<{{.+}}xf32, strided<[1]{{.*}}>>
// CHECK:             memref.store %[[ELEMENT]], %[[PACKED]]
// CHECK:           scf.parallel
// CHECK:             vector.load {{.*}} : memref<{{.+}}xf32, strided<[1]{{.*}}>>, vector<4xf32>
// CHECK:             vector.fma
func.func @fused_qkv_dynamic_strided(%input: memref<?x?x?xf32, strided<[?, ?, ?], offset: ?>>,
    %weight: memref<?x?xf32>, %query: memref<?x1x?x4xf32>,
    %key: memref<?x1x?x4xf32>, %value: memref<?x1x?x4xf32>) {
  boostr.fused_qkv %input, %weight outs(%query, %key, %value)
      num_heads = 1 num_kv_heads = 1 head_dim = 4 {boostr.cpu_tile =
      #boostr.cpu_tile<kernel = fma, block = [4, 8, 8], register = [2, 4], lanes = 4, packed_bytes = 4096>}
      : memref<?x?x?xf32, strided<[?, ?, ?], offset: ?>>, memref<?x?xf32>,
        memref<?x1x?x4xf32>, memref<?x1x?x4xf32>, memref<?x1x?x4xf32>
  return
}

// bf16 becomes f32 when it is packed, stays it while products are summed and
// bias and residual are added, and is rounded once. The residual may be where
// the result goes.

// CHECK-LABEL: func @out_proj_residual_bf16(
// CHECK:         memref.alloc() {{.*}} : memref<64xf32>
// CHECK:         scf.parallel
// CHECK:           %[[LOADED:.+]] = vector.load {{.*}} : memref<{{.+}}xbf16, strided<[1]{{.*}}>>, vector<4xbf16>
// CHECK:           arith.extf %[[LOADED]] : vector<4xbf16> to vector<4xf32>
// CHECK:         scf.parallel
// CHECK:           vector.fma {{.*}} : vector<4xf32>
// CHECK-NOT:       arith.truncf
// CHECK-COUNT-8:   vector.shuffle
// CHECK:           %[[BIAS:.+]] = arith.extf {{.*}} : vector<4xbf16> to vector<4xf32>
// CHECK:           %[[WITH_BIAS:.+]] = arith.addf %{{.+}}, %[[BIAS]] : vector<4xf32>
// CHECK:           %[[RESIDUAL:.+]] = arith.extf {{.*}} : vector<4xbf16> to vector<4xf32>
// CHECK:           %[[RESULT:.+]] = arith.addf %[[WITH_BIAS]], %[[RESIDUAL]] : vector<4xf32>
// CHECK:           %[[ROUNDED:.+]] = arith.truncf %[[RESULT]] : vector<4xf32> to vector<4xbf16>
// CHECK:           vector.store %[[ROUNDED]], {{.*}}xbf16
// CHECK:         return
func.func @out_proj_residual_bf16(%attn: memref<1x5x8xbf16>, %weight: memref<8x8xbf16>,
    %bias: memref<8xbf16>, %output: memref<1x5x8xbf16>) {
  boostr.out_proj_residual %attn, %weight bias(%bias) residual(%output)
      outs(%output) {boostr.cpu_tile =
      #boostr.cpu_tile<kernel = fma, block = [4, 8, 8], register = [2, 4], lanes = 4, packed_bytes = 4096>}
      : memref<1x5x8xbf16>, memref<8x8xbf16>, memref<8xbf16>,
        memref<1x5x8xbf16>, memref<1x5x8xbf16>
  return
}

// In the last block of steps lines of the result and of what is added to it are
// asked for, but none of a bias, before that the columns of the next steps; if
// there are four blocks of steps. Rows of the result have to be close, since those
// of wide arrays would share few sets of the cache.

// CHECK-LABEL: func @asked_for_result(
// CHECK-SAME:    memref<1x8x32xf32>, %{{[^:]+}}: memref<16x32xf32>, %[[BIAS:[^:]+]]: memref<16xf32>, %[[R:[^:]+]]: memref<1x8x16xf32>, %[[Y:[^:]+]]: memref<1x8x16xf32>
// CHECK-DAG:     %[[RESULT:.+]] = memref.reinterpret_cast %[[Y]]
// CHECK-DAG:     %[[RESIDUAL:.+]] = memref.reinterpret_cast %[[R]]
// CHECK:         %[[PACKED:.+]] = memref.alloc() {{.*}} : memref<256xf32>
// CHECK:         scf.if
// CHECK:           memref.prefetch %[[RESULT]][%{{.+}}], read, locality<2>, data
// CHECK:           memref.prefetch %[[RESIDUAL]][%{{.+}}], read, locality<2>, data
// CHECK-NOT:       memref.prefetch %[[BIAS]]
// CHECK:         } else {
// CHECK:           memref.prefetch %[[PACKED]][%{{.+}}], read, locality<2>, data
// CHECK:         vector.fma
func.func @asked_for_result(%a: memref<1x8x32xf32>, %w: memref<16x32xf32>, %b: memref<16xf32>, %r: memref<1x8x16xf32>, %y: memref<1x8x16xf32>) {
  boostr.out_proj_residual %a, %w bias(%b) residual(%r) outs(%y) {boostr.cpu_tile =
      #boostr.cpu_tile<kernel = fma, block = [8, 8, 8], register = [2, 4], lanes = 4, packed_bytes = 4096>}
      : memref<1x8x32xf32>, memref<16x32xf32>, memref<16xf32>, memref<1x8x16xf32>, memref<1x8x16xf32>
  return
}

// CHECK-LABEL: func @result_of_far_rows(
// CHECK-SAME:    %[[R:[^:]+]]: memref<1x8x512xf32>, %[[Y:[^:]+]]: memref<1x8x512xf32>)
// CHECK-DAG:     %[[RESULT:.+]] = memref.reinterpret_cast %[[Y]]
// CHECK-DAG:     %[[RESIDUAL:.+]] = memref.reinterpret_cast %[[R]]
// CHECK-NOT:     memref.prefetch %[[RESULT]]
// CHECK:         memref.prefetch %[[RESIDUAL]]
// CHECK-NOT:     memref.prefetch %[[RESULT]]
// CHECK:         return
func.func @result_of_far_rows(%a: memref<1x8x32xf32>, %w: memref<512x32xf32>, %r: memref<1x8x512xf32>, %y: memref<1x8x512xf32>) {
  boostr.out_proj_residual %a, %w residual(%r) outs(%y) {boostr.cpu_tile =
      #boostr.cpu_tile<kernel = fma, block = [8, 8, 8], register = [2, 4], lanes = 4, packed_bytes = 4096>}
      : memref<1x8x32xf32>, memref<512x32xf32>, memref<1x8x512xf32>, memref<1x8x512xf32>
  return
}

// CHECK-LABEL: func @result_of_few_steps(
// CHECK-SAME:    %[[Y:[^:]+]]: memref<1x8x16xf32>)
// CHECK:         %[[RESULT:.+]] = memref.reinterpret_cast %[[Y]]
// CHECK-NOT:     memref.prefetch %[[RESULT]]
// CHECK:         return
func.func @result_of_few_steps(%a: memref<1x8x24xf32>, %w: memref<16x24xf32>, %r: memref<1x8x16xf32>, %y: memref<1x8x16xf32>) {
  boostr.out_proj_residual %a, %w residual(%r) outs(%y) {boostr.cpu_tile =
      #boostr.cpu_tile<kernel = fma, block = [8, 8, 8], register = [2, 4], lanes = 4, packed_bytes = 4096>}
      : memref<1x8x24xf32>, memref<16x24xf32>, memref<1x8x16xf32>, memref<1x8x16xf32>
  return
}

// f64 is summed in f64. A register tile of several vectors: two rows of three.

// CHECK-LABEL: func @out_proj_residual_f64(
// CHECK:         scf.parallel
// CHECK:         scf.parallel
// CHECK:           scf.for {{.*}} -> (vector<2xf64>, vector<2xf64>, vector<2xf64>, vector<2xf64>, vector<2xf64>, vector<2xf64>)
// CHECK-COUNT-6:     vector.fma {{.*}} : vector<2xf64>
// CHECK-NOT:         vector.fma
// CHECK:           scf.yield
func.func @out_proj_residual_f64(%attn: memref<1x5x4xf64>, %weight: memref<6x4xf64>,
    %residual: memref<1x5x6xf64>, %output: memref<1x5x6xf64>) {
  boostr.out_proj_residual %attn, %weight residual(%residual) outs(%output)
      {boostr.cpu_tile =
      #boostr.cpu_tile<kernel = fma, block = [4, 6, 4], register = [2, 6], lanes = 2, packed_bytes = 4096>}
      : memref<1x5x4xf64>, memref<6x4xf64>, memref<1x5x6xf64>, memref<1x5x6xf64>
  return
}

// AMX: panels stay bf16, pairs of steps lie together, and 16 x 16 sums are a tile.
// Tokens, the side of columns, are transposed as pairs; rows of the weight are
// copied. Two tiles of rows times one of columns. Each sum that is stored makes
// room for the next. Sums of two columns leave as one lane, and the residual
// comes so.

// CHECK-LABEL: func @out_proj_residual_amx(
// CHECK-DAG:     %[[C0:.+]] = arith.constant 0 : index
// CHECK-DAG:     %[[C16:.+]] = arith.constant 16 : index
// CHECK-DAG:     %[[C32:.+]] = arith.constant 32 : index
// CHECK:         %[[PACKED:.+]] = memref.alloc() {{.*}} : memref<1024xbf16>
// CHECK-COUNT-16:  vector.load {{.*}}, vector<32xbf16>
// CHECK-COUNT-16:  vector.bitcast {{.*}} : vector<32xbf16> to vector<16xf32>
// CHECK-COUNT-64:  vector.shuffle {{.*}} : vector<16xf32>, vector<16xf32>
// CHECK-COUNT-16:  vector.bitcast {{.*}} : vector<16xf32> to vector<32xbf16>
// CHECK-COUNT-16:  vector.store {{.*}}, %[[PACKED]]
// CHECK:           %[[ROWS:.+]] = memref.alloc() {{.*}} : memref<2048xbf16>
// CHECK:           %[[PANEL:.+]] = memref.cast %[[ROWS]]
// CHECK:           %[[SUMS:.+]] = memref.alloc() {{.*}} : memref<512xf32>
// CHECK:           %[[COPIED:.+]] = vector.load {{.*}}, vector<32xbf16>
// CHECK:           vector.store %[[COPIED]], %[[ROWS]]
// CHECK-NOT:       amx.tile_load %[[SUMS]]
// CHECK-COUNT-2:   amx.tile_zero : !amx.tile<16x16xf32>
// CHECK:           scf.for {{.*}} -> (!amx.tile<16x16xf32>, !amx.tile<16x16xf32>)
// CHECK:             %[[COLUMN:.+]] = amx.tile_load %{{.*}}, %[[C32]] : memref<{{.*}}xbf16> into !amx.tile<16x32xbf16>
// CHECK:             %[[ROW0:.+]] = amx.tile_load %[[PANEL]][{{.*}}], %[[C32]] : memref<?xbf16> into !amx.tile<16x32xbf16>
// CHECK:             amx.tile_mulf %[[ROW0]], %[[COLUMN]]
// CHECK:             %[[ROW1:.+]] = amx.tile_load %[[PANEL]]
// CHECK:             amx.tile_mulf %[[ROW1]], %[[COLUMN]]
// CHECK-NOT:         vector.fma
// CHECK:           amx.tile_store %[[SUMS]]
// CHECK-NEXT:      amx.tile_zero
// CHECK:           amx.tile_store %[[SUMS]]
// CHECK-NEXT:      amx.tile_zero
// CHECK-NOT:       arith.truncf
// CHECK-COUNT-32:  vector.load %[[SUMS]]{{.*}}, vector<16xf32>
// CHECK-COUNT-16:  vector.bitcast {{.*}} : vector<32xbf16> to vector<16xf32>
// CHECK-COUNT-64:  vector.shuffle {{.*}} : vector<16xf32>, vector<16xf32>
// CHECK-COUNT-16:  arith.ori {{.*}} : vector<16xi32>
// CHECK-COUNT-64:  vector.shuffle {{.*}} : vector<16xf32>, vector<16xf32>
// CHECK-COUNT-16:  vector.store {{.*}}, %[[SUMS]]
// CHECK:           vector.bitcast {{.*}} : vector<16xf32> to vector<32xbf16>
// CHECK:           vector.store {{.*}}, vector<32xbf16>
// CHECK:         return
func.func @out_proj_residual_amx(%attn: memref<1x16x64xbf16>, %weight: memref<32x64xbf16>,
    %output: memref<1x16x32xbf16>) {
  boostr.out_proj_residual %attn, %weight residual(%output) outs(%output)
      {boostr.cpu_tile = #boostr.cpu_tile<kernel = amx, block = [16, 32, 64], register = [32, 16], lanes = 16, packed_bytes = 4096>}
      : memref<1x16x64xbf16>, memref<32x64xbf16>, memref<1x16x32xbf16>,
        memref<1x16x32xbf16>
  return
}

// Pairs of bf16 multiplied in vectors: packed as for AMX. A pair of steps of each
// row is in all lanes, and is multiplied with the pairs of 16 columns.

// CHECK-LABEL: func @out_proj_residual_dot(
// CHECK:         memref.alloc() {{.*}} : memref<1024xbf16>
// CHECK:           %[[SUMS:.+]] = memref.alloc() {{.*}} : memref<512xf32>
// CHECK:           %[[ROWS:.+]] = memref.alloc() {{.*}} : memref<1024xbf16>
// CHECK:           %[[COLUMNS:.+]] = vector.load {{.*}} : memref<{{.*}}xbf16>, vector<32xbf16>
// CHECK:           %[[PAIR:.+]] = vector.load %[[ROWS]][{{.*}}] : memref<1024xbf16>, vector<2xbf16>
// CHECK:           %[[BITS:.+]] = vector.bitcast %[[PAIR]] : vector<2xbf16> to vector<1xi32>
// CHECK:           %[[ALL:.+]] = vector.broadcast %[[BITS]] : vector<1xi32> to vector<16xi32>
// CHECK:           %[[ROW:.+]] = vector.bitcast %[[ALL]] : vector<16xi32> to vector<32xbf16>
// CHECK:           x86vector.avx512.dot %{{.+}}, %[[ROW]], %[[COLUMNS]] : vector<32xbf16> -> vector<16xf32>
// CHECK-NOT:       vector.fma
// CHECK:           arith.truncf
// CHECK:         return
func.func @out_proj_residual_dot(%attn: memref<1x16x64xbf16>, %weight: memref<32x64xbf16>,
    %output: memref<1x16x32xbf16>) {
  boostr.out_proj_residual %attn, %weight residual(%output) outs(%output)
      {boostr.cpu_tile = #boostr.cpu_tile<kernel = dot, block = [16, 32, 64], register = [8, 16], lanes = 16, packed_bytes = 4096>}
      : memref<1x16x64xbf16>, memref<32x64xbf16>, memref<1x16x32xbf16>,
        memref<1x16x32xbf16>
  return
}

// Where rows of the weight follow each other along the columns of the result,
// pairs of them are interleaved, for the next turn; here 16 columns at a time, as
// many as a panel has. They are loaded as what is not read again soon.

// CHECK-LABEL: func @out_proj_residual_grad_amx(
// CHECK:           %[[COLUMNS:.+]] = amx.tile_load {{.*}} {boostr.streamed}
// CHECK:           %[[ROWS:.+]] = amx.tile_load %{{.+}}[%{{.+}}], %{{[^ ]+}} :
// CHECK:           amx.tile_mulf %[[ROWS]], %[[COLUMNS]]
// CHECK-NOT:       vector.shuffle
// CHECK-COUNT-2:   vector.load {{.*}}, vector<16xbf16>
// CHECK:           vector.interleave {{.*}} : vector<16xbf16> -> vector<32xbf16>
// CHECK-NOT:       vector.shuffle
// CHECK:         return
func.func @out_proj_residual_grad_amx(%d_output: memref<1x16x64xbf16>,
    %attn: memref<1x16x32xbf16>, %weight: memref<64x32xbf16>, %d_attn: memref<1x16x32xbf16>) {
  boostr.out_proj_residual_grad %d_output, %attn, %weight outs(%d_attn) wrt(attn)
      {boostr.cpu_tile = #boostr.cpu_tile<kernel = amx, block = [16, 32, 64], register = [16, 16], lanes = 16, packed_bytes = 4096, streams_columns = true>}
      : memref<1x16x64xbf16>, memref<1x16x32xbf16>, memref<64x32xbf16>, memref<1x16x32xbf16>
  return
}

// Few rows: the weight is read where it lies, here two rows of it at once, and
// multiplied with groups of rows of attn, piece by piece; of the next piece what
// follows is asked for. Lanes of the sums are added up at the end, in pairs.

// CHECK-LABEL: func @out_proj_residual_few_rows(
// CHECK-DAG:     %[[C4:.+]] = arith.constant 4 : index
// CHECK:         %[[IS_FEW:.+]] = arith.cmpi ule, %{{.+}}, %[[C4]]
// CHECK:         scf.if %[[IS_FEW]]
// CHECK:           %[[ROWS:.+]] = memref.alloc(%{{.+}}) {{.*}} : memref<?xf32>
// CHECK:           scf.parallel
// CHECK:             vector.store %{{.+}}, %[[VECTORS:.+]][%{{.+}}]
// CHECK-COUNT-8:     vector.load %[[VECTORS]]
// CHECK:             %[[SUMS:.+]]:8 = scf.for
// CHECK-COUNT-2:       memref.prefetch {{.*}} locality<3>, data : memref<{{.+}}xf32, strided<[1]{{.*}}>>
// CHECK:               vector.load %[[ROWS]]
// CHECK-COUNT-2:       vector.fma
// CHECK:               vector.load %[[ROWS]]
// CHECK-COUNT-6:       vector.fma
// CHECK-NOT:           vector.fma
// CHECK:             vector.store %[[SUMS]]#0, %[[VECTORS]]
// CHECK:             %[[SUM:.+]] = vector.load %[[VECTORS]]
// CHECK:             vector.reduction <add>, %[[SUM]] fastmath<reassoc>
// What is left of k.
// CHECK:             math.fma
// CHECK:         } else {
// CHECK-COUNT-2:   scf.parallel
// CHECK:         return
func.func @out_proj_residual_few_rows(%attn: memref<?x?x10xf32>, %weight: memref<8x10xf32>,
    %output: memref<?x?x8xf32>) {
  boostr.out_proj_residual %attn, %weight residual(%output) outs(%output)
      {boostr.cpu_tile =
      #boostr.cpu_tile<kernel = fma, block = [4, 8, 8], register = [2, 4], lanes = 4, packed_bytes = 4096, few_rows = [4]>}
      : memref<?x?x10xf32>, memref<8x10xf32>, memref<?x?x8xf32>, memref<?x?x8xf32>
  return
}

// One contraction for d_attn, one for d_weight and d_bias together. Rows of the
// weight follow each other along the columns of d_attn: it is the side of columns,
// packed as it lies, and only a vector past the end is gathered. d_output, along k,
// is that of rows, and nothing is transposed. A block of steps is packed while the
// one before is multiplied, so there is memory for two; what the next share of it
// reads, or in the last turn where results will be stored, is on its way. A panel
// of rows is stored as soon as it is done.

// CHECK-LABEL: func @out_proj_residual_grad_all(
// CHECK-NOT:     vector.shuffle
// CHECK:         scf.parallel
// CHECK:           %[[RHS:.+]] = memref.alloc(%{{.+}}) {{.*}} : memref<?xf32>
// CHECK:           %[[SUMS:.+]] = memref.alloc() {{.*}} : memref<32xf32>
// CHECK-NOT:       vector.shuffle
// CHECK:           scf.for %[[TURN:.+]] = %[[C0:.+]] to %[[C2:.+]] step
// CHECK-DAG:         %[[IS_PACKED:.+]] = arith.cmpi ult, %[[TURN]], %[[C1:.+]]
// CHECK-DAG:         %[[IS_MULTIPLIED:.+]] = arith.cmpi ne, %[[TURN]], %[[C0]]
// CHECK-DAG:         %[[IS_STORED:.+]] = arith.cmpi eq, %[[TURN]], %[[C1]]
// CHECK:             scf.if %[[IS_MULTIPLIED]]
// CHECK:               memref.prefetch {{.*}} locality<2>
// CHECK:               scf.if %[[IS_STORED]]
// CHECK:                 memref.prefetch
// CHECK:               } else {
// CHECK:                 memref.prefetch
// CHECK:               vector.load %[[RHS]]
// CHECK:               vector.fma
// CHECK:             arith.andi %[[IS_PACKED]]
// CHECK:             %[[VECTOR:.+]] = vector.load {{.*}} : memref<{{.+}}xf32, strided<[1]{{.*}}>>, vector<4xf32>
// CHECK:             vector.store %[[VECTOR]], %[[RHS]]
// CHECK:             memref.store {{.*}}, %[[RHS]]
// CHECK:             scf.if %[[IS_STORED]]
// CHECK:               %[[SUM:.+]] = vector.load %[[SUMS]]
// CHECK:               vector.store %[[SUM]], {{.*}} : memref<{{.+}}xf32, strided<[1]{{.*}}>>
//
// d_output lies along the rows of d_weight, and is transposed into the side of
// rows. Meanwhile its rows are summed up, for each block of steps by itself;
// the sums of these, of which there is one here, are stored to d_bias.
// CHECK:         memref.alloc() {{.*}} : memref<64xf32>
// CHECK:         %[[PARTS:.+]] = memref.alloc() {{.*}} : memref<20xf32>
// CHECK:         scf.parallel
// CHECK:           vector.store %[[ZEROS:.+]], %[[PARTS]]
// CHECK-COUNT-4:   vector.load {{.*}} : memref<32xf32, strided<[1]>>, vector<4xf32>
// CHECK-COUNT-2:   arith.addf
// CHECK:           %[[STEPS:.+]] = arith.addf {{.*}} : vector<4xf32>
// CHECK:           %[[BEFORE:.+]] = vector.load %[[PARTS]][%[[PLACE:.+]]]
// CHECK:           %[[PART:.+]] = arith.addf %[[BEFORE]], %[[STEPS]]
// CHECK:           vector.store %[[PART]], %[[PARTS]][%[[PLACE]]]
// CHECK-COUNT-8:   vector.shuffle
// CHECK:         scf.parallel
// CHECK:           %[[SUMS:.+]] = memref.alloc() {{.*}} : memref<4xf32>
// CHECK:           %[[PART:.+]] = memref.load %[[PARTS]]
// CHECK:           %[[TOTAL:.+]] = arith.addf %[[PART]], %{{.+}}
// CHECK:           memref.store %[[TOTAL]], %[[SUMS]]
// CHECK:           memref.store {{.*}} : memref<8xf32
// CHECK:         scf.parallel
// CHECK:           vector.fma
// CHECK-NOT:     scf.parallel
// CHECK:         return
func.func @out_proj_residual_grad_all(%d_output: memref<1x4x8xf32>,
    %attn: memref<1x4x10xf32>, %weight: memref<8x10xf32>,
    %d_attn: memref<1x4x10xf32>, %d_weight: memref<8x10xf32>,
    %d_bias: memref<8xf32>) {
  boostr.out_proj_residual_grad %d_output, %attn, %weight
      outs(%d_attn, %d_weight, %d_bias) wrt(attn, weight, bias) {boostr.cpu_tile =
      #boostr.cpu_tile<kernel = fma, block = [4, 8, 8], register = [2, 4], lanes = 4, packed_bytes = 4096>}
      : memref<1x4x8xf32>, memref<1x4x10xf32>, memref<8x10xf32>,
        memref<1x4x10xf32>, memref<8x10xf32>, memref<8xf32>
  return
}

// Nothing to multiply: d_output is packed and summed, a task for each of two
// blocks of rows (and of eight steps), and attn is not read.

// CHECK-LABEL: func @out_proj_residual_grad_bias_only(
// CHECK-SAME:    %{{.+}}: memref<1x4x8xf32>, %[[ATTN:[a-z0-9]+]]: memref<1x4x64xf32>
// CHECK-DAG:     %[[C0:.+]] = arith.constant 0 : index
// CHECK-DAG:     %[[C1:.+]] = arith.constant 1 : index
// CHECK-DAG:     %[[C2:.+]] = arith.constant 2 : index
// CHECK-NOT:     %[[ATTN]]
// CHECK:         scf.parallel (%{{.+}}) = (%[[C0]]) to (%[[C2]]) step (%[[C1]])
// CHECK:           arith.addf {{.*}} : vector<4xf32>
// CHECK:         scf.parallel (%{{.+}}) = (%[[C0]]) to (%[[C2]]) step (%[[C1]])
// CHECK-NOT:       vector.fma
// CHECK-NOT:     scf.parallel
// CHECK:         return
func.func @out_proj_residual_grad_bias_only(%d_output: memref<1x4x8xf32>,
    %attn: memref<1x4x64xf32>, %weight: memref<8x64xf32>, %d_bias: memref<8xf32>) {
  boostr.out_proj_residual_grad %d_output, %attn, %weight outs(%d_bias) wrt(bias)
      {boostr.cpu_tile =
      #boostr.cpu_tile<kernel = fma, block = [4, 8, 8], register = [2, 4], lanes = 4, packed_bytes = 4096>}
      : memref<1x4x8xf32>, memref<1x4x64xf32>, memref<8x64xf32>, memref<8xf32>
  return
}

// Where d_output lies along tokens its rows are copied, a chunk of steps at a
// time, whose sum is added to that of the row.

// CHECK-LABEL: func @out_proj_residual_grad_bias_along_tokens(
// CHECK:         memref.alloc() {{.*}} : memref<64xf32>
// CHECK:         %[[PARTS:.+]] = memref.alloc() {{.*}} : memref<20xf32>
// CHECK:         scf.parallel
// CHECK:           %[[STEPS:.+]] = vector.load {{.*}} : memref<{{.+}}xf32, strided<[1]>>, vector<4xf32>
// CHECK:           %[[SUM:.+]] = vector.reduction <add>, %[[STEPS]]
// CHECK:           %[[BEFORE:.+]] = memref.load %[[PARTS]][%[[PLACE:.+]]]
// CHECK:           %[[PART:.+]] = arith.addf %[[BEFORE]], %[[SUM]]
// CHECK:           memref.store %[[PART]], %[[PARTS]][%[[PLACE]]]
// CHECK:         return
func.func @out_proj_residual_grad_bias_along_tokens(%d_output: memref<1x4x8xf32, strided<[32, 1, 4]>>,
    %attn: memref<1x4x64xf32>, %weight: memref<8x64xf32>, %d_bias: memref<8xf32>) {
  boostr.out_proj_residual_grad %d_output, %attn, %weight outs(%d_bias) wrt(bias)
      {boostr.cpu_tile =
      #boostr.cpu_tile<kernel = fma, block = [4, 8, 8], register = [2, 4], lanes = 4, packed_bytes = 4096>}
      : memref<1x4x8xf32, strided<[32, 1, 4]>>, memref<1x4x64xf32>, memref<8x64xf32>, memref<8xf32>
  return
}

// A trainer's f32 gradient of a bf16 weight: read, added to and stored as f32.

// CHECK-LABEL: func @out_proj_residual_grad_accumulate_f32(
// CHECK:         scf.parallel
// CHECK:         scf.parallel
// CHECK:           vector.fma
// CHECK:           %[[GIVEN:.+]] = vector.load {{.*}} : memref<{{.+}}xf32, strided<[1]{{.*}}>>, vector<4xf32>
// CHECK-NEXT:      %[[RESULT:.+]] = arith.addf %{{.+}}, %[[GIVEN]]
// CHECK:           vector.store %[[RESULT]], {{.*}} : memref<{{.+}}xf32, strided<[1]{{.*}}>>, vector<4xf32>
// CHECK-NOT:       arith.truncf
// CHECK:         return
func.func @out_proj_residual_grad_accumulate_f32(%d_output: memref<1x4x8xbf16>,
    %attn: memref<1x4x8xbf16>, %weight: memref<8x8xbf16>, %main_grad: memref<8x8xf32>) {
  boostr.out_proj_residual_grad %d_output, %attn, %weight
      accumulate_weight(%main_grad) wrt(weight) {boostr.cpu_tile =
      #boostr.cpu_tile<kernel = fma, block = [4, 8, 8], register = [2, 4], lanes = 4, packed_bytes = 4096>}
      : memref<1x4x8xbf16>, memref<1x4x8xbf16>, memref<8x8xbf16>, memref<8x8xf32>
  return
}

// d_input is one sum over three terms: blocks of k are numbered through, and
// each selects its term. k is (head, feature) here; where a vector of features
// is whole in a head, d_query and its kin are copied.

// CHECK-LABEL: func @fused_qkv_grad_input(
// CHECK-DAG:     %[[C0:.+]] = arith.constant 0 : index
// CHECK-DAG:     %[[C1:.+]] = arith.constant 1 : index
// CHECK-DAG:     %[[C2:.+]] = arith.constant 2 : index
// CHECK-DAG:     %[[C3:.+]] = arith.constant 3 : index
// CHECK-DAG:     %[[C5:.+]] = arith.constant 5 : index
// CHECK-DAG:     %[[C8:.+]] = arith.constant 8 : index
// Two blocks of 8 for 16 features of d_query, one each for d_key and d_value; and
// two blocks of the five tokens.
// CHECK:         scf.parallel (%{{.+}}) = (%[[C0]]) to (%[[C8]]) step (%[[C1]])
// CHECK:           %[[IS_KEY:.+]] = arith.cmpi ult, %[[BLOCK:.+]], %[[C3]]
// CHECK:           arith.select %[[IS_KEY]], {{.*}} : memref<?xf32
// CHECK:           %[[IS_QUERY:.+]] = arith.cmpi ult, %[[BLOCK]], %[[C2]]
// CHECK:           arith.select %[[IS_QUERY]], {{.*}} : memref<?xf32
// CHECK-NOT:       vector.shuffle
// A task computes a run of blocks. If a block before has packed the columns, the
// first turn, which packs them, is left out.
// CHECK:         scf.parallel
// CHECK:           scf.for %[[NUMBER:.+]] = %[[FIRST:.+]] to %{{.+}} step %[[C1]]
// CHECK:             %[[IS_LATER:.+]] = arith.cmpi ne, %[[NUMBER]], %[[FIRST]]
// CHECK:             %[[HAS_COLUMNS:.+]] = arith.andi %[[IS_LATER]], %{{.+}} : i1
// CHECK:             %[[TURNS:.+]] = arith.index_castui %[[HAS_COLUMNS]]
// CHECK:             %[[SKIPPED:.+]] = arith.minui %[[TURNS]],
// CHECK:           scf.for %[[TURN:.+]] = %[[SKIPPED]] to %[[C5]] step %[[C1]]
// CHECK:             %[[BLOCK:.+]] = arith.minui %[[TURN]], %[[C3]]
// CHECK:             %[[IS_KEY:.+]] = arith.cmpi ult, %[[BLOCK]], %[[C3]]
// CHECK:             arith.select %[[IS_KEY]], {{.*}} : memref<?xf32
// CHECK:             vector.fma
// CHECK-NOT:     scf.parallel
// CHECK:         return
func.func @fused_qkv_grad_input(%d_query: memref<1x4x5x4xf32>,
    %d_key: memref<1x2x5x4xf32>, %d_value: memref<1x2x5x4xf32>,
    %input: memref<1x5x8xf32>, %weight: memref<32x8xf32>,
    %d_input: memref<1x5x8xf32>) {
  boostr.fused_qkv_grad %d_query, %d_key, %d_value, %input, %weight outs(%d_input)
      wrt(input) num_heads = 4 num_kv_heads = 2 head_dim = 4 {boostr.cpu_tile =
      #boostr.cpu_tile<kernel = fma, block = [4, 8, 8], register = [2, 4], lanes = 4, packed_bytes = 4096>}
      : memref<1x4x5x4xf32>, memref<1x2x5x4xf32>, memref<1x2x5x4xf32>,
        memref<1x5x8xf32>, memref<32x8xf32>, memref<1x5x8xf32>
  return
}

// With an odd head_dim d_query and its kin are read element by element, while
// the weight's rows are packed as they lie.

// CHECK-LABEL: func @fused_qkv_grad_input_odd_head_dim(
// CHECK:         %[[PACKED:.+]] = memref.alloc
// CHECK:         scf.parallel
// CHECK-NOT:       vector.store {{.*}}, %[[PACKED]]
// CHECK:           memref.store {{.*}}, %[[PACKED]]
// CHECK:         scf.parallel
// CHECK:           vector.fma
// CHECK:           scf.if
// CHECK:             vector.load {{.*}} : memref<{{.+}}xf32, strided<[1]{{.*}}>>, vector<4xf32>
// CHECK:         return
func.func @fused_qkv_grad_input_odd_head_dim(%d_query: memref<1x1x5x3xf32>,
    %d_key: memref<1x1x5x3xf32>, %d_value: memref<1x1x5x3xf32>,
    %input: memref<1x5x8xf32>, %weight: memref<9x8xf32>,
    %d_input: memref<1x5x8xf32>) {
  boostr.fused_qkv_grad %d_query, %d_key, %d_value, %input, %weight outs(%d_input)
      wrt(input) num_heads = 1 num_kv_heads = 1 head_dim = 3 {boostr.cpu_tile =
      #boostr.cpu_tile<kernel = fma, block = [4, 8, 8], register = [2, 4], lanes = 4, packed_bytes = 4096>}
      : memref<1x1x5x3xf32>, memref<1x1x5x3xf32>, memref<1x1x5x3xf32>,
        memref<1x5x8xf32>, memref<9x8xf32>, memref<1x5x8xf32>
  return
}

// No tokens: there is nothing to do forward, and gradients of weights are
// stored though nothing is summed.

// CHECK-LABEL: func @fused_qkv_no_tokens(
// CHECK-NOT:     scf.parallel
// CHECK:         return
func.func @fused_qkv_no_tokens(%input: memref<2x0x8xf32>, %weight: memref<12x8xf32>,
    %query: memref<2x1x0x4xf32>, %key: memref<2x1x0x4xf32>, %value: memref<2x1x0x4xf32>) {
  boostr.fused_qkv %input, %weight outs(%query, %key, %value)
      num_heads = 1 num_kv_heads = 1 head_dim = 4 {boostr.cpu_tile =
      #boostr.cpu_tile<kernel = fma, block = [4, 8, 8], register = [2, 4], lanes = 4, packed_bytes = 4096>}
      : memref<2x0x8xf32>, memref<12x8xf32>, memref<2x1x0x4xf32>,
        memref<2x1x0x4xf32>, memref<2x1x0x4xf32>
  return
}

// CHECK-LABEL: func @out_proj_residual_grad_no_tokens(
// CHECK:         scf.for
// CHECK-NOT:       vector.fma
// CHECK:           vector.store {{.*}} : memref<{{.+}}xf32, strided<[1]{{.*}}>>
// CHECK:         return
func.func @out_proj_residual_grad_no_tokens(%d_output: memref<1x0x8xf32>,
    %attn: memref<1x0x8xf32>, %weight: memref<8x8xf32>, %d_weight: memref<8x8xf32>) {
  boostr.out_proj_residual_grad %d_output, %attn, %weight outs(%d_weight)
      wrt(weight) {boostr.cpu_tile =
      #boostr.cpu_tile<kernel = fma, block = [4, 8, 8], register = [2, 4], lanes = 4, packed_bytes = 4096>}
      : memref<1x0x8xf32>, memref<1x0x8xf32>, memref<8x8xf32>, memref<8x8xf32>
  return
}

// Vectors of one element are vectors too.

// CHECK-LABEL: func @out_proj_residual_one_lane(
// CHECK:         scf.parallel
// CHECK:         scf.parallel
// CHECK:           vector.fma {{.*}} : vector<1xf32>
func.func @out_proj_residual_one_lane(%attn: memref<1x1x3xf32>, %weight: memref<3x3xf32>,
    %output: memref<1x1x3xf32>) {
  boostr.out_proj_residual %attn, %weight residual(%output) outs(%output)
      {boostr.cpu_tile = #boostr.cpu_tile<kernel = fma, block = [1, 1, 1], register = [1, 1], lanes = 1, packed_bytes = 4096>}
      : memref<1x1x3xf32>, memref<3x3xf32>, memref<1x1x3xf32>, memref<1x1x3xf32>
  return
}

// Groups of one and of three rows; the rest of the code is there once.

// CHECK-LABEL: func @out_proj_residual_groups(
// CHECK:         scf.if
// CHECK:           scf.parallel
// CHECK:             scf.if
// CHECK-COUNT-8:       vector.fma
// CHECK:             } else {
// CHECK-COUNT-12:      vector.fma
// CHECK-NOT:         vector.fma
// CHECK:             vector.reduction
// CHECK:         } else {
func.func @out_proj_residual_groups(%attn: memref<?x?x16xf32>, %weight: memref<8x16xf32>,
    %output: memref<?x?x8xf32>) {
  boostr.out_proj_residual %attn, %weight residual(%output) outs(%output)
      {boostr.cpu_tile =
      #boostr.cpu_tile<kernel = fma, block = [4, 8, 8], register = [2, 4], lanes = 4, packed_bytes = 4096, few_rows = [1, 3]>}
      : memref<?x?x16xf32>, memref<8x16xf32>, memref<?x?x8xf32>, memref<?x?x8xf32>
  return
}

// Few rows where the weight lies along its columns, as in the gradient of the input: it
// is not packed. Steps are cut into parts, each of which makes sums of its own, and a
// second loop adds these up in their order.

// CHECK-LABEL: func @out_proj_residual_grad_few_rows(
// CHECK-SAME:    %{{[^:]*}}: memref<?x?x64xf32>, %{{[^:]*}}: memref<?x?x16xf32>, %{{[^:]*}}: memref<64x16xf32>
// CHECK:         scf.parallel
// CHECK:         scf.if
// CHECK:           %[[SUMS:.+]] = memref.alloc
// CHECK:           scf.parallel
// CHECK:             vector.store %{{.+}}, %[[SUMS]]
// CHECK:             scf.for {{.*}} -> (vector<4xf32>, vector<4xf32>, vector<4xf32>)
// CHECK:               memref.prefetch {{.*}} locality<3>
// CHECK:               vector.load {{.*}} : memref<{{.+}}xf32, strided<[1]{{.*}}>>, vector<4xf32>
// CHECK-COUNT-3:       vector.fma
// CHECK:           scf.parallel
// CHECK:             scf.for {{.*}} -> (vector<4xf32>)
// CHECK:               %[[PART:.+]] = vector.load %[[SUMS]]
// CHECK:               arith.addf %{{.+}}, %[[PART]]
// CHECK:         } else {
// CHECK:           scf.parallel
// CHECK:             vector.fma
func.func @out_proj_residual_grad_few_rows(%d_output: memref<?x?x64xf32>, %attn: memref<?x?x16xf32>,
    %weight: memref<64x16xf32>, %d_attn: memref<?x?x16xf32>) {
  boostr.out_proj_residual_grad %d_output, %attn, %weight outs(%d_attn) wrt(attn)
      {boostr.cpu_tile =
      #boostr.cpu_tile<kernel = fma, block = [4, 8, 8], register = [2, 4], lanes = 4, packed_bytes = 4096, few_rows = [1, 3]>}
      : memref<?x?x64xf32>, memref<?x?x16xf32>, memref<64x16xf32>, memref<?x?x16xf32>
  return
}

// Few steps, as in the gradient of the weight for few tokens: neither is attn packed nor
// are steps filled up; sums of two rows and a vector go from registers to where they
// belong, with what is accumulated.

// CHECK-LABEL: func @out_proj_residual_grad_few_steps(
// CHECK-SAME:    %{{[^:]*}}: memref<?x?x8xf32>, %{{[^:]*}}: memref<?x?x8xf32>
// CHECK-DAG:     %[[C16:.+]] = arith.constant 16 : index
// CHECK:         scf.parallel
// CHECK:         %[[IS_FEW:.+]] = arith.cmpi ule, %{{.+}}, %[[C16]]
// CHECK:         scf.if %[[IS_FEW]]
// CHECK:           scf.parallel
// CHECK:             %[[SUMS:.+]]:2 = scf.for {{.*}} -> (vector<4xf32>, vector<4xf32>)
// CHECK:               vector.load {{.*}} : memref<{{.+}}xf32, strided<[1]{{.*}}>>, vector<4xf32>
// CHECK-COUNT-2:       math.fma {{.*}} : vector<4xf32>
// CHECK:             %[[OLD:.+]] = vector.load {{.*}} : memref<{{.+}}xf32, strided<[1]{{.*}}>>, vector<4xf32>
// CHECK:             %[[NEW:.+]] = arith.addf %[[SUMS]]#0, %[[OLD]]
// CHECK:             vector.store %[[NEW]], {{.*}} : memref<{{.+}}xf32, strided<[1]{{.*}}>>, vector<4xf32>
// CHECK:         } else {
// CHECK:           scf.parallel
// CHECK:             vector.fma
func.func @out_proj_residual_grad_few_steps(%d_output: memref<?x?x8xf32>, %attn: memref<?x?x8xf32>,
    %weight: memref<8x8xf32>, %d_weight: memref<8x8xf32>) {
  boostr.out_proj_residual_grad %d_output, %attn, %weight accumulate_weight(%d_weight) wrt(weight)
      {boostr.cpu_tile =
      #boostr.cpu_tile<kernel = fma, block = [4, 8, 16], register = [2, 4], lanes = 4, packed_bytes = 4096, few_rows = [1]>}
      : memref<?x?x8xf32>, memref<?x?x8xf32>, memref<8x8xf32>, memref<8x8xf32>
  return
}

// Of four panels of columns that fit a block has two: a panel of rows is multiplied
// for two blocks of four steps before the next.

// CHECK-LABEL: func @out_proj_residual_steps_together(
// CHECK-DAG:     %[[C0:.+]] = arith.constant 0 : index
// CHECK-DAG:     %[[C1:.+]] = arith.constant 1 : index
// CHECK-DAG:     %[[C2:.+]] = arith.constant 2 : index
// CHECK-DAG:     %[[C16:.+]] = arith.constant 16 : index
// CHECK:         scf.for %[[FIRST:.+]] = %[[C0]] to %[[C16]] step %[[C2]]
// CHECK:           %[[MORE:.+]] = arith.addi %[[FIRST]], %[[C2]]
// CHECK:           %[[END:.+]] = arith.minui %[[MORE]], %[[C16]]
// CHECK:           scf.for %{{.+}} = %[[C0]] to %{{.+}} step %[[C1]]
// CHECK:             scf.for %{{.+}} = %[[FIRST]] to %[[END]] step %[[C1]]
// CHECK:               vector.fma
func.func @out_proj_residual_steps_together(%attn: memref<1x8x64xf32>, %weight: memref<8x64xf32>,
    %output: memref<1x8x8xf32>) {
  boostr.out_proj_residual %attn, %weight residual(%output) outs(%output)
      {boostr.cpu_tile =
      #boostr.cpu_tile<kernel = fma, block = [8, 8, 4], register = [2, 4], lanes = 4, packed_bytes = 4096, cached_bytes = 256>}
      : memref<1x8x64xf32>, memref<8x64xf32>, memref<1x8x8xf32>, memref<1x8x8xf32>
  return
}

// Three times as many panels hold all steps: a panel of rows is multiplied for all of
// them.

// CHECK-LABEL: func @out_proj_residual_all_steps_together(
// CHECK-DAG:     %[[C0:.+]] = arith.constant 0 : index
// CHECK-DAG:     %[[C1:.+]] = arith.constant 1 : index
// CHECK-DAG:     %[[C12:.+]] = arith.constant 12 : index
// CHECK:         scf.parallel
// CHECK:         scf.parallel
// CHECK:             scf.for %{{.+}} = %[[C0]] to %[[C12]] step %[[C1]] {
// CHECK:               vector.fma
func.func @out_proj_residual_all_steps_together(%attn: memref<1x8x48xf32>, %weight: memref<8x48xf32>,
    %output: memref<1x8x8xf32>) {
  boostr.out_proj_residual %attn, %weight residual(%output) outs(%output)
      {boostr.cpu_tile =
      #boostr.cpu_tile<kernel = fma, block = [8, 8, 4], register = [2, 4], lanes = 4, packed_bytes = 4096, cached_bytes = 512>}
      : memref<1x8x48xf32>, memref<8x48xf32>, memref<1x8x8xf32>, memref<1x8x8xf32>
  return
}

// Memory spaces are kept.

// CHECK-LABEL: func @out_proj_residual_memory_space(
// CHECK:         memref.reinterpret_cast {{.*}} to memref<{{.*}}xf32, strided<[1]>, 1>
func.func @out_proj_residual_memory_space(%attn: memref<1x4x8xf32, 1>,
    %weight: memref<8x8xf32, 1>, %output: memref<1x4x8xf32, 1>) {
  boostr.out_proj_residual %attn, %weight residual(%output) outs(%output)
      {boostr.cpu_tile =
      #boostr.cpu_tile<kernel = fma, block = [4, 8, 8], register = [2, 4], lanes = 4, packed_bytes = 4096>}
      : memref<1x4x8xf32, 1>, memref<8x8xf32, 1>, memref<1x4x8xf32, 1>,
        memref<1x4x8xf32, 1>
  return
}

// Where the last panel of tokens has few, only the first half of its columns is
// multiplied, the first of two vectors.

// CHECK-LABEL: func @narrow_last_panel(
// CHECK-DAG:     %[[C4:.+]] = arith.constant 4 : index
// CHECK:         %[[IS_NARROW:.+]] = arith.cmpi ult, %{{.+}}, %[[C4]]
// CHECK:         %[[NUM_NARROW:.+]] = arith.index_castui %[[IS_NARROW]]
// CHECK:         %[[NUM_WHOLE:.+]] = arith.subi %{{.+}}, %[[NUM_NARROW]]
// CHECK:         scf.for %{{.+}} = %{{.+}} to %[[NUM_WHOLE]]
// CHECK:           scf.for {{.*}} -> (vector<4xf32>, vector<4xf32>, vector<4xf32>, vector<4xf32>)
// CHECK-COUNT-4:     vector.fma
// CHECK-NOT:         vector.fma
// CHECK:         scf.if %[[IS_NARROW]]
// CHECK:           scf.for {{.*}} -> (vector<4xf32>, vector<4xf32>)
// CHECK-COUNT-2:     vector.fma
// CHECK-NOT:       vector.fma
// CHECK:         return
func.func @narrow_last_panel(%attn: memref<1x?x8xf32>, %weight: memref<4x8xf32>,
    %output: memref<1x?x4xf32>) {
  boostr.out_proj_residual %attn, %weight residual(%output) outs(%output) {boostr.cpu_tile =
      #boostr.cpu_tile<kernel = fma, block = [16, 4, 8], register = [2, 8], lanes = 4, packed_bytes = 4096>}
      : memref<1x?x8xf32>, memref<4x8xf32>, memref<1x?x4xf32>, memref<1x?x4xf32>
  return
}

// Seven tokens past a panel take a whole one: there is no other code.

// CHECK-LABEL: func @whole_last_panel(
// CHECK:         scf.for {{.*}} -> (vector<4xf32>, vector<4xf32>, vector<4xf32>, vector<4xf32>)
// CHECK-COUNT-4:   vector.fma
// CHECK-NOT:     vector.fma
// CHECK:         return
func.func @whole_last_panel(%attn: memref<1x15x8xf32>, %weight: memref<4x8xf32>,
    %output: memref<1x15x4xf32>) {
  boostr.out_proj_residual %attn, %weight residual(%output) outs(%output) {boostr.cpu_tile =
      #boostr.cpu_tile<kernel = fma, block = [16, 4, 8], register = [2, 8], lanes = 4, packed_bytes = 4096>}
      : memref<1x15x8xf32>, memref<4x8xf32>, memref<1x15x4xf32>, memref<1x15x4xf32>
  return
}

// With AMX one tile of 16 tokens takes the place of two.

// CHECK-LABEL: func @narrow_last_panel_amx(
// CHECK:         scf.for {{.*}} -> (!amx.tile<16x16xf32>, !amx.tile<16x16xf32>, !amx.tile<16x16xf32>, !amx.tile<16x16xf32>)
// CHECK-COUNT-4:   amx.tile_mulf
// CHECK:           scf.for {{.*}} -> (!amx.tile<16x16xf32>, !amx.tile<16x16xf32>)
// CHECK-COUNT-2:     amx.tile_mulf
// CHECK-NOT:       amx.tile_mulf
// CHECK:         return
func.func @narrow_last_panel_amx(%attn: memref<1x?x64xbf16>, %weight: memref<32x64xbf16>,
    %output: memref<1x?x32xbf16>) {
  boostr.out_proj_residual %attn, %weight residual(%output) outs(%output) {boostr.cpu_tile =
      #boostr.cpu_tile<kernel = amx, block = [32, 32, 64], register = [32, 32], lanes = 16, packed_bytes = 65536>}
      : memref<1x?x64xbf16>, memref<32x64xbf16>, memref<1x?x32xbf16>, memref<1x?x32xbf16>
  return
}

// CHECK-LABEL: func @untouched_other_ops(
// CHECK-NEXT:    linalg.matmul
// CHECK-NEXT:    return
func.func @untouched_other_ops(%a: memref<4x4xf32>, %b: memref<4x4xf32>, %c: memref<4x4xf32>) {
  linalg.matmul ins(%a, %b : memref<4x4xf32>, memref<4x4xf32>) outs(%c : memref<4x4xf32>)
  return
}

// RUN: boostr-opt %s --boostr-generate-cpu --canonicalize --cse | FileCheck %s --check-prefix=SMALL
// Work that is not worth a thread is no task.
// SMALL-LABEL: func @fused_qkv_bias_f32(
// SMALL-NOT:     scf.parallel
// SMALL-LABEL: func

// A weight that was packed ahead of time is multiplied where it lies: nothing of it is packed,
// and the array that it stands for is gone. The next panel of it is asked for meanwhile.
// CHECK-LABEL: func @packed_weight(
// CHECK-SAME: %{{[^:]*}}: memref<1x40x64xf32>, %[[P:[^:]*]]: memref<12480xi8>
// CHECK: %[[PANELS:.*]] = memref.view %[[P]][%c192][] : memref<12480xi8> to memref<3072xf32>
// CHECK-NOT: boostr.packed_array
// CHECK: memref.prefetch %[[PANELS]][%{{.+}}], read, locality<2>, data
// CHECK: memref.load %[[PANELS]]
// CHECK: vector.fma
func.func @packed_weight(%a: memref<1x40x64xf32>, %p: memref<12480xi8>, %y: memref<1x40x32xf32>) {
  %w = boostr.packed_array %p layout(#boostr.packed_layout<array = tensor<32x64xf32>, kernel = fma, side = rows, width = 6, block = [16, 64], lanes = 8, rows = [32]>) : memref<12480xi8> to memref<32x64xf32>
  boostr.out_proj_residual %a, %w residual(%y) outs(%y) {boostr.cpu_tile =
      #boostr.cpu_tile<kernel = fma, block = [16, 16, 64], register = [6, 16], lanes = 8, packed_bytes = 0>}
      : memref<1x40x64xf32>, memref<32x64xf32>, memref<1x40x32xf32>, memref<1x40x32xf32>
  return
}

// With few rows the panels of some tasks are read where they lie, those of a task
// one after the other, and what is read next is asked for.
// CHECK-LABEL: func @packed_weight_few_rows(
// CHECK-SAME: %{{[^:]*}}: memref<1x?x64xf32>, %[[P:[^:]*]]: memref<12480xi8>
// CHECK: %[[PANELS:.*]] = memref.view %[[P]][%c192][] : memref<12480xi8> to memref<3072xf32>
// CHECK: scf.if
// CHECK:   scf.parallel
// CHECK:     scf.for
// CHECK-COUNT-6: vector.load {{.*}} : memref<{{.+}}xf32{{.*}}>, vector<8xf32>
// CHECK:       memref.prefetch {{.*}} locality<2>
// CHECK:       vector.fma
func.func @packed_weight_few_rows(%a: memref<1x?x64xf32>, %p: memref<12480xi8>, %y: memref<1x?x32xf32>) {
  %w = boostr.packed_array %p layout(#boostr.packed_layout<array = tensor<32x64xf32>, kernel = fma, side = rows, width = 6, block = [16, 64], lanes = 8, rows = [32]>) : memref<12480xi8> to memref<32x64xf32>
  boostr.out_proj_residual %a, %w residual(%y) outs(%y) {boostr.cpu_tile =
      #boostr.cpu_tile<kernel = fma, block = [16, 16, 64], register = [6, 16], lanes = 8, packed_bytes = 0, few_rows = [1]>}
      : memref<1x?x64xf32>, memref<32x64xf32>, memref<1x?x32xf32>, memref<1x?x32xf32>
  return
}

// And this packs one: the header first, then each block of rows and steps by a task.
// CHECK-LABEL: func @pack_weight(
// CHECK: memref.get_global @packed_header
// CHECK: scf.parallel
// CHECK: vector.store
func.func @pack_weight(%w: memref<32x64xf32>, %p: memref<12480xi8>) {
  boostr.pack_array %w outs(%p : memref<12480xi8>) layout(#boostr.packed_layout<array = tensor<32x64xf32>, kernel = fma, side = rows, width = 6, block = [16, 64], lanes = 8, rows = [32]>) : memref<32x64xf32>
  return
}

// CHECK: memref.global "private" constant @packed_header : memref<192xi8> = dense<"0x424F4F535452504BC0
