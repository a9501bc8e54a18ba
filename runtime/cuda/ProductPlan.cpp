// Part of boostr-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

// cuBLASLt thinks in columns where we think in rows, so it is asked for the
// transpose: its A is our rhs, its B our lhs.

#include "boostr/runtime/cuda/ProductPlan.h"

#include <cstring>
#include <utility>

using namespace boostr::runtime;
using namespace boostr::runtime::cuda;

/// What NVIDIA recommends for sm_90.
static constexpr uint64_t maxWorkspaceBytes = 32 << 20;

//===----------------------------------------------------------------------===//
// Keys
//===----------------------------------------------------------------------===//

/// The power of two, up to 256, that an address is a multiple of.
static uint16_t alignmentOf(const void *address) {
  uintptr_t bits = reinterpret_cast<uintptr_t>(address) | 256;
  return static_cast<uint16_t>(bits & (~bits + 1));
}

ProductKey boostr::runtime::cuda::makeKey(const boostr_cuda_product &product,
                                          unsigned long long contextId) {
  ProductKey key;
  std::memset(&key, 0, sizeof(key));
  key.contextId = contextId;
  key.rows = product.rows;
  key.columns = product.columns;
  key.steps = product.steps;
  key.batch = product.batch;
  const boostr_cuda_matrix *matrices[] = {&product.lhs, &product.rhs,
                                          &product.result, &product.addend};
  for (int i = 0; i < 4; ++i) {
    if (!matrices[i]->data)
      continue;
    key.strides[i][0] = matrices[i]->row_stride;
    key.strides[i][1] = matrices[i]->column_stride;
    key.strides[i][2] = matrices[i]->batch_stride;
    key.alignments[i] = alignmentOf(matrices[i]->data);
  }
  // There is no preference for it alone.
  uint16_t ofBias = product.bias ? alignmentOf(product.bias) : uint16_t{256};
  if (ofBias < key.alignments[2])
    key.alignments[2] = ofBias;
  key.biasStride = product.bias ? product.bias_stride : 0;
  key.element = product.element;
  key.resultElement = product.result_element;
  key.sumsElement = product.lhs_sums ? product.sums_element : DLDataType{};
  key.flags = product.flags & BOOSTR_CUDA_TF32;
  key.hasAddend = product.addend.data != nullptr;
  key.hasBias = product.bias != nullptr;
  key.hasSums = product.lhs_sums != nullptr;
  key.isInUse = 1;
  return key;
}

uint64_t boostr::runtime::cuda::hash(const ProductKey &key) {
  uint64_t words[sizeof(ProductKey) / sizeof(uint64_t)], result = 0;
  std::memcpy(words, &key, sizeof(key));
  for (uint64_t word : words)
    result = (result ^ word) * 0x9e3779b97f4a7c15u;
  return result >> 32;
}

//===----------------------------------------------------------------------===//
// Making a plan
//===----------------------------------------------------------------------===//

static boostr_status getType(DLDataType type, cudaDataType_t &result) {
  if (type.code == kDLBfloat && type.bits == 16) {
    result = CUDA_R_16BF;
    return BOOSTR_OK;
  }
  if (type.code == kDLFloat &&
      (type.bits == 16 || type.bits == 32 || type.bits == 64)) {
    result = type.bits == 16   ? CUDA_R_16F
             : type.bits == 32 ? CUDA_R_32F
                               : CUDA_R_64F;
    return BOOSTR_OK;
  }
  return fail(BOOSTR_INTERNAL,
              Message{} << "boostr_cuda_multiply: element type: expected "
                           "f64, f32, f16 or bf16, got "
                        << type);
}

namespace {
/// Makes one plan: what its key says in cuBLASLt's terms.
class Planner {
public:
  /// `vector` is the bias or the sums of the first product, or null: the
  /// heuristic may look whether there is one.
  Planner(const CublasLt &library, cublasLtHandle_t handle, ProductPlan &plan,
          const void *vector)
      : library(library), handle(handle), plan(plan), key(plan.key),
        vector(vector) {}

