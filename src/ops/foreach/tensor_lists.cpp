// SPDX-License-Identifier: Apache-2.0
#include "ops/foreach/tensor_lists.h"

#include <algorithm>
#include <vector>

#include "ops/framework/pointwise.h"

namespace tilewise::ops {
namespace {

struct Extent {
  uintptr_t begin;
  uintptr_t end;
  size_t index;
  bool is_written;
  bool operator<(const Extent& other) const { return begin < other.begin; }
};

}  // namespace

bool have_same_layout(const at::Tensor& a, const at::Tensor& b) {
  if (a.sizes() != b.sizes()) return false;
  if (a.strides() == b.strides()) return true;
  for (int64_t d = 0; d < a.dim(); ++d)
    if (a.size(d) != 1 && a.stride(d) != b.stride(d)) return false;
  return true;
}

const char* refuse_lists(at::ArrayRef<at::TensorList> lists, uint8_t dtypes) {
  const at::TensorList& first = lists.front();
  if (first.empty()) return "foreach of no tensors";
  for (const at::TensorList& list : lists)
    if (list.size() != first.size()) return "foreach lists of different lengths";
  at::ScalarType allowed = at::ScalarType::Undefined;
  for (size_t i = 0; i < first.size(); ++i) {
    const at::ScalarType dtype = first[i].scalar_type();
    if (dtype != allowed && (dtypes & class_of(dtype)) == 0)
      return "foreach of a dtype that is promoted or has no kernel";
    allowed = dtype;
    for (const at::TensorList& list : lists) {
      if (list[i].scalar_type() != dtype) return "foreach operands of different dtypes";
      if (!have_same_layout(list[i], first[i])) return "foreach tensors of different layouts";
      if (!list[i].is_non_overlapping_and_dense()) return "foreach of a tensor with gaps";
    }
  }
  return nullptr;
}

bool is_of_one_dtype(at::TensorList tensors) {
  for (const at::Tensor& tensor : tensors)
    if (tensor.scalar_type() != tensors[0].scalar_type()) return false;
  return true;
}

void for_each_dtype(
    at::ArrayRef<at::TensorList> lists,
    c10::function_ref<void(at::ArrayRef<at::TensorList>, at::ArrayRef<size_t>)> visit) {
  const at::TensorList& first = lists.front();
  std::vector<bool> done(first.size());
  for (size_t begin = 0; begin < first.size(); ++begin) {
    if (done[begin]) continue;
    std::vector<size_t> members;
    for (size_t i = begin; i < first.size(); ++i)
      if (first[i].scalar_type() == first[begin].scalar_type()) {
        members.push_back(i);
        done[i] = true;
      }
    std::vector<std::vector<at::Tensor>> columns(lists.size());
    std::vector<at::TensorList> group;
    for (size_t c = 0; c < lists.size(); ++c) {
      for (const size_t i : members) columns[c].push_back(lists[c][i]);
      group.emplace_back(columns[c]);
    }
    visit(group, members);
  }
}

const char* refuse_overlap(at::TensorList out, at::ArrayRef<at::TensorList> lists) {
  thread_local std::vector<Extent> extents;
  extents.clear();
  const auto add = [&](const at::Tensor& tensor, size_t index, bool is_written) {
    const auto begin = reinterpret_cast<uintptr_t>(tensor.const_data_ptr());
    if (tensor.nbytes() != 0)
      extents.push_back({begin, begin + tensor.nbytes(), index, is_written});
  };
  for (size_t i = 0; i < out.size(); ++i) {
    add(out[i], i, true);
    for (const at::TensorList& list : lists)
      if (list[i].const_data_ptr() != out[i].const_data_ptr()) add(list[i], i, false);
  }
  std::sort(extents.begin(), extents.end());
  // Read extents may overlap each other; only what is written must be alone.
  uintptr_t read_end = 0;
  uintptr_t written_end = 0;
  for (const Extent& extent : extents) {
    if (extent.begin < written_end || (extent.is_written && extent.begin < read_end))
      return "foreach tensors share memory";
    uintptr_t& end = extent.is_written ? written_end : read_end;
    end = std::max(end, extent.end);
  }
  return nullptr;
}

}  // namespace tilewise::ops
