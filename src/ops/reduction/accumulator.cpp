// SPDX-License-Identifier: Apache-2.0
#include "ops/reduction/accumulator.h"

#include <cstring>

namespace tilewise::ops {

namespace {

bool is_floating(DType type) { return type >= DType::fp16; }

}  // namespace

const char* identity_literal(const char* identity, DType type) {
  if (std::strcmp(identity, "lowest") == 0)
    return is_floating(type) ? "float('-inf')" : type == DType::i64 ? "-(2**63)" : "-(2**31)";
  if (std::strcmp(identity, "highest") == 0)
    return is_floating(type) ? "float('inf')" : type == DType::i64 ? "2**63 - 1" : "2**31 - 1";
  return identity;
}

DType accumulator_type(Accumulator::Type type, DType compute, bool has_wide_index) {
  switch (type) {
    case Accumulator::index:
      return has_wide_index ? DType::i64 : DType::i32;
    case Accumulator::i32:
      return DType::i32;
    case Accumulator::i64:
      return DType::i64;
    default:
      return compute;
  }
}

void add_size(runtime::ArgumentPack& pack, int64_t value) {
  if (value == 1)
    pack.integer(value);
  else
    pack.stride(value);
}

void add_sizes(runtime::ArgumentPack& pack, const DimensionList& dimensions, size_t from,
               size_t to) {
  for (size_t d = from; d < to; ++d) add_size(pack, dimensions[dimensions.size() - 1 - d].size);
}

void add_strides(runtime::ArgumentPack& pack, const DimensionList& dimensions, size_t view) {
  for (size_t d = dimensions.size(); d-- > 0;) pack.stride(dimensions[d].strides[view]);
}

int64_t numel(const DimensionList& dimensions) {
  int64_t product = 1;
  for (const Dimension& dimension : dimensions) product *= dimension.size;
  return product;
}

}  // namespace tilewise::ops
