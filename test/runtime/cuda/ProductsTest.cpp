// Part of boostr-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

// Products by cuBLASLt.

#include "CudaFixtures.h"
#include "fake_cublaslt.h"

#include <cstdlib>
#include <thread>

using namespace boostr::runtime::test;

namespace {
/// Rows, columns, steps and batch of a product, and how its arrays lie.
struct Layout {
  int64_t rows = 5, columns = 3, steps = 4, batch = 1;
  bool lhsAcross = false, rhsAcross = false;
};

/// Arrays of a product of f32, and what comes of them.
class Product {
public:
  explicit Product(Layout layout) : layout(layout) {
    lhs = numbers(layout.batch * layout.rows * layout.steps, 1);
    rhs = numbers(layout.batch * layout.columns * layout.steps, 2);
    result = numbers(layout.batch * layout.rows * layout.columns, 3);
    addend = numbers(layout.batch * layout.rows * layout.columns, 4);
    bias = numbers(layout.batch * layout.columns, 5);
    sums.assign(static_cast<size_t>(layout.rows), -1.0f);
    raw.rows = layout.rows;
    raw.columns = layout.columns;
    raw.steps = layout.steps;
    raw.batch = layout.batch;
    raw.lhs = matrix(lhs, layout.rows, layout.steps, layout.lhsAcross);
    raw.rhs = matrix(rhs, layout.columns, layout.steps, layout.rhsAcross);
    raw.result = matrix(result, layout.rows, layout.columns, false);
    raw.element = raw.result_element = raw.sums_element = f32;
  }

  void add() {
    raw.addend = matrix(addend, layout.rows, layout.columns, false);
  }
  void addBias() {
    raw.bias = bias.data();
    raw.bias_stride = layout.columns;
  }
  void sumLhs() { raw.lhs_sums = sums.data(); }

  /// What the result must be.
  std::vector<float> expected() const {
    std::vector<float> all;
    for (int64_t b = 0; b < layout.batch; ++b)
      for (int64_t i = 0; i < layout.rows; ++i)
        for (int64_t j = 0; j < layout.columns; ++j) {
          float sum = 0.0f;
          for (int64_t k = 0; k < layout.steps; ++k)
            sum += at(raw.lhs, b, i, k) * at(raw.rhs, b, j, k);
          if (raw.addend.data)
            sum += at(raw.addend, b, i, j);
          if (raw.bias)
            sum += bias[static_cast<size_t>(b * layout.columns + j)];
          all.push_back(sum);
        }
    return all;
  }

  Layout layout;
  boostr_cuda_product raw{};
  std::vector<float> lhs, rhs, result, addend, bias, sums;

private:
  /// Small whole numbers, whose sums are exact.
  static std::vector<float> numbers(int64_t count, int seed) {
    std::vector<float> all;
    for (int64_t i = 0; i < count; ++i)
      all.push_back(static_cast<float>((i * 7 + seed * 3) % 11 - 5));
    return all;
  }
  static boostr_cuda_matrix matrix(std::vector<float> &data, int64_t rows,
                                   int64_t columns, bool isAcross) {
    return {data.data(), isAcross ? 1 : columns, isAcross ? rows : 1,
            rows * columns};
  }
  static float at(const boostr_cuda_matrix &matrix, int64_t b, int64_t i,
                  int64_t j) {
    return static_cast<const float *>(
        matrix.data)[b * matrix.batch_stride + i * matrix.row_stride +
                     j * matrix.column_stride];
  }
};

class CudaProducts : public Cuda {
protected:
  CudaProducts() { fake_lt_forget(); }
  ~CudaProducts() override {
    context.reset();
    EXPECT_EQ(fake_lt_num_objects(), 0);
  }

  std::string multiply(const boostr_cuda_product &product, int32_t &done,
                       void *stream = nullptr) {
    return outcome(invokeCuda(
        context.get(), [&] { done = boostr_cuda_multiply(&product); }, stream));
  }
};
} // namespace

TEST_F(CudaProducts, rows_and_columns) {
  for (int64_t batch : {1, 2})
    for (bool lhsAcross : {false, true})
      for (bool rhsAcross : {false, true})
        for (bool isAdded : {false, true})
          for (bool hasBias : {false, true}) {
            Product product({5, 3, 4, batch, lhsAcross, rhsAcross});
            if (isAdded)
              product.add();
            if (hasBias)
              product.addBias();
            int32_t done = -1;
            ASSERT_EQ(multiply(product.raw, done), "ok");
            EXPECT_EQ(done, BOOSTR_CUDA_PRODUCT);
            EXPECT_EQ(product.result, product.expected());
          }
}

