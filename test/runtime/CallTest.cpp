// Part of boostr-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "Fixtures.h"

using namespace boostr::runtime::test;

//===----------------------------------------------------------------------===//
// A function: y[b, n] = sum over k of input[b, k] * weight[n, k]
//===----------------------------------------------------------------------===//

static void project(void **descriptors) {
  auto &input = *static_cast<boostr_memref_2d *>(descriptors[0]);
  auto &weight = *static_cast<boostr_memref_2d *>(descriptors[1]);
  auto &output = *static_cast<boostr_memref_2d *>(descriptors[2]);
  auto element = [](boostr_memref_2d &m, int64_t i, int64_t j) -> float & {
    return static_cast<float *>(
        m.aligned)[m.offset + i * m.strides[0] + j * m.strides[1]];
  };
  for (int64_t b = 0; b < input.sizes[0]; ++b)
    for (int64_t n = 0; n < weight.sizes[0]; ++n) {
      float sum = 0;
      for (int64_t k = 0; k < input.sizes[1]; ++k)
        sum += element(input, b, k) * element(weight, n, k);
      element(output, b, n) = sum;
    }
}

static int64_t projectShapes(const int64_t *in, int64_t *out) {
  if (in[1] != in[3])
    return 1;
  out[0] = in[0];
  out[1] = in[2];
  return 0;
}

static const char *const projectConstraints[] = {
    "dimension 1 of argument 1 'weight' equals dimension 1 of argument 0 "
    "'input'"};

namespace {
/// A valid call of the function, one rule of which each test breaks.
class Call : public testing::Test {
protected:
  Call()
      : function({{"input", f32, {-1, -1}}, {"weight", f32, {3, -1}}},
                 {{"result", f32, {-1, 3}}}, project) {
    function.raw.shapes = projectShapes;
    function.raw.num_constraints = 1;
    function.raw.constraints = projectConstraints;
    for (int i = 0; i < 8; ++i)
      input.as<float>()[i] = static_cast<float>(i);
    for (int i = 0; i < 12; ++i)
      weight.as<float>()[i] = 1;
    for (int i = 0; i < 6; ++i)
      result.as<float>()[i] = -7;
  }

  std::string call() {
    return outcome(
        function.call({&input.dl, &weight.dl}, {&result.dl}, context.get()));
  }

  /// The message of a call that is refused and writes nothing.
  std::string refusal() {
    std::string text = call();
    for (int i = 0; i < 6; ++i)
      EXPECT_EQ(result.as<float>()[i], -7) << "was written";
    std::string status = "BOOSTR_INVALID_ARGUMENT: ";
    EXPECT_EQ(text.substr(0, status.size()), status);
    return text.substr(std::min(text.size(), status.size()));
  }

  Function function;
  Tensor input{f32, {2, 4}}, weight{f32, {3, 4}}, result{f32, {2, 3}};
  ContextPtr context = makeContext(2);
};
} // namespace

TEST_F(Call, computes) {
  ASSERT_EQ(call(), "ok");
  for (int i = 0; i < 6; ++i)
    EXPECT_EQ(result.as<float>()[i], i < 3 ? 6 : 22);
}

TEST_F(Call, on_default_context) {
  context.reset();
  ASSERT_EQ(call(), "ok");
  EXPECT_EQ(result.as<float>()[5], 22);
}

TEST_F(Call, names_are_optional) {
  weight.dl.dtype = f64;
  function.in[1].name = nullptr;
  EXPECT_EQ(refusal(), "argument 1: expected element type f32, got f64");
  function.in[1].name = "";
  EXPECT_EQ(refusal(), "argument 1: expected element type f32, got f64");
}

//===----------------------------------------------------------------------===//
// Counts and null pointers
//===----------------------------------------------------------------------===//

TEST_F(Call, negative_counts) {
  EXPECT_EQ(outcome(function.call({&input.dl}, {&result.dl})),
            "BOOSTR_INVALID_ARGUMENT: inputs: expected 2 tensors, got 1");
  EXPECT_EQ(
      outcome(function.call({&input.dl, &weight.dl}, {&result.dl, &result.dl})),
      "BOOSTR_INVALID_ARGUMENT: outputs: expected 1 tensors, got 2");
  const DLTensor *inputs[] = {&input.dl, &weight.dl};
  EXPECT_EQ(
      outcome(boostr_call(nullptr, &function.raw, inputs, -2, nullptr, 1)),
      "BOOSTR_INVALID_ARGUMENT: inputs: expected 2 tensors, got -2");
}

