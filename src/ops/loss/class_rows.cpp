// SPDX-License-Identifier: Apache-2.0
#include "ops/loss/class_rows.h"

#include <c10/util/SmallVector.h>

namespace tilewise::ops {
namespace {

template <class Index>
bool is_any_foreign(const at::Tensor& target, int64_t classes, int64_t ignore_index) {
  const Index* data = target.const_data_ptr<Index>();
  bool found = false;
  const auto look = [&](int64_t offset) {
    const auto value = static_cast<int64_t>(data[offset]);
    // One comparison, as unsigned numbers: a negative one is no class either.
    found |=
        (value != ignore_index) & (static_cast<uint64_t>(value) >= static_cast<uint64_t>(classes));
  };
  if (target.is_contiguous()) {
    for (int64_t i = 0; i < target.numel(); ++i) look(i);
    return found;
  }
  // As many dimensions as there are: positions count through them like the digits of a number.
  c10::SmallVector<int64_t, 8> position(static_cast<size_t>(target.dim()), 0);
  int64_t offset = 0;
  for (int64_t i = 0; i < target.numel(); ++i) {
    look(offset);
    for (int64_t d = target.dim() - 1; d >= 0; --d) {
      offset += target.stride(d);
      if (++position[static_cast<size_t>(d)] < target.size(d)) break;
      offset -= target.stride(d) * target.size(d);
      position[static_cast<size_t>(d)] = 0;
    }
  }
  return found;
}

}  // namespace

bool has_foreign_target(const at::Tensor& target, int64_t classes, int64_t ignore_index) {
  if (!target.is_cpu()) return false;
  return target.scalar_type() == at::kLong ? is_any_foreign<int64_t>(target, classes, ignore_index)
                                           : is_any_foreign<uint8_t>(target, classes, ignore_index);
}

}  // namespace tilewise::ops