  boostr_status run();

private:
  boostr_status describeProduct();
  boostr_status describeMatrices();
  boostr_status chooseAlgorithm();
  boostr_status chooseAlgorithm(cublasLtMatmulPreference_t preference);
  boostr_status addLayout(cublasLtMatrixLayout_t &layout, int matrix,
                          cudaDataType_t type, int64_t contiguous,
                          int64_t strided);
  template <typename T>
  boostr_status set(cublasLtMatmulDescAttributes_t attribute, const T &value) {
    return check("cublasLtMatmulDescSetAttribute",
                 library.cublasLtMatmulDescSetAttribute(
                     plan.descriptors.product, attribute, &value, sizeof(T)));
  }
  template <typename T>
  boostr_status set(cublasLtMatrixLayout_t layout,
                    cublasLtMatrixLayoutAttribute_t attribute, const T &value) {
    return check("cublasLtMatrixLayoutSetAttribute",
                 library.cublasLtMatrixLayoutSetAttribute(layout, attribute,
                                                          &value, sizeof(T)));
  }
  template <typename T>
  boostr_status set(cublasLtMatmulPreference_t preference,
                    cublasLtMatmulPreferenceAttributes_t attribute,
                    const T &value) {
    return check("cublasLtMatmulPreferenceSetAttribute",
                 library.cublasLtMatmulPreferenceSetAttribute(
                     preference, attribute, &value, sizeof(T)));
  }
  boostr_status check(const char *call, cublasStatus_t result) {
    return result ? failCall(library, call, result) : BOOSTR_OK;
  }

  const CublasLt &library;
  const cublasLtHandle_t handle;
  ProductPlan &plan;
  const ProductKey &key;
  const void *const vector;
};
} // namespace

/// Whether memory runs along the steps of operand `matrix`. Where both strides
/// are 1 there is a single row or a single step, and either will do.
static bool runsAlongSteps(const ProductKey &key, int matrix) {
  return key.strides[matrix][1] == 1;
}

boostr_status Planner::describeProduct() {
  bool isDouble = key.element.bits == 64;
  cublasComputeType_t type = isDouble ? CUBLAS_COMPUTE_64F
                             : key.flags & BOOSTR_CUDA_TF32
                                 ? CUBLAS_COMPUTE_32F_FAST_TF32
                                 : CUBLAS_COMPUTE_32F;
  if (boostr_status status = check(
          "cublasLtMatmulDescCreate",
          library.cublasLtMatmulDescCreate(&plan.descriptors.product, type,
                                           isDouble ? CUDA_R_64F : CUDA_R_32F)))
    return status;
  int32_t ofRhs = runsAlongSteps(key, 1) ? CUBLAS_OP_T : CUBLAS_OP_N;
  int32_t ofLhs = runsAlongSteps(key, 0) ? CUBLAS_OP_N : CUBLAS_OP_T;
  if (boostr_status status = set(CUBLASLT_MATMUL_DESC_TRANSA, ofRhs))
    return status;
  if (boostr_status status = set(CUBLASLT_MATMUL_DESC_TRANSB, ofLhs))
    return status;
  if (!key.hasBias && !key.hasSums)
    return BOOSTR_OK;
  uint32_t epilogue =
      key.hasBias ? CUBLASLT_EPILOGUE_BIAS : CUBLASLT_EPILOGUE_BGRADB;
  if (boostr_status status = set(CUBLASLT_MATMUL_DESC_EPILOGUE, epilogue))
    return status;
  cudaDataType_t element;
  if (boostr_status status =
          getType(key.hasBias ? key.resultElement : key.sumsElement, element))
    return status;
  if (boostr_status status = set(CUBLASLT_MATMUL_DESC_BIAS_DATA_TYPE,
                                 static_cast<int32_t>(element)))
    return status;
  if (boostr_status status = set(CUBLASLT_MATMUL_DESC_BIAS_POINTER, vector))
    return status;
  if (key.batch == 1)
    return BOOSTR_OK;
  return set(CUBLASLT_MATMUL_DESC_BIAS_BATCH_STRIDE, key.biasStride);
}

/// `contiguous` elements follow each other, `strided` times.
boostr_status Planner::addLayout(cublasLtMatrixLayout_t &layout, int matrix,
                                 cudaDataType_t type, int64_t contiguous,
                                 int64_t strided) {
  const int64_t *strides = key.strides[matrix];
  int64_t leading = strides[1] == 1 ? strides[0] : strides[1];
  // Of a single one the stride may be anything.
  if (strided == 1 && leading < contiguous)
    leading = contiguous;
  if (boostr_status status =
          check("cublasLtMatrixLayoutCreate",
                library.cublasLtMatrixLayoutCreate(
                    &layout, type, static_cast<uint64_t>(contiguous),
                    static_cast<uint64_t>(strided), leading)))
    return status;
  if (key.batch == 1)
    return BOOSTR_OK;
  if (boostr_status status = set(layout, CUBLASLT_MATRIX_LAYOUT_BATCH_COUNT,
                                 static_cast<int32_t>(key.batch)))
    return status;
  return set(layout, CUBLASLT_MATRIX_LAYOUT_STRIDED_BATCH_OFFSET, strides[2]);
}

