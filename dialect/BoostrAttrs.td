// Part of boostr-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Attributes of the dialect: which gradients an op computes, and the choices
// that the code generators' passes hand to each other.

#ifndef BOOSTR_DIALECT_BOOSTRATTRS_TD
#define BOOSTR_DIALECT_BOOSTRATTRS_TD

include "boostr/dialect/BoostrDialect.td"
include "mlir/IR/AttrTypeBase.td"
include "mlir/IR/EnumAttr.td"

//===----------------------------------------------------------------------===//
// Which gradients are computed
//===----------------------------------------------------------------------===//

class Boostr_GradientEnum<string name, string activations, string op>
    : I32BitEnumAttr<name, "the gradients that `" # op # "` computes", [
        I32BitEnumAttrCaseNone<"None", "none">,
        I32BitEnumAttrCaseBit<"Activations", 0, activations>,
        I32BitEnumAttrCaseBit<"Weight", 1, "weight">,
        I32BitEnumAttrCaseBit<"Bias", 2, "bias">]> {
  let cppNamespace = "::mlir::boostr";
  let separator = ", ";
  let genSpecializedAttr = 0;
}

def Boostr_QKVGradients
    : Boostr_GradientEnum<"QKVGradients", "input", "fused_qkv_grad">;
def Boostr_OutProjGradients
    : Boostr_GradientEnum<"OutProjGradients", "attn", "out_proj_residual_grad">;

class Boostr_GradientsAttr<EnumInfo gradients, string mnemonic>
    : EnumAttr<Boostr_Dialect, gradients, mnemonic> {
  let assemblyFormat = "`(` params `)`";
}
def Boostr_QKVGradientsAttr
    : Boostr_GradientsAttr<Boostr_QKVGradients, "qkv_gradients">;
def Boostr_OutProjGradientsAttr
    : Boostr_GradientsAttr<Boostr_OutProjGradients, "out_proj_gradients">;

//===----------------------------------------------------------------------===//
// CPU code generation
//===----------------------------------------------------------------------===//

class Boostr_Attr<string name, string attrMnemonic>
    : AttrDef<Boostr_Dialect, name> {
  let mnemonic = attrMnemonic;
}

def Boostr_CpuTargetAttr : Boostr_Attr<"CpuTarget", "cpu_target"> {
  let summary = "The CPU to generate code for";
  let description = [{
    What tile selection and code emission must know of the machine. `cpu` and
    `features` are LLVM's names (as in `llc -mcpu= -mattr=`); `vector_bits` is
    the width of the vector registers that code should use, `registers` their
    number, and the cache sizes are in bytes, for one core.

    Example:

    ```mlir
    module attributes {boostr.cpu_target = #boostr.cpu_target<
      cpu = "x86-64-v4", features = "+avx512f", vector_bits = 512,
      registers = 32, l1_bytes = 32768, l2_bytes = 1048576>} {}
    ```
  }];
  let parameters = (ins StringRefParameter<"LLVM's name of the CPU">:$cpu,
      StringRefParameter<"LLVM's feature string">:$features,
      "int64_t":$vector_bits, "int64_t":$registers, "int64_t":$l1_bytes,
      "int64_t":$l2_bytes);
  let assemblyFormat = "`<` struct(params) `>`";
  let genVerifyDecl = 1;
}

def Boostr_CpuKernel : I32EnumAttr<"CpuKernel", "a kind of register tile", [
    I32EnumAttrCase<"Fma", 0, "fma">,
    I32EnumAttrCase<"Amx", 1, "amx">,
    I32EnumAttrCase<"Dot", 2, "dot">]> {
  let cppNamespace = "::mlir::boostr";
  let genSpecializedAttr = 0;
}

