// RUN: boostr-opt %s --boostr-lower-expand-shapes | FileCheck %s

// CHECK-LABEL: func.func @tokens
// CHECK-SAME:    %[[FLAT:.*]]: memref<?x32xf32>, %[[BATCH:.*]]: index, %[[TOKENS:.*]]: index
// CHECK:         %[[BASE:.*]], %{{.*}}, %{{.*}}, %{{.*}} = memref.extract_strided_metadata %[[FLAT]]
// CHECK:         %[[STRIDE:.*]] = affine.apply
// CHECK:         memref.reinterpret_cast %[[BASE]] to offset: [0], sizes: [%[[BATCH]], %[[TOKENS]], 32], strides: [%[[STRIDE]], 32, 1]
func.func @tokens(%flat: memref<?x32xf32>, %batch: index, %tokens: index) -> memref<?x?x32xf32> {
  %0 = memref.expand_shape %flat [[0, 1], [2]] output_shape [%batch, %tokens, 32]
      : memref<?x32xf32> into memref<?x?x32xf32>
  return %0 : memref<?x?x32xf32>
}

// CHECK-LABEL: func.func @untouched
// CHECK:         memref.expand_shape
func.func @untouched(%flat: memref<?x32xf32>, %tokens: index) -> memref<?x4x32xf32> {
  %0 = memref.expand_shape %flat [[0, 1], [2]] output_shape [%tokens, 4, 32]
      : memref<?x32xf32> into memref<?x4x32xf32>
  return %0 : memref<?x4x32xf32>
}