boostr_status Planner::describeMatrices() {
  cudaDataType_t element, resultElement;
  if (boostr_status status = getType(key.element, element))
    return status;
  if (boostr_status status = getType(key.resultElement, resultElement))
    return status;
  ProductPlan::Descriptors &all = plan.descriptors;
  auto addOperand = [&](cublasLtMatrixLayout_t &layout, int matrix,
                        int64_t rows) {
    return runsAlongSteps(key, matrix)
               ? addLayout(layout, matrix, element, key.steps, rows)
               : addLayout(layout, matrix, element, rows, key.steps);
  };
  if (boostr_status status = addOperand(all.lhs, 0, key.rows))
    return status;
  if (boostr_status status = addOperand(all.rhs, 1, key.columns))
    return status;
  if (boostr_status status =
          addLayout(all.result, 2, resultElement, key.columns, key.rows))
    return status;
  if (!key.hasAddend)
    return BOOSTR_OK;
  return addLayout(all.addend, 3, resultElement, key.columns, key.rows);
}

boostr_status Planner::chooseAlgorithm(cublasLtMatmulPreference_t preference) {
  if (boostr_status status =
          set(preference, CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES,
              maxWorkspaceBytes))
    return status;
  // Partial sums are never rounded to the type of the result.
  if (boostr_status status =
          set(preference, CUBLASLT_MATMUL_PREF_REDUCTION_SCHEME_MASK,
              static_cast<uint32_t>(CUBLASLT_REDUCTION_SCHEME_COMPUTE_TYPE)))
    return status;
  const std::pair<cublasLtMatmulPreferenceAttributes_t, int> alignments[] = {
      {CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES, 1},
      {CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_B_BYTES, 0},
      {CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_C_BYTES, key.hasAddend ? 3 : 2},
      {CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_D_BYTES, 2}};
  for (auto [attribute, matrix] : alignments)
    if (boostr_status status =
            set(preference, attribute, uint32_t{key.alignments[matrix]}))
      return status;

  constexpr int most = 8;
  cublasLtMatmulHeuristicResult_t found[most];
  int count = 0;
  const ProductPlan::Descriptors &all = plan.descriptors;
  cublasStatus_t result = library.cublasLtMatmulAlgoGetHeuristic(
      handle, all.product, all.rhs, all.lhs,
      all.addend ? all.addend : all.result, all.result, preference, most, found,
      &count);
  bool hasEpilogue = key.hasBias || key.hasSums;
  if (result == CUBLAS_STATUS_NOT_SUPPORTED ||
      (result == CUBLAS_STATUS_INVALID_VALUE && hasEpilogue))
    return BOOSTR_OK;
  if (result)
    return failCall(library, "cublasLtMatmulAlgoGetHeuristic", result);
  for (int i = 0; i < count && !plan.isSupported; ++i) {
    if (found[i].state != CUBLAS_STATUS_SUCCESS)
      continue;
    plan.isSupported = true;
    plan.algorithm = found[i].algo;
    plan.workspaceBytes = found[i].workspaceSize;
  }
  return BOOSTR_OK;
}

boostr_status Planner::chooseAlgorithm() {
  cublasLtMatmulPreference_t preference = nullptr;
  if (cublasStatus_t result =
          library.cublasLtMatmulPreferenceCreate(&preference))
    return failCall(library, "cublasLtMatmulPreferenceCreate", result);
  boostr_status status = chooseAlgorithm(preference);
  (void)library.cublasLtMatmulPreferenceDestroy(preference);
  return status;
}

boostr_status Planner::run() {
  plan.isSupported = false;
  if (boostr_status status = describeProduct())
    return status;
  if (boostr_status status = describeMatrices())
    return status;
  return chooseAlgorithm();
}

boostr_status ProductPlan::prepare(const CublasLt &chosen,
                                   cublasLtHandle_t handle,
                                   const ProductKey &wanted,
                                   const void *vector) {
  if (std::memcmp(&key, &wanted, sizeof(key)) == 0)
    return BOOSTR_OK;
  clear();
  library = &chosen;
  key = wanted;
  boostr_status status = Planner(chosen, handle, *this, vector).run();
  if (status)
    clear();
  return status;
}

void ProductPlan::clear() {
  const Descriptors &all = descriptors;
  if (all.product)
    (void)library->cublasLtMatmulDescDestroy(all.product);
  for (cublasLtMatrixLayout_t layout :
       {all.lhs, all.rhs, all.result, all.addend})
    if (layout)
      (void)library->cublasLtMatrixLayoutDestroy(layout);
  descriptors = {};
  key = {};
}