TEST_F(Call, negative_null_arrays) {
  const DLTensor *inputs[] = {&input.dl, &weight.dl};
  EXPECT_EQ(
      outcome(boostr_call(nullptr, &function.raw, nullptr, 2, nullptr, 1)),
      "BOOSTR_INVALID_ARGUMENT: inputs: expected an array of 2 tensors, got a "
      "null pointer");
  EXPECT_EQ(outcome(boostr_call(nullptr, &function.raw, inputs, 2, nullptr, 1)),
            "BOOSTR_INVALID_ARGUMENT: outputs: expected an array of 1 tensors, "
            "got a null pointer");
}

TEST_F(Call, negative_null_tensors) {
  EXPECT_EQ(outcome(function.call({&input.dl, nullptr}, {&result.dl})),
            "BOOSTR_INVALID_ARGUMENT: argument 1 'weight': expected a tensor, "
            "got a null pointer");
  EXPECT_EQ(outcome(function.call({&input.dl, &weight.dl}, {nullptr})),
            "BOOSTR_INVALID_ARGUMENT: output 0 'result': expected a tensor, "
            "got a null pointer");
}

TEST_F(Call, negative_null_data) {
  weight.dl.data = nullptr;
  EXPECT_EQ(refusal(),
            "argument 1 'weight': expected data, got a null pointer");
}

TEST_F(Call, negative_null_data_with_offset) {
  weight.dl.data = nullptr;
  weight.dl.byte_offset = 64;
  EXPECT_EQ(refusal(),
            "argument 1 'weight': expected data, got a null pointer");
}

TEST_F(Call, negative_null_shape) {
  weight.dl.shape = nullptr;
  EXPECT_EQ(refusal(),
            "argument 1 'weight': expected 2 extents, got a null pointer");
}

TEST(CallWithout, arguments) {
  static bool ran;
  ran = false;
  Function function({}, {}, [](void **) { ran = true; });
  function.raw.inputs = function.raw.outputs = nullptr;
  EXPECT_EQ(
      outcome(boostr_call(nullptr, &function.raw, nullptr, 0, nullptr, 0)),
      "ok");
  EXPECT_TRUE(ran);
}

//===----------------------------------------------------------------------===//
// Rank and extents
//===----------------------------------------------------------------------===//

TEST_F(Call, negative_rank) {
  weight.dl.ndim = 1;
  EXPECT_EQ(refusal(), "argument 1 'weight': expected rank 2, got rank 1 with "
                       "shape [3]");
  weight.dl.ndim = 0;
  EXPECT_EQ(refusal(), "argument 1 'weight': expected rank 2, got rank 0");
  weight.dl.ndim = -1;
  EXPECT_EQ(refusal(), "argument 1 'weight': expected rank 2, got rank -1");
  // The shape is not read so far.
  weight.dl.ndim = 1 << 30;
  EXPECT_EQ(refusal(),
            "argument 1 'weight': expected rank 2, got rank 1073741824");
}

TEST_F(Call, negative_static_extent) {
  weight.shape[0] = 4;
  EXPECT_EQ(refusal(),
            "argument 1 'weight': expected shape [3, ?], got [4, 4]");
}

TEST_F(Call, negative_static_shape) {
  int64_t shape[] = {6144, 4096};
  function.in[1].shape = shape;
  weight.shape = {6144, 4095};
  weight.dl.shape = weight.shape.data();
  EXPECT_EQ(refusal(), "argument 1 'weight': expected shape [6144, 4096], got "
                       "[6144, 4095]");
}

TEST_F(Call, negative_extent_below_zero) {
  input.shape[0] = -1;
  EXPECT_EQ(refusal(), "argument 0 'input': expected extents that are not "
                       "negative, got shape [-1, 4]");
}

TEST_F(Call, negative_constraint) {
  weight.shape[1] = 5;
  EXPECT_EQ(refusal(),
            "expected that dimension 1 of argument 1 'weight' equals dimension "
            "1 of argument 0 'input', got argument 0 'input' [2, 4], argument "
            "1 'weight' [3, 5]");
}

TEST_F(Call, negative_output_extents) {
  result.shape[0] = 3;
  EXPECT_EQ(refusal(), "output 0 'result': expected shape [2, 3], got [3, 3]");
  result.shape = {2, 2};
  result.dl.shape = result.shape.data();
  EXPECT_EQ(refusal(), "output 0 'result': expected shape [2, 3], got [2, 2]");
}

