// SPDX-License-Identifier: Apache-2.0
#include "codegen/foreach_source.h"

#include <algorithm>
#include <sstream>

#include "codegen/source_text.h"

namespace tilewise::codegen {
namespace {

std::string numbered(const char* prefix, size_t i) { return prefix + std::to_string(i); }

// Loads, computes and stores one block; `mask` is empty where the block is full.
void write_block(std::ostringstream& out, const ScalarFunction& function,
                 std::span<const ForeachArgument> arguments, const std::string& mask) {
  const std::string indent = "        ";
  std::string call;
  out << indent << "index = start + tl.arange(0, BLOCK)\n";
  for (size_t i = 0; i < arguments.size(); ++i) {
    call += numbered(i == 0 ? "x" : ", x", i);
    if (arguments[i] == ForeachArgument::tensors)
      out << indent << numbered("x", i) << " = tl.load(" << numbered("in", i) << " + index" << mask
          << ").to(ACC)\n";
  }
  out << indent << "y = " << function.name << "(" << call << function.literals << ")\n"
      << indent << "tl.store(out + index, y.to(DTYPE)" << mask << ")\n";
}

}  // namespace

std::string foreach_source(const ScalarFunction& function,
                           std::span<const ForeachArgument> arguments) {
  std::ostringstream out;
  out << "import triton\nimport triton.language as tl\n"
      << "from common.tensor_table import address, find_chunk, listed_number\n"
      << "from " << dotted(function.module) << " import " << function.name << "\n\n\n"
      << "@triton.jit\ndef kernel(table, chunk_map, chunk, ";
  for (size_t i = 0; i < arguments.size(); ++i)
    if (arguments[i] == ForeachArgument::number || arguments[i] == ForeachArgument::tensor)
      out << numbered("in", i) << ", ";
  out << "DTYPE: tl.constexpr, ACC: tl.constexpr, ALIGNED: tl.constexpr, BLOCK: tl.constexpr):\n";
  const auto lists = std::count(arguments.begin(), arguments.end(), ForeachArgument::tensors);
  out << "    row, first, last = find_chunk(table, chunk_map, chunk, " << 4 + lists << ")\n"
      << "    out = address(row, 3, DTYPE, ALIGNED)\n";
  int column = 4;
  for (size_t i = 0; i < arguments.size(); ++i) {
    out << "    ";
    switch (arguments[i]) {
      case ForeachArgument::tensors:
        out << numbered("in", i) << " = address(row, " << column++ << ", DTYPE, ALIGNED)\n";
        break;
      case ForeachArgument::number:
        out << numbered("x", i) << " = " << numbered("in", i) << ".to(ACC)\n";
        break;
      case ForeachArgument::numbers:
        out << numbered("x", i) << " = listed_number(row, ACC)\n";
        break;
      case ForeachArgument::tensor:
        out << numbered("x", i) << " = tl.load(" << numbered("in", i) << ").to(ACC)\n";
        break;
    }
  }
  // Full blocks need no mask, whatever the sizes of the tensors.
  out << "    full = first + (last - first) // BLOCK * BLOCK\n"
      << "    for start in range(first, full, BLOCK):\n";
  write_block(out, function, arguments, "");
  out << "    for start in range(full, last, BLOCK):\n";
  write_block(out, function, arguments, ", mask=index < last");
  return out.str();
}

std::string foreach_name(const ScalarFunction& function,
                         std::span<const ForeachArgument> arguments) {
  static constexpr const char* kWords[] = {"_tensors", "_number", "_numbers", "_tensor"};
  std::string name = "foreach_" + function.name;
  for (const ForeachArgument argument : arguments) name += kWords[static_cast<size_t>(argument)];
  return name;
}

}  // namespace tilewise::codegen