def Boostr_CpuTileAttr : Boostr_Attr<"CpuTile", "cpu_tile"> {
  let summary = "Blocking of a contraction on a CPU";
  let description = [{
    A contraction `C[m,n] = sum_k A[m,k] * B[n,k]` is cut in four levels:

    * rows of A are packed as many at a time as `packed_bytes` hold for all k, in
      blocks of `mc`, or of fewer where k is too long, and are then used by all
      tasks; spans of k take turns if even a few hundred rows are too many;
    * `block = [mc, nc, kc]`: one task computes an `mc x nc` block of C, `kc`
      steps of k at a time;
    * `register = [rows, columns]`: what the innermost loop keeps in registers.
      A is the side of rows and B that of columns, or the other way round where k
      is what follows in the memory of B;
    * `lanes`: elements of one vector register.

    Where B is the side of rows, and not packed ahead of time, a panel of its rows
    is multiplied for as many times `kc` steps, before the next, as `cached_bytes`
    hold the packed rows of A for, or for all k if these take up to three times
    that, so that few rows of A have B read in long pieces; 0, the default, is for
    `kc` steps.

    `kernel` is what multiplies:

    * `fma`: fused multiply-adds of vectors, in the type of accumulation;
    * `dot`: vectors of 16 sums, to each of which the products of a pair of bf16 are
      added at once, for CPUs with `avx512bf16`;
    * `amx`: tiles of 16 x 16 sums of products of bf16, for CPUs with `amx-bf16`.

    Both take subnormal numbers of bf16 for zero and flush subnormal sums.

    With `streams_columns = true`, which `amx` alone can, columns are loaded with the
    hint that they are not read again soon (`tileloaddt1`). They pass by for each panel of
    rows, which stays in the first-level cache though it is two thirds as large.

    Where A has few rows, reading B takes all of the time, and nothing of it is
    packed: up to the last number of `few_rows`, or 16 rows of A if k is not what follows in the memory of B. How
    many rows there are may be known only when the code runs: each number, up to
    8, is a group of rows that there is code for. The first that has all rows is
    run, or else the last for group after group; missing rows of a group repeat
    the last row.

    Constraints: sizes are positive, `packed_bytes` and `cached_bytes` may be 0; `lanes` divides
    `columns`, `mc`, `nc` and `kc`. With `amx` and `dot`, `lanes` is 16 and 32 divides
    `kc`; with `amx`, `lanes` divides `rows`. `few_rows`, which may be left out, are positive and increase;
    `streams_columns` is false if it is left out.

    Example: `#boostr.cpu_tile<kernel = fma, block = [512, 256, 256], register = [14, 32], lanes = 16, packed_bytes = 16777216>`
  }];
  let parameters = (ins EnumParameter<Boostr_CpuKernel>:$kernel,
      ArrayRefParameter<"int64_t">:$block,
      ArrayRefParameter<"int64_t">:$register_tile, "int64_t":$lanes,
      "int64_t":$packed_bytes, DefaultValuedParameter<"int64_t", "0">:$cached_bytes,
      OptionalArrayRefParameter<"int64_t">:$few_rows,
      DefaultValuedParameter<"bool", "false">:$streams_columns);
  let assemblyFormat = [{
    `<` `kernel` `=` $kernel `,` `block` `=` `[` $block `]` `,`
        `register` `=` `[` $register_tile `]` `,` `lanes` `=` $lanes `,`
        `packed_bytes` `=` $packed_bytes ``
        custom<CpuTileOptions>($cached_bytes, $few_rows, $streams_columns)
        `` `>`
  }];
  let genVerifyDecl = 1;
}

def Boostr_CpuPanelSide : I32EnumAttr<"CpuPanelSide",
    "the side of the register tile that a panel is for", [
    I32EnumAttrCase<"Rows", 0, "rows">,
    I32EnumAttrCase<"Columns", 1, "columns">]> {
  let cppNamespace = "::mlir::boostr";
  let genSpecializedAttr = 0;
}