TEST_F(Call, negative_size_overflow) {
  input.shape = {int64_t{1} << 40, int64_t{1} << 40};
  input.dl.shape = input.shape.data();
  EXPECT_EQ(refusal(), "argument 0 'input': expected less than 2^63 bytes, got "
                       "shape [1099511627776, 1099511627776]");
}

//===----------------------------------------------------------------------===//
// Element types
//===----------------------------------------------------------------------===//

TEST(CallTypes, match_exactly) {
  struct {
    DLDataType type;
    const char *name;
  } types[] = {
      {f64, "f64"},   {f32, "f32"},      {f16, "f16"},
      {bf16, "bf16"}, {i64, "i64"},      {i8, "i8"},
      {u8, "ui8"},    {boolean, "bool"}, {{kDLComplex, 64, 1}, "complex64"}};
  for (auto &expected : types)
    for (auto &found : types) {
      Function function({{"x", expected.type, {2}}}, {}, [](void **) {});
      Tensor x(found.type, {2});
      EXPECT_EQ(outcome(function.call({&x.dl}, {})),
                &expected == &found
                    ? "ok"
                    : std::string("BOOSTR_INVALID_ARGUMENT: argument 0 'x': "
                                  "expected element type ") +
                          expected.name + ", got " + found.name);
    }
}

TEST_F(Call, negative_lanes_and_unknown_codes) {
  input.dl.dtype = {kDLFloat, 32, 4};
  EXPECT_EQ(refusal(), "argument 0 'input': expected element type f32, got f32 "
                       "x 4 lanes");
  input.dl.dtype = {99, 32, 1};
  EXPECT_EQ(refusal(), "argument 0 'input': expected element type f32, got "
                       "type code 99 of 32 bits");
}

//===----------------------------------------------------------------------===//
// Device, strides, addresses
//===----------------------------------------------------------------------===//

TEST_F(Call, negative_device) {
  input.dl.device = {kDLCUDA, 1};
  EXPECT_EQ(refusal(), "argument 0 'input': expected device cpu, got cuda:1");
  input.dl.device = {kDLCPU, 0};
  result.dl.device = {kDLVulkan, 0};
  EXPECT_EQ(refusal(), "output 0 'result': expected device cpu, got device "
                       "type 7:0");
}

TEST_F(Call, null_strides_are_compact) {
  input.dl.strides = weight.dl.strides = result.dl.strides = nullptr;
  ASSERT_EQ(call(), "ok");
  EXPECT_EQ(result.as<float>()[5], 22);
}

TEST_F(Call, negative_strides) {
  weight.strides = {1, 3};
  weight.dl.strides = weight.strides.data();
  EXPECT_EQ(refusal(), "argument 1 'weight': expected compact row-major "
                       "strides [4, 1], got [1, 3]");
  weight.strides = {5, 1};
  weight.dl.strides = weight.strides.data();
  EXPECT_EQ(refusal(), "argument 1 'weight': expected compact row-major "
                       "strides [4, 1], got [5, 1]");
}

TEST(CallStrides, of_extent_one_do_not_matter) {
  // The code is given canonical strides all the same.
  static int64_t seen[3];
  Function function({{"x", f32, {-1, -1, -1}}}, {}, [](void **descriptors) {
    auto &x = *static_cast<boostr_memref_3d *>(descriptors[0]);
    std::copy(x.strides, x.strides + 3, seen);
  });
  Tensor x(f32, {1, 4, 1});
  x.strides = {99, 1, -5};
  x.dl.strides = x.strides.data();
  EXPECT_EQ(outcome(function.call({&x.dl}, {})), "ok");
  EXPECT_EQ(seen[0], 4);
  EXPECT_EQ(seen[1], 1);
  EXPECT_EQ(seen[2], 1);
}

TEST(CallStrides, of_empty_tensor_do_not_matter) {
  Function function({{"x", f32, {-1, -1}}}, {}, [](void **) {});
  Tensor x(f32, {3, 0});
  x.strides = {77, 88};
  x.dl.strides = x.strides.data();
  EXPECT_EQ(outcome(function.call({&x.dl}, {})), "ok");
}

TEST_F(Call, negative_alignment) {
  input.dl.data = reinterpret_cast<char *>(input.dl.data) + 2;
  std::string message = refusal();
  std::string expected =
      "argument 0 'input': expected data aligned to 4 bytes, got address 0x";
  EXPECT_EQ(message.substr(0, expected.size()), expected);
}

