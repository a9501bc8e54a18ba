// RUN: boostr-opt %s --boostr-generate-cpu --canonicalize --cse | FileCheck %s
//
// Tiles are small by hand, so that there is little to read: a block of 4 x 8
// sums from 8 steps of k at a time, 2 x 4 of them in registers, 4 to a vector.

// The whole of it once. A task selects its segment (query, key or value), packs
// both operands by transposing squares of 4 x 4 in registers, multiplies, and
// stores 4 features of a head at a time. Tasks: 3 blocks of the 10 tokens, times
// 2 blocks of the 16 query columns and 1 of the 8 key or value columns each.

// CHECK-LABEL: func @fused_qkv_bias_f32(
// CHECK-SAME:    %[[INPUT:[a-z0-9]+]]: memref<2x5x8xf32>, %[[WEIGHT:[a-z0-9]+]]: memref<32x8xf32>, %[[BIAS:[a-z0-9]+]]: memref<32xf32>, %[[QUERY:[a-z0-9]+]]: memref<2x4x5x4xf32>, %[[KEY:[a-z0-9]+]]: memref<2x2x5x4xf32>, %[[VALUE:[a-z0-9]+]]: memref<2x2x5x4xf32>
// CHECK-DAG:     %[[C0:.+]] = arith.constant 0 : index
// CHECK-DAG:     %[[C1:.+]] = arith.constant 1 : index
// CHECK-DAG:     %[[C2:.+]] = arith.constant 2 : index
// CHECK-DAG:     %[[C4:.+]] = arith.constant 4 : index
// CHECK-DAG:     %[[C6:.+]] = arith.constant 6 : index
// CHECK-DAG:     %[[C8:.+]] = arith.constant 8 : index
// CHECK-DAG:     %[[C9:.+]] = arith.constant 9 : index
// CHECK-DAG:     %[[C12:.+]] = arith.constant 12 : index
// Rows of the weight and the bias are read where they lie: no slice, no copy.
// CHECK-DAG:     memref.reinterpret_cast %[[WEIGHT]] to offset: [0], sizes: [128]
// CHECK-DAG:     memref.reinterpret_cast %[[WEIGHT]] to offset: [128], sizes: [64]
// CHECK-DAG:     memref.reinterpret_cast %[[WEIGHT]] to offset: [192], sizes: [64]
// CHECK-DAG:     memref.reinterpret_cast %[[BIAS]] to offset: [24], sizes: [8]
// CHECK-NOT:     memref.copy
// CHECK-NOT:     linalg
// CHECK:         scf.parallel (%[[TASK:.+]]) = (%[[C0]]) to (%[[C12]]) step (%[[C1]])
// CHECK:           %[[IS_KEY:.+]] = arith.cmpi ult, %[[TASK]], %[[C9]]
// CHECK:           arith.select %[[IS_KEY]], {{.*}} : memref<{{.+}}xf32, strided<[1]{{.*}}>>
// CHECK:           %[[IS_QUERY:.+]] = arith.cmpi ult, %[[TASK]], %[[C6]]
// CHECK:           arith.select %[[IS_QUERY]], %[[C4]], %[[C2]] : index
//
// Panels of 4 rows (or columns) for each of 8 steps, and sums.
// CHECK:           %[[LHS:.+]] = memref.alloc() {alignment = 64 : i64} : memref<1x8x4xf32>
// CHECK:           %[[RHS:.+]] = memref.alloc() {alignment = 64 : i64} : memref<2x8x4xf32>
// CHECK:           %[[SUMS:.+]] = memref.alloc() {alignment = 64 : i64} : memref<4x8xf32>
// CHECK:           vector.store {{.*}}, %[[SUMS]]
//
// CHECK-COUNT-4:   vector.load {{.*}} : memref<{{.+}}xf32, strided<[1]{{.*}}>>, vector<4xf32>
// CHECK:           vector.shuffle {{.*}} [0, 4, 2, 6]
// CHECK:           vector.shuffle {{.*}} [1, 5, 3, 7]
// CHECK-COUNT-2:   vector.shuffle
// CHECK:           vector.shuffle {{.*}} [0, 1, 4, 5]
// CHECK:           vector.shuffle {{.*}} [2, 3, 6, 7]
// CHECK-COUNT-2:   vector.shuffle
// CHECK-COUNT-4:   vector.store {{.*}}, %[[LHS]]
// CHECK-COUNT-4:   vector.load {{.*}} : memref<{{.+}}xf32, strided<[1]{{.*}}>>, vector<4xf32>
// CHECK-COUNT-8:   vector.shuffle
// CHECK-COUNT-4:   vector.store {{.*}}, %[[RHS]]
//
// CHECK:           scf.for %[[COLUMN:.+]] = %[[C0]] to %{{.+}} step %[[C4]]
// CHECK:             scf.for %[[ROW:.+]] = %[[C0]] to %{{.+}} step %[[C2]]
// CHECK-COUNT-2:       vector.load %[[SUMS]]
// CHECK:               scf.for %[[K:.+]] = %[[C0]] to %[[C8]] step %[[C1]] iter_args(%[[SUM0:.+]] = {{.+}}, %[[SUM1:.+]] = {{.+}}) -> (vector<4xf32>, vector<4xf32>)
// CHECK:                 %[[COLUMNS:.+]] = vector.load %[[RHS]][%{{.+}}, %[[K]], %[[C0]]]
// CHECK:                 %[[ELEMENT0:.+]] = memref.load %[[LHS]][%{{.+}}, %[[K]], %{{.+}}]
// CHECK:                 %[[ROW0:.+]] = vector.broadcast %[[ELEMENT0]]
// CHECK:                 vector.fma %[[ROW0]], %[[COLUMNS]], %[[SUM0]]
// CHECK:                 %[[ROW1:.+]] = vector.broadcast
// CHECK:                 vector.fma %[[ROW1]], %[[COLUMNS]], %[[SUM1]]
// CHECK-NOT:             vector.fma
// CHECK-COUNT-2:       vector.store {{.*}}, %[[SUMS]]
//
// Whole vectors of columns first, then what is left.
// CHECK:             %[[SUM:.+]] = vector.load %[[SUMS]]
// CHECK:             %[[ADDEND:.+]] = vector.load {{.*}} : memref<{{.+}}xf32, strided<[1]{{.*}}>>
// CHECK:             %[[RESULT:.+]] = arith.addf %[[SUM]], %[[ADDEND]] : vector<4xf32>
// CHECK:             vector.store %[[RESULT]], {{.*}} : memref<{{.+}}xf32, strided<[1]{{.*}}>>
// CHECK:             memref.load %[[SUMS]]
// CHECK:             memref.store {{.*}} : memref<{{.+}}xf32, strided<[1]{{.*}}>>
// CHECK:           memref.dealloc %[[LHS]]
// CHECK:           memref.dealloc %[[RHS]]
// CHECK:           memref.dealloc %[[SUMS]]
// CHECK-NOT:     scf.parallel
// CHECK:         return
func.func @fused_qkv_bias_f32(%input: memref<2x5x8xf32>, %weight: memref<32x8xf32>,
    %bias: memref<32xf32>, %query: memref<2x4x5x4xf32>,
    %key: memref<2x2x5x4xf32>, %value: memref<2x2x5x4xf32>) {
  boostr.fused_qkv %input, %weight bias(%bias) outs(%query, %key, %value)
      num_heads = 4 num_kv_heads = 2 head_dim = 4 {boostr.cpu_tile =
      #boostr.cpu_tile<block = [4, 8, 8], register = [2, 4], lanes = 4>}
      : memref<2x5x8xf32>, memref<32x8xf32>, memref<32xf32>,
        memref<2x4x5x4xf32>, memref<2x2x5x4xf32>, memref<2x2x5x4xf32>
  return
}

// With an odd head_dim no vector of features is whole in a head: results are
// stored one by one, while the operands are packed as before.

// CHECK-LABEL: func @fused_qkv_odd_head_dim(
// CHECK:         scf.parallel
// CHECK-COUNT-16:  vector.shuffle
// CHECK:           vector.fma
// CHECK-NOT:       vector.store {{.*}} : memref<{{.+}}xf32, strided<[1]{{.*}}>>
// CHECK:           memref.store {{.*}} : memref<{{.+}}xf32, strided<[1]{{.*}}>>
// CHECK:         return
func.func @fused_qkv_odd_head_dim(%input: memref<1x4x8xf32>, %weight: memref<9x8xf32>,
    %query: memref<1x1x4x3xf32>, %key: memref<1x1x4x3xf32>, %value: memref<1x1x4x3xf32>) {
  boostr.fused_qkv %input, %weight outs(%query, %key, %value)
      num_heads = 1 num_kv_heads = 1 head_dim = 3 {boostr.cpu_tile =
      #boostr.cpu_tile<block = [4, 8, 8], register = [2, 4], lanes = 4>}
      : memref<1x4x8xf32>, memref<9x8xf32>, memref<1x1x4x3xf32>,
        memref<1x1x4x3xf32>, memref<1x1x4x3xf32>
  return
}

// k = 6: four steps by a square, the other two element by element.

// CHECK-LABEL: func @fused_qkv_k_no_multiple_of_lanes(
// CHECK-DAG:     %[[C4:.+]] = arith.constant 4 : index
// CHECK-DAG:     %[[C6:.+]] = arith.constant 6 : index
// CHECK:         scf.parallel
// CHECK-COUNT-8:   vector.shuffle
// CHECK:           scf.for %[[K:.+]] = %[[C4]] to %[[C6]]
// CHECK:             memref.load {{.*}} : memref<{{.+}}xf32, strided<[1]{{.*}}>>
// CHECK:             memref.store {{.*}}[%{{.+}}, %[[K]], %{{.+}}] : memref<1x8x4xf32>
// CHECK-COUNT-8:   vector.shuffle
// CHECK:           scf.for %{{.+}} = %[[C4]] to %[[C6]]
// CHECK:           vector.fma
func.func @fused_qkv_k_no_multiple_of_lanes(%input: memref<1x4x6xf32>,
    %weight: memref<12x6xf32>, %query: memref<1x1x4x4xf32>,
    %key: memref<1x1x4x4xf32>, %value: memref<1x1x4x4xf32>) {
  boostr.fused_qkv %input, %weight outs(%query, %key, %value)
      num_heads = 1 num_kv_heads = 1 head_dim = 4 {boostr.cpu_tile =
      #boostr.cpu_tile<block = [4, 8, 8], register = [2, 4], lanes = 4>}
      : memref<1x4x6xf32>, memref<12x6xf32>, memref<1x1x4x4xf32>,
        memref<1x1x4x4xf32>, memref<1x1x4x4xf32>
  return
}

// Extents that are not known are read, the number of tasks is computed, and
// what the rows of the input follow each other by is not known to be 1: no
// vector is loaded from it.

// CHECK-LABEL: func @fused_qkv_dynamic_strided(
// CHECK-SAME:    %[[INPUT:[a-z0-9]+]]: memref<?x?x?xf32, strided<[?, ?, ?], offset: ?>>
// CHECK:         %{{.+}}, %{{.+}}, %[[SIZES:.+]]:3, %[[STRIDES:.+]]:3 = memref.extract_strided_metadata %[[INPUT]]
// CHECK:         %[[TOKENS:.+]] = arith.muli
// CHECK:         arith.divui
// CHECK:         scf.parallel
// CHECK:           memref.load {{.*}} : memref<{{.+}}xf32, strided<[1]{{.*}}>>
// CHECK:           memref.store {{.*}} : memref<1x8x4xf32>
// CHECK:           vector.load {{.*}} : memref<{{.+}}xf32, strided<[1]{{.*}}>>, vector<4xf32>
// CHECK-COUNT-8:   vector.shuffle
// CHECK-NOT:       vector.shuffle
// CHECK:           vector.fma
func.func @fused_qkv_dynamic_strided(%input: memref<?x?x?xf32, strided<[?, ?, ?], offset: ?>>,
    %weight: memref<?x?xf32>, %query: memref<?x1x?x4xf32>,
    %key: memref<?x1x?x4xf32>, %value: memref<?x1x?x4xf32>) {
  boostr.fused_qkv %input, %weight outs(%query, %key, %value)
      num_heads = 1 num_kv_heads = 1 head_dim = 4 {boostr.cpu_tile =
      #boostr.cpu_tile<block = [4, 8, 8], register = [2, 4], lanes = 4>}
      : memref<?x?x?xf32, strided<[?, ?, ?], offset: ?>>, memref<?x?xf32>,
        memref<?x1x?x4xf32>, memref<?x1x?x4xf32>, memref<?x1x?x4xf32>
  return
}

// bf16 becomes f32 when it is packed, stays it while products are summed and
// bias and residual are added, and is rounded once. The residual may be where
// the result goes.

// CHECK-LABEL: func @out_proj_residual_bf16(
// CHECK:         scf.parallel
// CHECK:           memref.alloc() {{.*}} : memref<1x8x4xf32>
// CHECK:           %[[PACKED:.+]] = vector.load {{.*}} : memref<{{.+}}xbf16, strided<[1]{{.*}}>>, vector<4xbf16>
// CHECK:           arith.extf %[[PACKED]] : vector<4xbf16> to vector<4xf32>
// CHECK:           vector.fma {{.*}} : vector<4xf32>
// CHECK-NOT:       arith.truncf
// CHECK:           %[[SUM:.+]] = vector.load {{.*}} : memref<4x8xf32>
// CHECK:           %[[BIAS:.+]] = arith.extf {{.*}} : vector<4xbf16> to vector<4xf32>
// CHECK:           %[[WITH_BIAS:.+]] = arith.addf %[[SUM]], %[[BIAS]] : vector<4xf32>
// CHECK:           %[[RESIDUAL:.+]] = arith.extf {{.*}} : vector<4xbf16> to vector<4xf32>
// CHECK:           %[[RESULT:.+]] = arith.addf %[[WITH_BIAS]], %[[RESIDUAL]] : vector<4xf32>
// CHECK:           %[[ROUNDED:.+]] = arith.truncf %[[RESULT]] : vector<4xf32> to vector<4xbf16>
// CHECK:           vector.store %[[ROUNDED]], {{.*}}xbf16
// CHECK:           %[[ROUNDED_ELEMENT:.+]] = arith.truncf {{.*}} : f32 to bf16
// CHECK:           memref.store %[[ROUNDED_ELEMENT]], {{.*}}xbf16
// CHECK-NOT:       arith.truncf
// CHECK:         return
func.func @out_proj_residual_bf16(%attn: memref<1x5x8xbf16>, %weight: memref<8x8xbf16>,
    %bias: memref<8xbf16>, %output: memref<1x5x8xbf16>) {
  boostr.out_proj_residual %attn, %weight bias(%bias) residual(%output)
      outs(%output) {boostr.cpu_tile =
      #boostr.cpu_tile<block = [4, 8, 8], register = [2, 4], lanes = 4>}
      : memref<1x5x8xbf16>, memref<8x8xbf16>, memref<8xbf16>,
        memref<1x5x8xbf16>, memref<1x5x8xbf16>
  return
}

// f64 is summed in f64. A register tile of several vectors: two rows of three.

// CHECK-LABEL: func @out_proj_residual_f64(
// CHECK:         scf.parallel
// CHECK:           memref.alloc() {{.*}} : memref<4x6xf64>
// CHECK:           scf.for {{.*}} -> (vector<2xf64>, vector<2xf64>, vector<2xf64>, vector<2xf64>, vector<2xf64>, vector<2xf64>)
// CHECK-COUNT-6:     vector.fma {{.*}} : vector<2xf64>
// CHECK-NOT:         vector.fma
// CHECK:           scf.yield
func.func @out_proj_residual_f64(%attn: memref<1x5x4xf64>, %weight: memref<6x4xf64>,
    %residual: memref<1x5x6xf64>, %output: memref<1x5x6xf64>) {
  boostr.out_proj_residual %attn, %weight residual(%residual) outs(%output)
      {boostr.cpu_tile =
      #boostr.cpu_tile<block = [4, 6, 4], register = [2, 6], lanes = 2>}
      : memref<1x5x4xf64>, memref<6x4xf64>, memref<1x5x6xf64>, memref<1x5x6xf64>
  return
}

// One contraction for d_attn, one for d_weight and d_bias together. Rows of the
// weight follow each other along the columns of d_attn, so they are packed as
// they lie; only a panel past the end is gathered.

// CHECK-LABEL: func @out_proj_residual_grad_all(
// CHECK:         scf.parallel
// CHECK-COUNT-8:   vector.shuffle
// CHECK-NOT:       vector.shuffle
// CHECK:           %[[IS_WHOLE:.+]] = arith.cmpi ule
// CHECK:           scf.if %[[IS_WHOLE]]
// CHECK:             %[[VECTOR:.+]] = vector.load {{.*}} : memref<{{.+}}xf32, strided<[1]{{.*}}>>, vector<4xf32>
// CHECK-NEXT:        vector.store %[[VECTOR]], {{.*}} : memref<2x8x4xf32>
// CHECK:           } else {
// CHECK:             memref.store {{.*}} : memref<2x8x4xf32>
// CHECK:           vector.fma
//
// d_output is summed from the panels that are multiplied, in the first block of
// columns only, and stored to d_bias there.
// CHECK:         scf.parallel
// CHECK:           %[[IS_FIRST:.+]] = arith.cmpi eq, %{{.+}}, %{{.+}} : index
// CHECK:           %[[LHS:.+]] = memref.alloc() {{.*}} : memref<1x8x4xf32>
// CHECK:           %[[LHS_SUMS:.+]] = memref.alloc() {{.*}} : memref<4xf32>
// CHECK:           scf.if %[[IS_FIRST]]
// CHECK:             %[[START:.+]] = vector.load %[[LHS_SUMS]]
// CHECK:             %[[TOTAL:.+]] = scf.for %[[K:.+]] = {{.*}} iter_args(%[[SUM:.+]] = %[[START]])
// CHECK:               %[[STEP:.+]] = vector.load %[[LHS]][%{{.+}}, %[[K]], %{{.+}}]
// CHECK-NEXT:          %[[NEXT:.+]] = arith.addf %[[SUM]], %[[STEP]]
// CHECK-NEXT:          scf.yield %[[NEXT]]
// CHECK:             vector.store %[[TOTAL]], %[[LHS_SUMS]]
// CHECK:           vector.fma
// CHECK:           scf.if %[[IS_FIRST]]
// CHECK:             memref.expand_shape %[[LHS_SUMS]]
// CHECK:             memref.store {{.*}} : memref<8xf32>
// CHECK-NOT:     scf.parallel
// CHECK:         return
func.func @out_proj_residual_grad_all(%d_output: memref<1x4x8xf32>,
    %attn: memref<1x4x10xf32>, %weight: memref<8x10xf32>,
    %d_attn: memref<1x4x10xf32>, %d_weight: memref<8x10xf32>,
    %d_bias: memref<8xf32>) {
  boostr.out_proj_residual_grad %d_output, %attn, %weight
      outs(%d_attn, %d_weight, %d_bias) wrt(attn, weight, bias) {boostr.cpu_tile =
      #boostr.cpu_tile<block = [4, 8, 8], register = [2, 4], lanes = 4>}
      : memref<1x4x8xf32>, memref<1x4x10xf32>, memref<8x10xf32>,
        memref<1x4x10xf32>, memref<8x10xf32>, memref<8xf32>
  return
}

// Nothing to multiply: the bias gradient alone needs no second block of columns
// (two tasks, one for each block of rows) and does not read attn.

// CHECK-LABEL: func @out_proj_residual_grad_bias_only(
// CHECK-DAG:     %[[C0:.+]] = arith.constant 0 : index
// CHECK-DAG:     %[[C1:.+]] = arith.constant 1 : index
// CHECK-DAG:     %[[C2:.+]] = arith.constant 2 : index
// CHECK:         scf.parallel (%{{.+}}) = (%[[C0]]) to (%[[C2]]) step (%[[C1]])
// CHECK-NOT:       memref<2x8x4xf32>
// CHECK-NOT:       vector.fma
// CHECK:         return
func.func @out_proj_residual_grad_bias_only(%d_output: memref<1x4x8xf32>,
    %attn: memref<1x4x64xf32>, %weight: memref<8x64xf32>, %d_bias: memref<8xf32>) {
  boostr.out_proj_residual_grad %d_output, %attn, %weight outs(%d_bias) wrt(bias)
      {boostr.cpu_tile =
      #boostr.cpu_tile<block = [4, 8, 8], register = [2, 4], lanes = 4>}
      : memref<1x4x8xf32>, memref<1x4x64xf32>, memref<8x64xf32>, memref<8xf32>
  return
}

// A trainer's f32 gradient of a bf16 weight: read, added to and stored as f32.

// CHECK-LABEL: func @out_proj_residual_grad_accumulate_f32(
// CHECK:         scf.parallel
// CHECK:           vector.fma
// CHECK:           %[[SUM:.+]] = vector.load {{.*}} : memref<4x8xf32>
// CHECK:           %[[GIVEN:.+]] = vector.load {{.*}} : memref<{{.+}}xf32, strided<[1]{{.*}}>>, vector<4xf32>
// CHECK-NEXT:      %[[RESULT:.+]] = arith.addf %[[SUM]], %[[GIVEN]]
// CHECK:           vector.store %[[RESULT]], {{.*}} : memref<{{.+}}xf32, strided<[1]{{.*}}>>, vector<4xf32>
// CHECK-NOT:       arith.truncf
// CHECK:         return
func.func @out_proj_residual_grad_accumulate_f32(%d_output: memref<1x4x8xbf16>,
    %attn: memref<1x4x8xbf16>, %weight: memref<8x8xbf16>, %main_grad: memref<8x8xf32>) {
  boostr.out_proj_residual_grad %d_output, %attn, %weight
      accumulate_weight(%main_grad) wrt(weight) {boostr.cpu_tile =
      #boostr.cpu_tile<block = [4, 8, 8], register = [2, 4], lanes = 4>}
      : memref<1x4x8xbf16>, memref<1x4x8xbf16>, memref<8x8xbf16>, memref<8x8xf32>
  return
}

// d_input is one sum over three terms: blocks of k are numbered through, and
// each selects its term. k is (head, feature) here; where a vector of features
// is whole in a head, d_query and its kin are packed by squares.

// CHECK-LABEL: func @fused_qkv_grad_input(
// CHECK-DAG:     %[[C0:.+]] = arith.constant 0 : index
// CHECK-DAG:     %[[C1:.+]] = arith.constant 1 : index
// CHECK-DAG:     %[[C2:.+]] = arith.constant 2 : index
// CHECK-DAG:     %[[C3:.+]] = arith.constant 3 : index
// CHECK-DAG:     %[[C4:.+]] = arith.constant 4 : index
// CHECK:         scf.parallel
// Two blocks of 8 for 16 features of d_query, one each for d_key and d_value.
// CHECK:           scf.for %[[BLOCK:.+]] = %[[C0]] to %[[C4]] step %[[C1]]
// CHECK:             %[[IS_KEY:.+]] = arith.cmpi ult, %[[BLOCK]], %[[C3]]
// CHECK:             arith.select %[[IS_KEY]], {{.*}} : memref<?xf32
// CHECK:             %[[IS_QUERY:.+]] = arith.cmpi ult, %[[BLOCK]], %[[C2]]
// CHECK:             arith.select %[[IS_QUERY]], {{.*}} : memref<?xf32
// CHECK-COUNT-8:     vector.shuffle
// CHECK:             vector.fma
// CHECK-NOT:     scf.parallel
// CHECK:         return
func.func @fused_qkv_grad_input(%d_query: memref<1x4x5x4xf32>,
    %d_key: memref<1x2x5x4xf32>, %d_value: memref<1x2x5x4xf32>,
    %input: memref<1x5x8xf32>, %weight: memref<32x8xf32>,
    %d_input: memref<1x5x8xf32>) {
  boostr.fused_qkv_grad %d_query, %d_key, %d_value, %input, %weight outs(%d_input)
      wrt(input) num_heads = 4 num_kv_heads = 2 head_dim = 4 {boostr.cpu_tile =
      #boostr.cpu_tile<block = [4, 8, 8], register = [2, 4], lanes = 4>}
      : memref<1x4x5x4xf32>, memref<1x2x5x4xf32>, memref<1x2x5x4xf32>,
        memref<1x5x8xf32>, memref<32x8xf32>, memref<1x5x8xf32>
  return
}

// With an odd head_dim d_query and its kin are read element by element, while
// the weight's rows are packed as they lie.

// CHECK-LABEL: func @fused_qkv_grad_input_odd_head_dim(
// CHECK:         scf.parallel
// CHECK-NOT:       vector.shuffle
// CHECK:           memref.store {{.*}} : memref<1x8x4xf32>
// CHECK:           scf.if
// CHECK:             vector.store {{.*}} : memref<2x8x4xf32>
// CHECK:           vector.fma
// CHECK:         return
func.func @fused_qkv_grad_input_odd_head_dim(%d_query: memref<1x1x5x3xf32>,
    %d_key: memref<1x1x5x3xf32>, %d_value: memref<1x1x5x3xf32>,
    %input: memref<1x5x8xf32>, %weight: memref<9x8xf32>,
    %d_input: memref<1x5x8xf32>) {
  boostr.fused_qkv_grad %d_query, %d_key, %d_value, %input, %weight outs(%d_input)
      wrt(input) num_heads = 1 num_kv_heads = 1 head_dim = 3 {boostr.cpu_tile =
      #boostr.cpu_tile<block = [4, 8, 8], register = [2, 4], lanes = 4>}
      : memref<1x1x5x3xf32>, memref<1x1x5x3xf32>, memref<1x1x5x3xf32>,
        memref<1x5x8xf32>, memref<9x8xf32>, memref<1x5x8xf32>
  return
}

// No tokens: there is nothing to do forward, and gradients of weights are
// stored though nothing is summed.

// CHECK-LABEL: func @fused_qkv_no_tokens(
// CHECK-NEXT:    return
func.func @fused_qkv_no_tokens(%input: memref<2x0x8xf32>, %weight: memref<12x8xf32>,
    %query: memref<2x1x0x4xf32>, %key: memref<2x1x0x4xf32>, %value: memref<2x1x0x4xf32>) {
  boostr.fused_qkv %input, %weight outs(%query, %key, %value)
      num_heads = 1 num_kv_heads = 1 head_dim = 4 {boostr.cpu_tile =
      #boostr.cpu_tile<block = [4, 8, 8], register = [2, 4], lanes = 4>}
      : memref<2x0x8xf32>, memref<12x8xf32>, memref<2x1x0x4xf32>,
        memref<2x1x0x4xf32>, memref<2x1x0x4xf32>
  return
}

// CHECK-LABEL: func @out_proj_residual_grad_no_tokens(
// CHECK:         scf.parallel
// CHECK-NOT:       vector.fma
// CHECK:           vector.store {{.*}} : memref<{{.+}}xf32, strided<[1]{{.*}}>>
// CHECK:         return
func.func @out_proj_residual_grad_no_tokens(%d_output: memref<1x0x8xf32>,
    %attn: memref<1x0x8xf32>, %weight: memref<8x8xf32>, %d_weight: memref<8x8xf32>) {
  boostr.out_proj_residual_grad %d_output, %attn, %weight outs(%d_weight)
      wrt(weight) {boostr.cpu_tile =
      #boostr.cpu_tile<block = [4, 8, 8], register = [2, 4], lanes = 4>}
      : memref<1x0x8xf32>, memref<1x0x8xf32>, memref<8x8xf32>, memref<8x8xf32>
  return
}

// Vectors of one element are vectors too.

// CHECK-LABEL: func @out_proj_residual_one_lane(
// CHECK:         scf.parallel
// CHECK:           vector.fma {{.*}} : vector<1xf32>
func.func @out_proj_residual_one_lane(%attn: memref<1x1x3xf32>, %weight: memref<3x3xf32>,
    %output: memref<1x1x3xf32>) {
  boostr.out_proj_residual %attn, %weight residual(%output) outs(%output)
      {boostr.cpu_tile = #boostr.cpu_tile<block = [1, 1, 1], register = [1, 1], lanes = 1>}
      : memref<1x1x3xf32>, memref<3x3xf32>, memref<1x1x3xf32>, memref<1x1x3xf32>
  return
}

// Memory spaces are kept.

// CHECK-LABEL: func @out_proj_residual_memory_space(
// CHECK:         memref.reinterpret_cast {{.*}} to memref<{{.*}}xf32, strided<[1]>, 1>
func.func @out_proj_residual_memory_space(%attn: memref<1x4x8xf32, 1>,
    %weight: memref<8x8xf32, 1>, %output: memref<1x4x8xf32, 1>) {
  boostr.out_proj_residual %attn, %weight residual(%output) outs(%output)
      {boostr.cpu_tile =
      #boostr.cpu_tile<block = [4, 8, 8], register = [2, 4], lanes = 4>}
      : memref<1x4x8xf32, 1>, memref<8x8xf32, 1>, memref<1x4x8xf32, 1>,
        memref<1x4x8xf32, 1>
  return
}

// CHECK-LABEL: func @untouched_other_ops(
// CHECK-NEXT:    linalg.matmul
// CHECK-NEXT:    return
func.func @untouched_other_ops(%a: memref<4x4xf32>, %b: memref<4x4xf32>, %c: memref<4x4xf32>) {
  linalg.matmul ins(%a, %b : memref<4x4xf32>, memref<4x4xf32>) outs(%c : memref<4x4xf32>)
  return
}
