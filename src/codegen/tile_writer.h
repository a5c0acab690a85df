// SPDX-License-Identifier: Apache-2.0
// What the generators of reductions and scans have in common: tiles of KEPT results x LANES
// elements, of which either is the last axis, and the addresses of any number of dimensions.
#pragma once

#include <sstream>
#include <string>
#include <vector>

#include "codegen/source_text.h"

namespace tilewise::codegen {

using Names = std::vector<std::string>;

// "prefix3".
std::string numbered(const char* prefix, int i);
// {"prefix0", "prefix1", ...}.
Names numbered_list(const char* prefix, int count);

class TileWriter {
 protected:
  // `lanes_are_last`: see Note [Reduction tiles].
  explicit TileWriter(bool lanes_are_last) : lanes_are_last_(lanes_are_last) {}

  std::string tile_shape() const { return lanes_are_last_ ? "(KEPT, LANES)" : "(LANES, KEPT)"; }
  const char* lane_axis() const { return lanes_are_last_ ? "1" : "0"; }
  // A vector along the lanes or along the results, as part of a tile.
  std::string lanes(const std::string& text) const {
    return text + (lanes_are_last_ ? "[None, :]" : "[:, None]");
  }
  std::string results(const std::string& text) const {
    return text + (lanes_are_last_ ? "[:, None]" : "[None, :]");
  }
  static std::string wide(const std::string& text) { return "tl.cast(" + text + ", tl.int64)"; }

  // "a0" or "(a0, a1)": what tl.reduce and tl.associative_scan take.
  static std::string tuple(const Names& names) {
    return names.size() == 1 ? names[0] : "(" + join(names) + ")";
  }

  void line(const std::string& text) { out_ << std::string(depth_ * 4, ' ') << text << "\n"; }

  // Imports and "def kernel(parameters):"; empty names of functions are left out.
  void write_head(const std::string& module, const Names& functions, const Names& parameters);

  // "prefix0 * view_kind0 + ..." over dimensions [from, to).
  static std::string offset(const std::string& view, const char* kind, const char* prefix, int from,
                            int to);

  // Splits `rest` over dimensions [from, to), of which the last takes what is left.
  void write_decomposition(std::string rest, const char* prefix, const char* sizes, int from,
                           int to);

  // How many kept_size parameters write_kept() reads.
  static int kept_sizes(int rank, bool lanes_are_last);

  // kept_mask and k0, k1, ...: the program's results. `position`: their number among all.
  void write_kept(int rank, const std::string& program = "tl.program_id(0)");
  std::string kept_position() const {
    return lanes_are_last_ ? "row" : "(program // blocks) * kept_size0 + column";
  }

  const bool lanes_are_last_;
  std::ostringstream out_;
  size_t depth_ = 1;
};

}  // namespace tilewise::codegen
