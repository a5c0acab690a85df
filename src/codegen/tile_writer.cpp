// SPDX-License-Identifier: Apache-2.0
#include "codegen/tile_writer.h"

#include <algorithm>
#include <set>

namespace tilewise::codegen {

std::string numbered(const char* prefix, int i) { return prefix + std::to_string(i); }

Names numbered_list(const char* prefix, int count) {
  Names list;
  for (int i = 0; i < count; ++i) list.push_back(numbered(prefix, i));
  return list;
}

void TileWriter::write_head(const std::string& module, const Names& functions,
                            const Names& parameters) {
  std::set<std::string> imports(functions.begin(), functions.end());
  imports.erase("");
  out_ << "import triton\nimport triton.language as tl\nfrom " << dotted(module) << " import "
       << join({imports.begin(), imports.end()}) << "\n\n\n"
       << "@triton.jit\ndef kernel(" << join(parameters) << "):\n";
}

std::string TileWriter::offset(const std::string& view, const char* kind, const char* prefix,
                               int from, int to) {
  std::string text;
  for (int d = from; d < to; ++d)
    text += (d == from ? "" : " + ") + numbered(prefix, d) + " * " + view + numbered(kind, d);
  return text.empty() ? "0" : text;
}

void TileWriter::write_decomposition(std::string rest, const char* prefix, const char* sizes,
                                     int from, int to) {
  for (int d = from; d < to; ++d) {
    const bool last = d + 1 == to;
    line(numbered(prefix, d) + " = " + rest + (last ? "" : " % " + numbered(sizes, d)));
    if (!last) line(numbered(prefix, d) + "_rest = " + rest + " // " + numbered(sizes, d));
    rest = numbered(prefix, d) + "_rest";
  }
}

int TileWriter::kept_sizes(int rank, bool lanes_are_last) {
  return lanes_are_last ? rank - 1 : std::max(1, rank - 1);
}

void TileWriter::write_kept(int rank, const std::string& program) {
  line("program = " + program + ".to(tl.int64)");
  if (lanes_are_last_) {
    line("row = program * KEPT + tl.arange(0, KEPT)");
    line("kept_mask = row < kept");
    // Rows beyond the last read it once more: no mask in the loops.
    line("kept_index = tl.minimum(row, kept - 1)");
    write_decomposition("kept_index", "k", "kept_size", 0, rank);
    return;
  }
  line("blocks = tl.cdiv(kept_size0, KEPT)");
  line("column = (program % blocks).to(tl.int32) * KEPT + tl.arange(0, KEPT)");
  line("kept_mask = column < kept_size0");
  line("k0 = column.to(tl.int64)");
  if (rank > 1) write_decomposition("(program // blocks)", "k", "kept_size", 1, rank);
}

}  // namespace tilewise::codegen