TEST_F(Call, negative_alignment_by_byte_offset) {
  input.dl.byte_offset = 1;
  EXPECT_NE(refusal().find("expected data aligned to 4 bytes"),
            std::string::npos);
}

TEST_F(Call, byte_offset) {
  std::vector<float> memory(10);
  for (int i = 0; i < 8; ++i)
    memory[i + 2] = static_cast<float>(i);
  input.dl.data = memory.data();
  input.dl.byte_offset = 8;
  ASSERT_EQ(call(), "ok");
  EXPECT_EQ(result.as<float>()[0], 6);
}

TEST_F(Call, negative_byte_offset_beyond_address_space) {
  input.dl.byte_offset = UINT64_MAX - 3;
  EXPECT_EQ(refusal(), "argument 0 'input': expected data inside the address "
                       "space, got byte_offset 0xfffffffffffffffc");
}

//===----------------------------------------------------------------------===//
// Overlap
//===----------------------------------------------------------------------===//

TEST_F(Call, negative_output_overlaps_input) {
  // The last element of one is the first of the other.
  result.dl.data = weight.as<float>() + 11;
  EXPECT_EQ(refusal(), "output 0 'result': expected memory of its own, got "
                       "memory shared with argument 1 'weight'");
}

TEST_F(Call, output_may_touch_input) {
  std::vector<float> memory(18, 1);
  weight.dl.data = memory.data();
  result.dl.data = memory.data() + 12;
  EXPECT_EQ(call(), "ok");
  EXPECT_EQ(memory[17], 22);
}

TEST(CallOverlap, negative_outputs) {
  Function function({}, {{"a", f32, {4}}, {"b", f32, {4}}}, [](void **) {});
  Tensor memory(f32, {8});
  Tensor a(f32, {4}), b(f32, {4});
  a.dl.data = memory.as<float>() + 3;
  b.dl.data = memory.as<float>();
  EXPECT_EQ(outcome(function.call({}, {&a.dl, &b.dl})),
            "BOOSTR_INVALID_ARGUMENT: output 1 'b': expected memory of its "
            "own, got memory shared with output 0 'a'");
  a.dl.data = memory.as<float>() + 4;
  EXPECT_EQ(outcome(function.call({}, {&a.dl, &b.dl})), "ok");
}

TEST(CallOverlap, inputs_may_share_memory) {
  Function function({{"a", f32, {4}}, {"b", f32, {4}}}, {}, [](void **) {});
  Tensor a(f32, {4});
  EXPECT_EQ(outcome(function.call({&a.dl, &a.dl}, {})), "ok");
}

TEST_F(Call, empty_tensors_need_no_memory) {
  input.shape[0] = result.shape[0] = 0;
  input.dl.data = nullptr;
  // Neither aligned nor apart from an input.
  result.dl.data = reinterpret_cast<char *>(weight.dl.data) + 1;
  EXPECT_EQ(call(), "ok");
}

TEST(CallShapes, huge_extents_beside_zero) {
  Function function({{"x", f32, {-1, -1, -1}}}, {}, [](void **) {});
  Tensor x(f32, {0, 1, 1});
  x.shape = {0, INT64_MAX, INT64_MAX};
  x.dl.shape = x.shape.data();
  x.dl.strides = nullptr;
  EXPECT_EQ(outcome(function.call({&x.dl}, {})), "ok");
}

//===----------------------------------------------------------------------===//
// Ranks and numbers of arguments
//===----------------------------------------------------------------------===//

TEST(CallRanks, zero) {
  Function function({{"x", f64, {}}}, {{"y", f64, {}}}, [](void **descriptors) {
    auto &x = *static_cast<boostr_memref_0d *>(descriptors[0]);
    auto &y = *static_cast<boostr_memref_0d *>(descriptors[1]);
    *static_cast<double *>(y.aligned) = 2 * *static_cast<double *>(x.aligned);
  });
  function.in[0].shape = nullptr;
  Tensor x(f64, {}), y(f64, {});
  x.dl.shape = x.dl.strides = nullptr;
  x.as<double>()[0] = 21;
  ASSERT_EQ(outcome(function.call({&x.dl}, {&y.dl})), "ok");
  EXPECT_EQ(y.as<double>()[0], 42);
}

