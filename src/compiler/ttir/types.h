// SPDX-License-Identifier: Apache-2.0
// Types of Triton IR: a scalar, or a tensor of scalars with a static shape.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace tilewise::compiler {

// "pointer" is a pointer to global memory; what it points to is Type::pointee.
enum class ScalarKind : uint8_t {
  none,
  i1,
  i8,
  i16,
  i32,
  i64,
  index,
  f8e4m3,
  f8e5m2,
  f8e4m3fnuz,
  f8e5m2fnuz,
  f16,
  bf16,
  f32,
  f64,
  pointer
};

inline bool is_float(ScalarKind kind) {
  return kind >= ScalarKind::f8e4m3 && kind <= ScalarKind::f64;
}
inline bool is_float8(ScalarKind kind) {
  return kind >= ScalarKind::f8e4m3 && kind <= ScalarKind::f8e5m2fnuz;
}
inline bool is_integer(ScalarKind kind) {
  return kind >= ScalarKind::i1 && kind <= ScalarKind::index;
}

// Bits of the value itself: 1 for i1.
int bit_width(ScalarKind kind);
ScalarKind integer_of_width(int bits);
// Bytes of an element in memory: an i1 takes one byte, as in PyTorch.
int storage_bytes(ScalarKind kind);
const char* kind_name(ScalarKind kind);  // "f32", as MLIR spells it.

struct Type {
  ScalarKind kind = ScalarKind::none;
  ScalarKind pointee = ScalarKind::none;
  bool is_tensor = false;
  std::vector<int64_t> shape;

  int rank() const { return static_cast<int>(shape.size()); }
  int64_t elements() const {
    int64_t count = 1;
    for (int64_t extent : shape) count *= extent;
    return count;
  }
  Type with_kind(ScalarKind other) const { return {other, ScalarKind::none, is_tensor, shape}; }
  Type scalar() const { return {kind, pointee, false, {}}; }
  bool operator==(const Type&) const = default;
};

std::string to_string(const Type& type);  // "tensor<64x32x!tt.ptr<f32>>"

}  // namespace tilewise::compiler
