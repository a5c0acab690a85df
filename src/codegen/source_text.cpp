// SPDX-License-Identifier: Apache-2.0
#include "codegen/source_text.h"

#include <algorithm>

namespace tilewise::codegen {

std::string type_expression(runtime::DType dtype) {
  using runtime::DType;
  switch (dtype) {
    case DType::i1:
      return "tl.int1";
    case DType::i8:
      return "tl.int8";
    case DType::i16:
      return "tl.int16";
    case DType::i32:
      return "tl.int32";
    case DType::i64:
      return "tl.int64";
    case DType::u8:
      return "tl.uint8";
    case DType::u16:
      return "tl.uint16";
    case DType::u32:
      return "tl.uint32";
    case DType::u64:
      return "tl.uint64";
    case DType::fp16:
      return "tl.float16";
    case DType::bf16:
      return "tl.bfloat16";
    case DType::fp32:
      return "tl.float32";
    case DType::fp64:
      return "tl.float64";
    case DType::fp8e4nv:
      return "tl.float8e4nv";
    case DType::fp8e5:
      return "tl.float8e5";
  }
  return {};
}

std::string dotted(std::string module) {
  std::replace(module.begin(), module.end(), '/', '.');
  return module;
}

std::string join(const std::vector<std::string>& parts) {
  std::string text;
  for (const auto& part : parts) text += (text.empty() ? "" : ", ") + part;
  return text;
}

}  // namespace tilewise::codegen