def Boostr_PackedLayoutAttr : Boostr_Attr<"PackedLayout", "packed_layout"> {
  let summary = "How a weight that was packed ahead of time lies";
  let description = [{
    A weight `array`, `[N, K]` of the forward product or `[K, N]` of its gradient,
    as the panels that the tasks of a contraction multiply, one behind the other:

    * `side = rows` where k is what follows in memory, along dimension 1, `columns`
      where it runs along dimension 0;
    * `width` rows or columns are a panel, `block = [nc, kc]` rows or columns and
      steps are what a task multiplies at a time, and `lanes` and `kernel` say how
      elements of a panel lie, all as in `boostr.cpu_tile`;
    * dimension 0 is cut into ranges of `rows` rows, as of query, key and value, and
      no block has rows of two.

    In memory, as `i8`: 16 bytes (the characters `BOOSTRPK` and the size of this
    header as a number of 64 bits, the lower byte first), this attribute as text
    with a zero behind it, up to a multiple of 64 bytes; then for each block of rows
    or columns, range by range, for each block of steps, the panels.

    Example:

    ```mlir
    #boostr.packed_layout<array = tensor<6144x4096xf32>, kernel = fma, side = rows,
      width = 12, block = [192, 256], lanes = 16, rows = [4096, 1024, 1024]>
    ```

    Constraints: `array` has two static dimensions and elements of f64, f32, f16 or
    bf16 (bf16 with `amx` and `dot`); sizes are positive, `lanes` is a power of two and
    divides `nc` and `kc`; `rows` add up to dimension 0; there are fewer than 2^58
    elements, those that fill panels counted.
  }];
  let parameters = (ins "::mlir::RankedTensorType":$array,
      EnumParameter<Boostr_CpuKernel>:$kernel,
      EnumParameter<Boostr_CpuPanelSide>:$side, "int64_t":$width,
      ArrayRefParameter<"int64_t">:$block, "int64_t":$lanes,
      ArrayRefParameter<"int64_t">:$rows);
  let assemblyFormat = [{
    `<` `array` `=` $array `,` `kernel` `=` $kernel `,` `side` `=` $side `,`
        `width` `=` $width `,` `block` `=` `[` $block `]` `,`
        `lanes` `=` $lanes `,` `rows` `=` `[` $rows `]` `>`
  }];
  let extraClassDeclaration = [{
    /// What the panels hold: the type that is multiplied.
    ::mlir::FloatType getPanelType() const;
    /// Steps of k in one lane.
    int64_t getStepsPerLane() const;
    /// Blocks of rows or columns, and of steps, of all ranges.
    int64_t getNumBlocks() const;
    int64_t getNumSteps() const;
    /// Elements of a block of rows or columns and steps.
    int64_t getBlockSize() const;
    /// All that stands before the panels.
    std::string getHeader() const;
    /// Of everything.
    int64_t getBytes() const;
  }];
  let genVerifyDecl = 1;
}

//===----------------------------------------------------------------------===//
// GPU code generation
//===----------------------------------------------------------------------===//

def Boostr_GpuTargetAttr : Boostr_Attr<"GpuTarget", "gpu_target"> {
  let summary = "The GPU to generate code for";
  let description = [{
    `chip` and `features` are LLVM's names (as in `llc -mcpu= -mattr=`), for
    example `sm_90a` and `+ptx83`.

    Example:

    ```mlir
    module attributes {boostr.gpu_target = #boostr.gpu_target<
      chip = "sm_90a", features = "+ptx83">} {}
    ```
  }];
  let parameters = (ins StringRefParameter<"LLVM's name of the chip">:$chip,
      StringRefParameter<"LLVM's feature string">:$features);
  let assemblyFormat = "`<` struct(params) `>`";
  let genVerifyDecl = 1;
}

def Boostr_GpuKernel : I32EnumAttr<"GpuKernel", "a family of GPU kernels", [
    I32EnumAttrCase<"Simt", 0, "simt">,
    I32EnumAttrCase<"Wgmma", 1, "wgmma">,
    I32EnumAttrCase<"Gemv", 2, "gemv">,
    I32EnumAttrCase<"Mma", 3, "mma">,
    I32EnumAttrCase<"Gemvt", 4, "gemvt">,
    I32EnumAttrCase<"Ger", 5, "ger">]> {
  let cppNamespace = "::mlir::boostr";
  let genSpecializedAttr = 0;
}

def Boostr_F32Precision : I32EnumAttr<"F32Precision", "how f32 is multiplied", [
    I32EnumAttrCase<"Ieee", 0, "ieee">,
    I32EnumAttrCase<"Tf32", 1, "tf32">,
    I32EnumAttrCase<"Tf32x3", 2, "tf32x3">]> {
  let cppNamespace = "::mlir::boostr";
  let genSpecializedAttr = 0;
}

def Boostr_Gemm : I32EnumAttr<"Gemm", "what computes matrix products on a GPU", [
    I32EnumAttrCase<"Generated", 0, "generated">,
    I32EnumAttrCase<"Cublaslt", 1, "cublaslt">,
    I32EnumAttrCase<"Auto", 2, "auto">]> {
  let cppNamespace = "::mlir::boostr";
  let genSpecializedAttr = 0;
}

