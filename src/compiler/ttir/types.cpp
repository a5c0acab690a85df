// SPDX-License-Identifier: Apache-2.0
#include "compiler/ttir/types.h"

namespace tilewise::compiler {

int bit_width(ScalarKind kind) {
  constexpr int kBits[] = {0, 1, 8, 16, 32, 64, 64, 8, 8, 8, 8, 16, 16, 32, 64, 64};
  return kBits[static_cast<int>(kind)];
}

ScalarKind integer_of_width(int bits) {
  switch (bits) {
    case 8:
      return ScalarKind::i8;
    case 16:
      return ScalarKind::i16;
    case 32:
      return ScalarKind::i32;
    default:
      return ScalarKind::i64;
  }
}

int storage_bytes(ScalarKind kind) { return (bit_width(kind) + 7) / 8; }

const char* kind_name(ScalarKind kind) {
  constexpr const char* kNames[] = {
      "none",   "i1",         "i8",         "i16", "i32",  "i64", "index", "f8E4M3FN",
      "f8E5M2", "f8E4M3FNUZ", "f8E5M2FNUZ", "f16", "bf16", "f32", "f64",   "ptr"};
  return kNames[static_cast<int>(kind)];
}

std::string to_string(const Type& type) {
  std::string scalar = type.kind == ScalarKind::pointer
                           ? std::string("!tt.ptr<") + kind_name(type.pointee) + ">"
                           : kind_name(type.kind);
  if (!type.is_tensor) return scalar;
  std::string text = "tensor<";
  for (int64_t extent : type.shape) text += std::to_string(extent) + "x";
  return text + scalar + ">";
}

}  // namespace tilewise::compiler