TEST_F(CudaProducts, single_rows) {
  for (bool isAcross : {false, true})
    for (Layout layout :
         {Layout{1, 3, 4, 1, isAcross, isAcross},
          Layout{5, 1, 4, 1, isAcross, isAcross},
          Layout{5, 3, 1, 1, isAcross, isAcross}, Layout{1, 1, 1}}) {
      Product product(layout);
      int32_t done = -1;
      ASSERT_EQ(multiply(product.raw, done), "ok");
      EXPECT_EQ(product.result, product.expected());
    }
}

TEST_F(CudaProducts, has_library) {
  int32_t has = -1;
  ASSERT_EQ(outcome(invokeCuda(context.get(),
                               [&] { has = boostr_cuda_has_cublaslt(); })),
            "ok");
  EXPECT_EQ(has, 1);
}

TEST_F(CudaProducts, accumulates_in_place) {
  Product product({});
  product.raw.addend = product.raw.result;
  std::vector<float> expected = product.expected();
  int32_t done = -1;
  ASSERT_EQ(multiply(product.raw, done), "ok");
  EXPECT_EQ(product.result, expected);
}

TEST_F(CudaProducts, sums) {
  Product product({5, 3, 4, 1, true, true});
  product.sumLhs();
  int32_t done = -1;
  ASSERT_EQ(multiply(product.raw, done), "ok");
  EXPECT_EQ(done, BOOSTR_CUDA_PRODUCT_AND_SUMS);
  EXPECT_EQ(product.result, product.expected());
  for (size_t i = 0; i < 5; ++i) {
    float sum = 0.0f;
    for (size_t k = 0; k < 4; ++k)
      sum += product.lhs[k * 5 + i];
    EXPECT_EQ(product.sums[i], sum);
  }
  // The product alone where cuBLASLt cannot sum.
  fake_lt_set_unsupported(512);
  Product other({6, 3, 4, 1, true, true});
  other.sumLhs();
  ASSERT_EQ(multiply(other.raw, done), "ok");
  EXPECT_EQ(done, BOOSTR_CUDA_PRODUCT);
  EXPECT_EQ(other.result, other.expected());
  EXPECT_EQ(other.sums[0], -1.0f);
}

TEST_F(CudaProducts, unsupported) {
  Product product({});
  product.addBias();
  fake_lt_set_unsupported(4);
  for (int i = 0; i < 2; ++i) {
    int32_t done = -1;
    ASSERT_EQ(multiply(product.raw, done), "ok");
    EXPECT_EQ(done, BOOSTR_CUDA_NOTHING);
  }
  // That is remembered too.
  EXPECT_EQ(fake_lt_count("cublasLtMatmulAlgoGetHeuristic"), 1);
  EXPECT_EQ(fake_lt_count("cublasLtMatmul"), 0);
}

TEST_F(CudaProducts, zero_extents) {
  int32_t done = -1;
  ASSERT_EQ(multiply(Product({0, 3, 4}).raw, done), "ok");
  EXPECT_EQ(done, BOOSTR_CUDA_PRODUCT);
  ASSERT_EQ(multiply(Product({5, 0, 4}).raw, done), "ok");
  EXPECT_EQ(done, BOOSTR_CUDA_PRODUCT);
  ASSERT_EQ(multiply(Product({5, 3, 0}).raw, done), "ok");
  EXPECT_EQ(done, BOOSTR_CUDA_NOTHING);
  EXPECT_EQ(fake_lt_count("cublasLtCreate"), 0);
}

TEST_F(CudaProducts, plans_are_kept) {
  Product product({}), other({5, 3, 6});
  int32_t done;
  for (int i = 0; i < 3; ++i) {
    // Of other addresses.
    Product same({});
    ASSERT_EQ(multiply(product.raw, done), "ok");
    ASSERT_EQ(multiply(same.raw, done), "ok");
    ASSERT_EQ(multiply(other.raw, done), "ok");
    EXPECT_EQ(same.result, product.result);
  }
  EXPECT_EQ(fake_lt_count("cublasLtMatmul"), 9);
  EXPECT_EQ(fake_lt_count("cublasLtCreate"), 1);
  // Not of fewer, though vectors may lie at other multiples of 16 bytes.
  EXPECT_LE(fake_lt_count("cublasLtMatmulAlgoGetHeuristic"), 9);
  int before = fake_lt_count("cublasLtMatmulAlgoGetHeuristic");
  ASSERT_EQ(multiply(product.raw, done), "ok");
  EXPECT_EQ(fake_lt_count("cublasLtMatmulAlgoGetHeuristic"), before);
}