TEST(CallRanks, eight) {
  static boostr_memref_8d seen;
  Function function({{"x", i8, std::vector<int64_t>(8, -1)}}, {},
                    [](void **descriptors) {
                      std::memcpy(&seen, descriptors[0], sizeof(seen));
                    });
  Tensor x(i8, {2, 1, 3, 1, 2, 1, 5, 2});
  ASSERT_EQ(outcome(function.call({&x.dl}, {})), "ok");
  EXPECT_EQ(seen.aligned, x.dl.data);
  EXPECT_EQ(seen.allocated, x.dl.data);
  EXPECT_EQ(seen.offset, 0);
  for (int i = 0; i < 8; ++i) {
    EXPECT_EQ(seen.sizes[i], x.shape[i]);
    EXPECT_EQ(seen.strides[i], x.strides[i]);
  }
}

TEST(CallRanks, many_arguments) {
  constexpr int count = 100;
  static int64_t sum;
  sum = 0;
  Function function(
      std::vector<Function::Spec>(count, {"x", i64, {-1, -1, -1}}), {},
      [](void **descriptors) {
        for (int i = 0; i < count; ++i)
          sum += *static_cast<int64_t *>(
              static_cast<boostr_memref_3d *>(descriptors[i])->aligned);
      });
  std::vector<std::unique_ptr<Tensor>> tensors;
  std::vector<const DLTensor *> inputs;
  for (int i = 0; i < count; ++i) {
    tensors.push_back(
        std::make_unique<Tensor>(i64, std::vector<int64_t>{1, 1, 1}));
    tensors.back()->as<int64_t>()[0] = i;
    inputs.push_back(&tensors.back()->dl);
  }
  ASSERT_EQ(outcome(function.call(inputs, {})), "ok");
  EXPECT_EQ(sum, count * (count - 1) / 2);
}

//===----------------------------------------------------------------------===//
// Shapes of outputs
//===----------------------------------------------------------------------===//

TEST_F(Call, output_shapes) {
  const DLTensor *inputs[] = {&input.dl, &weight.dl};
  int64_t extents[2] = {-9, -9};
  // Data and strides do not matter yet.
  input.dl.data = nullptr;
  input.dl.device = {kDLCUDA, 0};
  weight.strides[0] = 77;
  ASSERT_EQ(outcome(boostr_output_shapes(&function.raw, inputs, 2, extents)),
            "ok");
  EXPECT_EQ(extents[0], 2);
  EXPECT_EQ(extents[1], 3);
}

TEST_F(Call, negative_output_shapes) {
  const DLTensor *inputs[] = {&input.dl, &weight.dl};
  int64_t extents[2] = {-9, -9};
  auto shapes = [&](int32_t count) {
    return outcome(boostr_output_shapes(&function.raw, inputs, count, extents));
  };
  EXPECT_EQ(shapes(1),
            "BOOSTR_INVALID_ARGUMENT: inputs: expected 2 tensors, got 1");
  weight.shape[1] = 5;
  EXPECT_EQ(shapes(2).substr(0, 39), "BOOSTR_INVALID_ARGUMENT: expected that ");
  weight.shape[0] = 4;
  EXPECT_EQ(shapes(2), "BOOSTR_INVALID_ARGUMENT: argument 1 'weight': expected "
                       "shape [3, ?], got [4, 5]");
  weight.dl.dtype = bf16;
  EXPECT_EQ(shapes(2), "BOOSTR_INVALID_ARGUMENT: argument 1 'weight': expected "
                       "element type f32, got bf16");
  EXPECT_EQ(outcome(boostr_output_shapes(&function.raw, inputs, 2, nullptr)),
            "BOOSTR_INVALID_ARGUMENT: output_extents: expected a place for the "
            "result, got a null pointer");
  EXPECT_EQ(extents[0], -9);
  EXPECT_EQ(extents[1], -9);
}

TEST(OutputShapes, static_without_function) {
  Function function({}, {{"a", f32, {2, 3}}, {"b", f32, {5}}}, [](void **) {});
  int64_t extents[3] = {};
  ASSERT_EQ(outcome(boostr_output_shapes(&function.raw, nullptr, 0, extents)),
            "ok");
  EXPECT_EQ(extents[0], 2);
  EXPECT_EQ(extents[1], 3);
  EXPECT_EQ(extents[2], 5);
}

TEST(OutputShapes, without_outputs) {
  Function function({{"a", f32, {-1}}}, {}, [](void **) {});
  Tensor a(f32, {3});
  const DLTensor *inputs[] = {&a.dl};
  EXPECT_EQ(outcome(boostr_output_shapes(&function.raw, inputs, 1, nullptr)),
            "ok");
}

