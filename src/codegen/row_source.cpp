// SPDX-License-Identifier: Apache-2.0
#include "codegen/row_source.h"

#include "codegen/tile_writer.h"

namespace tilewise::codegen {
namespace {

class RowWriter : private TileWriter {
 public:
  explicit RowWriter(const RowVariant& variant)
      : TileWriter(variant.lanes_are_last), variant_(variant) {}

  std::string write(const std::string& module, const std::string& function) {
    const Names tensors = numbered_list("in", variant_.tensors);
    write_head(module, {function}, parameters(tensors));
    write_kept(variant_.kept_rank);
    line("lane = " + lanes("tl.arange(0, LANES)"));
    Names arguments;
    for (const std::string& tensor : tensors) {
      line(tensor + "_base = " + tensor + " + " +
           results("(" + offset(tensor, "_kept", "k", 0, variant_.kept_rank) + ")") +
           " + lane.to(tl.int64) * " + tensor + "_stride");
      arguments.push_back(tensor + "_base");
    }
    arguments.insert(arguments.end(), {"lane", results("kept_mask"), "length"});
    for (const std::string& tensor : tensors) arguments.push_back(tensor + "_stride");
    for (int i = 0; i < variant_.scalars; ++i) arguments.push_back(numbered("s", i));
    line(function + "(" + join(arguments) + ", " + lane_axis() + ", LANES" + variant_.literals +
         ")");
    return out_.str();
  }

 private:
  Names parameters(const Names& tensors) const {
    Names list = tensors;
    for (int i = 0; i < variant_.scalars; ++i) list.push_back(numbered("s", i));
    list.push_back("kept");
    const int sizes = kept_sizes(variant_.kept_rank, lanes_are_last_);
    for (int d = 0; d < sizes; ++d) list.push_back(numbered("kept_size", d));
    for (const std::string& tensor : tensors)
      for (int d = 0; d < variant_.kept_rank; ++d) list.push_back(tensor + numbered("_kept", d));
    list.push_back("length");
    for (const std::string& tensor : tensors) list.push_back(tensor + "_stride");
    list.insert(list.end(), {"KEPT: tl.constexpr", "LANES: tl.constexpr"});
    return list;
  }

  const RowVariant& variant_;
};

}  // namespace

std::string row_source(const std::string& module, const std::string& function,
                       const RowVariant& variant) {
  return RowWriter(variant).write(module, function);
}

}  // namespace tilewise::codegen