TEST_F(CudaProducts, more_than_there_are_plans) {
  for (int64_t rows = 1; rows <= 700; ++rows) {
    Product product({rows, 2, 2});
    int32_t done;
    ASSERT_EQ(multiply(product.raw, done), "ok");
    ASSERT_EQ(product.result, product.expected());
  }
  // A descriptor and three layouts each, and the handle.
  EXPECT_LE(fake_lt_num_objects(), 4 * 256 + 1);
}

TEST_F(CudaProducts, handle_for_each_context) {
  int32_t done;
  for (int device : {0, 1, 0, 1}) {
    fake_set_current_context(fake_primary_context(device));
    Product product({});
    ASSERT_EQ(multiply(product.raw, done), "ok");
    EXPECT_EQ(product.result, product.expected());
  }
  EXPECT_EQ(fake_lt_count("cublasLtCreate"), 2);
}

TEST_F(CudaProducts, types_and_preferences) {
  Product product({});
  void *stream = fake_create_stream(fake_primary_context(0));
  int32_t done;
  auto last = [&] {
    EXPECT_EQ(multiply(product.raw, done, stream), "ok");
    return fake_lt_last_product();
  };
  fake_lt_product exact = last();
  EXPECT_EQ(exact.compute_type, 68);
  EXPECT_EQ(exact.scale_type, 0);
  EXPECT_EQ(exact.stream, stream);
  EXPECT_EQ(exact.max_workspace_bytes, 32u << 20);
  // Sums are never rounded to the result's type in between.
  EXPECT_EQ(exact.reduction_mask, 2u);
  product.raw.flags = BOOSTR_CUDA_TF32;
  EXPECT_EQ(last().compute_type, 77);
  product.raw.flags = 0;
  product.addBias();
  product.raw.element = bf16;
  fake_lt_product mixed = last();
  EXPECT_EQ(mixed.compute_type, 68);
  EXPECT_EQ(mixed.element, 14);
  EXPECT_EQ(mixed.result_element, 0);
  EXPECT_EQ(mixed.bias_type, 0);
  product.raw.element = product.raw.result_element = f16;
  EXPECT_EQ(last().bias_type, 2);
  product.raw.element = i64;
  EXPECT_EQ(multiply(product.raw, done),
            "BOOSTR_INTERNAL: boostr_cuda_multiply: element type: expected "
            "f64, f32, f16 or bf16, got i64");
}

TEST_F(CudaProducts, double_precision) {
  double lhs[] = {1, 2}, rhs[] = {3, 4}, result = 0;
  boostr_cuda_product product{};
  product.rows = product.columns = product.batch = 1;
  product.steps = 2;
  product.lhs = {lhs, 2, 1, 0};
  product.rhs = {rhs, 2, 1, 0};
  product.result = {&result, 1, 1, 0};
  product.element = product.result_element = f64;
  int32_t done;
  ASSERT_EQ(multiply(product, done), "ok");
  EXPECT_EQ(result, 11.0);
  EXPECT_EQ(fake_lt_last_product().compute_type, 70);
  EXPECT_EQ(fake_lt_last_product().scale_type, 1);
}

TEST_F(CudaProducts, alignment) {
  alignas(256) static float memory[1024];
  boostr_cuda_product product{};
  product.rows = product.columns = product.steps = product.batch = 4;
  product.lhs = {memory + 64, 4, 1, 0};
  product.rhs = {memory + 132, 4, 1, 0};
  product.result = {memory + 258, 4, 1, 0};
  product.addend = {memory + 321, 4, 1, 0};
  product.element = product.result_element = f32;
  int32_t done;
  ASSERT_EQ(multiply(product, done), "ok");
  fake_lt_product last = fake_lt_last_product();
  EXPECT_EQ(last.alignments[0], 16u);
  EXPECT_EQ(last.alignments[1], 256u);
  EXPECT_EQ(last.alignments[2], 4u);
  EXPECT_EQ(last.alignments[3], 8u);
}

TEST_F(CudaProducts, workspace) {
  fake_lt_set_workspace(1000);
  Product product({});
  int32_t done;
  ASSERT_EQ(multiply(product.raw, done), "ok");
  EXPECT_EQ(fake_lt_last_product().workspace_bytes, 1000u);
  EXPECT_EQ(fake_count("cuMemAllocFromPoolAsync"), 1);
  EXPECT_EQ(fake_count("cuMemFreeAsync"), 1);
  fake_fail("cuMemAllocFromPoolAsync", 1, 2);
  EXPECT_EQ(multiply(product.raw, done),
            "BOOSTR_OUT_OF_MEMORY: cannot allocate 1000 bytes: "
            "cuMemAllocFromPoolAsync: CUDA_ERROR_OUT_OF_MEMORY (words)");
}