def Boostr_GemmAttr : Boostr_Attr<"Gemm", "gemm"> {
  let summary = "What computes the matrix products of an op on a GPU";
  let description = [{
    `boostr.gemm` on an op goes before the option `gemm` of
    `boostr-select-gpu-tile`:

    * `generated`: kernels of our own;
    * `cublaslt`: NVIDIA's library, and kernels of our own for what it cannot do;
    * `auto`: whichever is known to be faster.

    Example: `#boostr.gemm<cublaslt>`
  }];
  let parameters = (ins EnumParameter<Boostr_Gemm>:$value);
  let assemblyFormat = "`<` $value `>`";
}

def Boostr_GpuTileAttr : Boostr_Attr<"GpuTile", "gpu_tile"> {
  let summary = "Kernel and blocking of a contraction on a GPU";
  let description = [{
    A contraction `C[m,n] = sum_k A[m,k] * B[n,k]` is computed by a kernel of the
    family `kernel`:

    * `simt`: fused multiply-adds of single threads; any type, any shape, any GPU;
    * `wgmma`: warpgroup products fed by the copy engine, for f16 and bf16 on
      sm_90a;
    * `mma`: warp products of tensor cores (`mma.sync`), for f16, bf16 and f64, and
      for f32 with a `precision` other than `ieee`; from sm_80 on;
    * `gemv`: blocks of few rows and columns whose warps share k, where reading B
      takes all of the time; with `warp` by tensor cores, for f16 and bf16 from
      sm_80 on;
    * `gemvt`: the same where memory of B runs along n, as in the gradient of the
      input of few tokens: threads own columns, and share k; `warp` as with gemv;
    * `ger`: few steps of k, as in the gradient of the weight of few tokens, where
      writing C takes all of the time; `warp` as with gemv;

    A thread block computes `block[0] x block[1]` elements of C at a time, with
    `block[2]` steps of k in shared memory, of which there are `stages` copies.
    `group` rows of blocks are walked together, for the L2 cache. Where there are
    fewer tiles than multiprocessors, or the last round of tiles would leave many
    idle, up to `split` blocks share one (1 if not given): each does a part of k,
    and their sums are added in a fixed order. Parts need not be equal: blocks
    without a tile may do a smaller one of each of several tiles. The first of several
    contractions of an op shares none with its widest tiles: what they leave idle is
    for the next. `simt` and `mma` cut blocks in equal parts, of at most 16, each
    computed by a thread block of its own, as many as are estimated to take the least
    time.

    Of `gemv`, `block[2]` is what the warps of a block, which share k, read of each
    column at once (pieces of up to 16 bytes a thread; with `warp`, which is then
    `block[0], block[1]`, 32 steps a warp), and `stages` how often before they use
    any. Of `gemvt` a thread reads `stages` pieces of up to 16 bytes of a row of B's
    memory, one for each of as many steps, before it uses any, and `block[2]` steps
    are what all threads read so; with `warp` it is 16 for each warp, of `stages`
    such times. Of `ger` it computes `block[0]` pieces of C, and
    reads `block[2]` steps at once; `stages` is 1. With `warp` a warp computes all
    rows of 64 columns, by 16 steps at once.

    How many rows there are may be known only when the code runs. For each number
    of `few_rows`, which increase, there is a `gemv` kernel too (for more than one row
    by tensor cores, where these multiply the type), and it is launched
    instead if it is the first that has all rows; a `gemvt` kernel where memory of B
    runs along n. With `few_steps` there is a `ger` kernel, launched instead for at
    most so many steps of k. With `narrow`, which only `wgmma`
    has, there are kernels with tiles of so many columns, which increase, so that few
    rows occupy many multiprocessors. That kernel is launched which is estimated to
    take the least time, and the first of `narrow` where C has at most `block[0]`
    rows; a list of one may be written as a number. With `tall` there are also
    kernels with tiles of 192 rows and so many columns, up to 192, and with `flat` with
    tiles of 64 rows, of which the first is launched where C has no more rows, instead
    of the first of `narrow`.

    With `small`, which `simt` and `mma` have, there are also kernels whose blocks
    have so many rows and columns, as `small = [[128, 128], [64, 64]]`. The host counts
    how many blocks of each kind, and parts of them, there are for a multiprocessor,
    and launches the kernel that is estimated to take the least time.

    Of `mma`, each warp of a block computes `warp[0] x warp[1]` elements of it.
    `precision` says how it multiplies f32: operands rounded to TF32 (`tf32`), or
    each of them as the sum of two such numbers (`tf32x3`).

    With `gemm = cublaslt` the product is left to cuBLASLt, and the kernel computes
    what the library turns out to be unable to; with `gemm = auto` also everything,
    where there is no library when the code runs. `precision` counts for both.

    Constraints: all are positive. There is no `gemm` with `precision = tf32x3`.

    Example: `#boostr.gpu_tile<kernel = wgmma, block = [128, 256, 64], stages = 4, group = 16>`
  }];
  let parameters = (ins EnumParameter<Boostr_GpuKernel>:$kernel,
      ArrayRefParameter<"int64_t">:$block, "int64_t":$stages,
      "int64_t":$group, DefaultValuedParameter<"int64_t", "1">:$split,
      OptionalArrayRefParameter<"int64_t">:$narrow,
      OptionalArrayRefParameter<"int64_t">:$fewRows,
      OptionalArrayRefParameter<"int64_t">:$warp,
      DefaultValuedParameter<"::mlir::boostr::F32Precision",
        "::mlir::boostr::F32Precision::Ieee">:$precision,
      DefaultValuedParameter<"::mlir::boostr::Gemm",
        "::mlir::boostr::Gemm::Generated">:$gemm,
      DefaultValuedParameter<"int64_t", "0">:$fewSteps,
      OptionalArrayRefParameter<"int64_t">:$tall,
      OptionalArrayRefParameter<"int64_t">:$flat,
      OptionalArrayRefParameter<"int64_t">:$small);
  let skipDefaultBuilders = 1;
  let builders = [AttrBuilder<(ins "GpuKernel":$kernel,
      "::llvm::ArrayRef<int64_t>":$block, "int64_t":$stages, "int64_t":$group,
      CArg<"int64_t", "1">:$split,
      CArg<"::llvm::ArrayRef<int64_t>", "{}">:$narrow,
      CArg<"::llvm::ArrayRef<int64_t>", "{}">:$fewRows,
      CArg<"::llvm::ArrayRef<int64_t>", "{}">:$warp,
      CArg<"F32Precision", "F32Precision::Ieee">:$precision,
      CArg<"Gemm", "Gemm::Generated">:$gemm,
      CArg<"int64_t", "0">:$fewSteps,
      CArg<"::llvm::ArrayRef<int64_t>", "{}">:$tall,
      CArg<"::llvm::ArrayRef<int64_t>", "{}">:$flat,
      CArg<"::llvm::ArrayRef<int64_t>", "{}">:$small), [{
    return $_get($_ctxt, kernel, block, stages, group, split, narrow, fewRows,
                 warp, precision, gemm, fewSteps, tall, flat, small);
  }]>];
  let extraClassDeclaration = [{
    /// This tile with other kernels for few rows or steps.
    GpuTileAttr withFew(::llvm::ArrayRef<int64_t> fewRows, int64_t fewSteps);
    /// This tile, left to another library or to none.
    GpuTileAttr withGemm(Gemm gemm);
    /// This tile with other kernels beside it.
    GpuTileAttr withFurtherTiles(::llvm::ArrayRef<int64_t> narrow,
                                 ::llvm::ArrayRef<int64_t> tall,
                                 ::llvm::ArrayRef<int64_t> flat);
    /// This tile, shared by up to `split` blocks.
    GpuTileAttr withSplit(int64_t split);
    /// This tile with other kernels of smaller blocks, of which `small` are rows
    /// and columns in turn.
    GpuTileAttr withSmall(::llvm::ArrayRef<int64_t> small);
  }];
  let assemblyFormat = [{
    `<` `kernel` `=` $kernel `,` `block` `=` `[` $block `]` `,`
        `stages` `=` $stages `,` `group` `=` $group
        `` custom<GpuTileOptions>($split, $narrow, $fewRows, $warp, $precision, $gemm, $fewSteps, $tall, $flat, $small) `` `>`
  }];
  let genVerifyDecl = 1;
}

#endif // BOOSTR_DIALECT_BOOSTRATTRS_TD