TEST_F(Call, negative_computed_extents) {
  function.raw.shapes = [](const int64_t *in, int64_t *out) -> int64_t {
    out[0] = in[0] - 4;
    out[1] = 3;
    return 0;
  };
  EXPECT_EQ(refusal(),
            "output 0 'result': expected extents that are not negative, got "
            "from these inputs shape [-2, 3]");
}

//===----------------------------------------------------------------------===//
// Descriptions that are not valid
//===----------------------------------------------------------------------===//

TEST_F(Call, negative_version) {
  for (int32_t version : {0, 999, BOOSTR_ABI_VERSION + 1, 2000, -1}) {
    function.raw.abi_version = version;
    std::string expected =
        "BOOSTR_UNSUPPORTED: function: expected one compiled for version 1000 "
        "to 1007 of the runtime's interface, got " +
        std::to_string(version);
    EXPECT_EQ(call(), expected);
    EXPECT_EQ(outcome(boostr_invoke(nullptr, &function.raw, nullptr)),
              expected);
    EXPECT_EQ(outcome(boostr_output_shapes(&function.raw, nullptr, 0, nullptr)),
              expected);
  }
}

TEST_F(Call, negative_description) {
  struct {
    std::function<void()> spoil;
    const char *part;
  } cases[] = {
      {[&] { function.raw.num_inputs = -1; }, "inputs"},
      {[&] { function.raw.inputs = nullptr; }, "inputs"},
      {[&] { function.in[0].rank = 9; }, "inputs"},
      {[&] { function.in[0].rank = -1; }, "inputs"},
      {[&] { function.in[0].shape = nullptr; }, "inputs"},
      {[&] { function.in[0].dtype = {kDLInt, 4, 1}; }, "inputs"},
      {[&] { function.in[0].dtype = {kDLInt, 0, 1}; }, "inputs"},
      {[&] { function.in[0].dtype = {kDLFloat, 32, 2}; }, "inputs"},
      {[&] { function.out[0].rank = 9; }, "outputs"},
      {[&] { function.raw.num_constraints = -1; }, "constraints"},
      {[&] { function.raw.constraints = nullptr; }, "constraints"},
  };
  const boostr_function raw = function.raw;
  const boostr_tensor_spec in = function.in[0], out = function.out[0];
  for (auto &invalid : cases) {
    function.raw = raw;
    function.in[0] = in;
    function.out[0] = out;
    invalid.spoil();
    EXPECT_EQ(call(),
              std::string("BOOSTR_INTERNAL: function 'test_function': its "
                          "description of its ") +
                  invalid.part + " is not valid");
  }
}

TEST_F(Call, negative_missing_code) {
  function.raw.packed = nullptr;
  EXPECT_EQ(call(), "BOOSTR_INTERNAL: function: its description has no code "
                    "('packed' is null)");
}

TEST_F(Call, negative_missing_shapes) {
  function.raw.shapes = nullptr;
  EXPECT_EQ(call(), "BOOSTR_INTERNAL: function: its description lacks "
                    "'shapes', which dynamic outputs need");
}

TEST_F(Call, negative_index_of_constraint) {
  function.raw.shapes = [](const int64_t *, int64_t *) -> int64_t { return 2; };
  EXPECT_EQ(call(), "BOOSTR_INTERNAL: function: expected the index of one of "
                    "its 1 constraints from 'shapes', got 1");
}

TEST_F(Call, negative_invoke_without_descriptors) {
  EXPECT_EQ(outcome(boostr_invoke(nullptr, &function.raw, nullptr)),
            "BOOSTR_INVALID_ARGUMENT: descriptors: expected an array, got a "
            "null pointer");
  EXPECT_EQ(outcome(boostr_invoke(nullptr, nullptr, nullptr)),
            "BOOSTR_INVALID_ARGUMENT: function: expected a compiled function, "
            "got a null pointer");
}

//===----------------------------------------------------------------------===//
// Calls from compiled code
//===----------------------------------------------------------------------===//

TEST_F(Call, from_inside_invocation) {
  boostr_status inner = BOOSTR_INTERNAL;
  const DLTensor *inputs[] = {&input.dl, &weight.dl};
  const DLTensor *outputs[] = {&result.dl};
  ASSERT_EQ(invoke(context.get(),
                   [&] {
                     inner = boostr_call(nullptr, &function.raw, inputs, 2,
                                         outputs, 1);
                   }),
            BOOSTR_OK);
  EXPECT_EQ(inner, BOOSTR_OK);
  EXPECT_EQ(result.as<float>()[5], 22);
}