TEST_F(CudaProducts, many_threads) {
  std::atomic<int> wrong{0};
  std::vector<std::thread> threads;
  for (int number = 0; number < 4; ++number)
    threads.emplace_back([&] {
      for (int64_t i = 0; i < 200; ++i) {
        Product product({1 + i % 7, 2, 3});
        product.addBias();
        int32_t done;
        if (multiply(product.raw, done) != "ok" ||
            product.result != product.expected())
          ++wrong;
      }
    });
  for (std::thread &thread : threads)
    thread.join();
  EXPECT_EQ(wrong, 0);
}

TEST_F(CudaProducts, negative_calls_are_named) {
  Product product({});
  int32_t done;
  const std::pair<const char *, int> calls[] = {
      {"cublasLtCreate", 1},
      {"cublasLtMatmulDescCreate", 1},
      {"cublasLtMatmulDescSetAttribute", 1},
      {"cublasLtMatmulDescSetAttribute", 2},
      {"cublasLtMatrixLayoutCreate", 1},
      {"cublasLtMatrixLayoutCreate", 3},
      {"cublasLtMatmulPreferenceCreate", 1},
      {"cublasLtMatmulPreferenceSetAttribute", 2},
      {"cublasLtMatmulAlgoGetHeuristic", 1}};
  for (auto [call, number] : calls) {
    fake_lt_fail(call, number, 3);
    EXPECT_EQ(multiply(product.raw, done),
              std::string("BOOSTR_OUT_OF_MEMORY: ") + call +
                  ": CUBLAS_STATUS_ALLOC_FAILED");
  }
  fake_lt_fail("cublasLtMatmul", 1, 7);
  EXPECT_EQ(multiply(product.raw, done),
            "BOOSTR_INTERNAL: cublasLtMatmul: CUBLAS_STATUS_INVALID_VALUE, for "
            "a product of f32 [1, 5, 4] and [1, 3, 4]");
  // Nothing of it stays.
  ASSERT_EQ(multiply(product.raw, done), "ok");
  EXPECT_EQ(product.result, product.expected());
}

TEST_F(CudaProducts, negative_cancelled) {
  Product product({});
  int32_t done;
  ASSERT_EQ(outcome(boostr_context_cancel(context.get())), "ok");
  EXPECT_EQ(multiply(product.raw, done),
            "BOOSTR_CANCELLED: the invocation was cancelled");
}

TEST_F(CudaProducts, negative_outside_of_invocations) {
  Product product({});
  EXPECT_EQ(boostr_cuda_multiply(&product.raw), BOOSTR_CUDA_NOTHING);
  EXPECT_STREQ(boostr_last_error(), "boostr_cuda_multiply: expected to be "
                                    "called by a CUDA function");
}

// In processes of their own, because the first outcome is that of all calls.

[[noreturn]] static void multiplyAndExit(uint32_t flags) {
  Product product({});
  product.raw.flags = flags;
  int32_t done = -1;
  int32_t has = -1;
  std::string what = outcome(invokeCuda(nullptr, [&] {
    has = boostr_cuda_has_cublaslt();
    done = boostr_cuda_multiply(&product.raw);
  }));
  std::fprintf(stderr, "has: %d, %s, done: %d", has, what.c_str(), done);
  std::exit(0);
}

TEST(CudaProductsDeathTest, no_library) {
  EXPECT_EXIT(
      {
        setenv("BOOSTR_CUBLASLT_LIBRARY", "/nowhere/libcublasLt.so", 1);
        multiplyAndExit(0);
      },
      testing::ExitedWithCode(0),
      "has: 0, BOOSTR_UNAVAILABLE: cannot open cuBLASLt as "
      "BOOSTR_CUBLASLT_LIBRARY "
      "says: /nowhere/libcublasLt.so: .*, done: -1");
}

TEST(CudaProductsDeathTest, no_library_optional) {
  EXPECT_EXIT(
      {
        setenv("BOOSTR_CUBLASLT_LIBRARY", "/nowhere/libcublasLt.so", 1);
        multiplyAndExit(BOOSTR_CUDA_OPTIONAL);
      },
      testing::ExitedWithCode(0), "has: 0, ok, done: 0");
}

TEST(CudaProductsDeathTest, other_library) {
  EXPECT_EXIT(
      {
        setenv("BOOSTR_CUBLASLT_LIBRARY", "libcuda.so.1", 1);
        multiplyAndExit(0);
      },
      testing::ExitedWithCode(0),
      "BOOSTR_UNAVAILABLE: expected cuBLASLt of CUDA 12.0 or later, got one "
      "without 'cublasLtCreate'");
}
