// SPDX-License-Identifier: Apache-2.0
#include "ops/foreach/tensor_table.h"

#include <ATen/ops/empty.h>
#include <c10/core/impl/VirtualGuardImpl.h>

#include <algorithm>
#include <array>
#include <bit>
#include <memory>
#include <vector>

#include "dispatch/refusal.h"
#include "dispatch/scope.h"
#include "ops/framework/gpu_symbols.h"
#include "ops/framework/launch.h"
#include "ops/framework/output.h"

namespace tilewise::ops {
namespace {

constexpr int64_t kCpuChunk = 16384;
constexpr int64_t kGpuChunk = 8192;
constexpr int64_t kGpuChunks = 16384;  // larger chunks beyond these, so that the table stays small
constexpr int64_t kCpuGrain = 32768;   // elements
constexpr size_t kCachedTables = 64;   // per thread; an AdamW step of one parameter group uses 12

// Table and chunk map behind each other, as they go to the device.
struct Content {
  std::vector<int64_t> words;
  int64_t table_words = 0;
  int64_t chunks = 0;
  bool is_aligned = true;
};

void fill(Content& content, at::ArrayRef<at::TensorList> lists, at::ArrayRef<at::Scalar> numbers,
          int64_t chunk_size) {
  const at::TensorList& first = lists.front();
  content.words.clear();
  content.chunks = 0;
  content.is_aligned = true;
  for (size_t i = 0; i < first.size(); ++i) {
    const int64_t count = first[i].numel();
    content.words.push_back(count);
    content.words.push_back(content.chunks);
    content.words.push_back(numbers.empty() ? 0 : std::bit_cast<int64_t>(numbers[i].toDouble()));
    for (const at::TensorList& list : lists) {
      const auto address = reinterpret_cast<int64_t>(list[i].const_data_ptr());
      content.words.push_back(address);
      content.is_aligned &= address % 16 == 0;
    }
    content.chunks += ceil_div(count, chunk_size);
  }
  // The map begins at a multiple of 16 bytes, so that its alignment is no trait of the call.
  if (content.words.size() % 2 != 0) content.words.push_back(0);
  content.table_words = static_cast<int64_t>(content.words.size());
  // Two int32 to a word; little endian on every target.
  uint64_t pair = 0;
  int64_t chunk = 0;
  for (size_t i = 0; i < first.size(); ++i)
    for (int64_t n = ceil_div(first[i].numel(), chunk_size); n > 0; --n, ++chunk) {
      pair |= static_cast<uint64_t>(i) << (chunk % 2 * 32);
      if (chunk % 2 == 1) {
        content.words.push_back(static_cast<int64_t>(pair));
        pair = 0;
      }
    }
  content.words.push_back(static_cast<int64_t>(pair));
}

// Our operators are not meant for the copy to the device, and its fallback would be counted.
class StockOperators {
 public:
  StockOperators() {
    static const auto off = [] {
      auto scope = std::make_shared<dispatch::Scope>();
      scope->off = true;
      return scope;
    }();
    dispatch::push_scope(off);
  }
  ~StockOperators() { dispatch::pop_scope(); }
  StockOperators(const StockOperators&) = delete;
  StockOperators& operator=(const StockOperators&) = delete;
};

// A graph would record the copy from host memory that is reused afterwards.
void refuse_while_capturing(void* stream) {
  using IsCapturing = int (*)(void*, int*);
  static const auto is_capturing =
      reinterpret_cast<IsCapturing>(find_gpu_symbol("cudaStreamIsCapturing"));
  int status = 0;
  if (is_capturing == nullptr || is_capturing(stream, &status) != 0 || status != 0)
    throw dispatch::Refusal{"foreach operator in a captured graph"};
}

at::Tensor copy_to_device(const std::vector<int64_t>& words, c10::Device device) {
  const StockOperators stock;
  const auto count = static_cast<int64_t>(words.size());
  // Pinned memory is given back to PyTorch's allocator, which waits for the copy to end.
  const at::Tensor host =
      at::empty({count}, at::TensorOptions().dtype(at::kLong).pinned_memory(true));
  std::copy(words.begin(), words.end(), host.mutable_data_ptr<int64_t>());
  return host.to(device, /*non_blocking=*/true);
}

struct CachedTable {
  std::vector<int64_t> words;
  c10::Device device{c10::kCPU};
  c10::StreamId stream = 0;
  at::Tensor tensor;
};

// The device's copy. Never freed at exit, when CUDA may be gone.
at::Tensor find_on_device(const Content& content, c10::Device device) {
  thread_local auto* cache = new std::array<CachedTable, kCachedTables>;
  thread_local size_t next = 0;
  const c10::impl::VirtualGuardImpl guard(device.type());
  const c10::Stream stream = guard.getStream(device);
  for (const CachedTable& entry : *cache)
    if (entry.device == device && entry.stream == stream.id() && entry.words == content.words)
      return entry.tensor;
  CachedTable& entry = (*cache)[next++ % kCachedTables];
  entry = {content.words, device, stream.id(), copy_to_device(content.words, device)};
  return entry.tensor;
}

}  // namespace

TensorTable::TensorTable(at::ArrayRef<at::TensorList> lists, at::ArrayRef<at::Scalar> numbers) {
  const c10::Device device = lists.front()[0].device();
  int64_t elements = 0;
  for (const at::Tensor& tensor : lists.front()) elements += tensor.numel();
  chunk_size_ = device.is_cpu()
                    ? kCpuChunk
                    : ceil_div(std::max(elements / kGpuChunks, kGpuChunk), kGpuChunk) * kGpuChunk;
  thread_local Content content;
  fill(content, lists, numbers, chunk_size_);
  chunks_ = content.chunks;
  table_words_ = content.table_words;
  is_aligned_ = content.is_aligned;
  grain_ = std::max<int64_t>(1, chunks_ * kCpuGrain / std::max<int64_t>(elements, 1));
  if (device.is_cpu()) {
    table_ = allocate_output({static_cast<int64_t>(content.words.size())}, {},
                             at::TensorOptions().dtype(at::kLong));
    std::copy(content.words.begin(), content.words.end(), table_.mutable_data_ptr<int64_t>());
    is_aligned_ = false;  // of no use to the CPU, and it would compile twice
  } else {
    refuse_while_capturing(current_gpu_stream(device.index()));
    table_ = find_on_device(content, device);
  }
}

void TensorTable::add_to(runtime::ArgumentPack& pack) const {
  const int64_t* words = table_.const_data_ptr<int64_t>();
  pack.pointer(words, DType::i64);
  pack.pointer(words + table_words_, DType::i32);
  pack.integer(chunk_size_);
}

namespace {

// Dimensions of size 1 may have any stride.
bool have_same_layout(const at::Tensor& a, const at::Tensor& b) {
  if (a.sizes() != b.sizes()) return false;
  if (a.strides() == b.strides()) return true;
  for (int64_t d = 0; d < a.dim(); ++d)
    if (a.size(d) != 1 && a.stride(d) != b.stride(d)) return false;
  return true;
}

struct Extent {
  uintptr_t begin;
  uintptr_t end;
  size_t index;
  bool is_written;
  bool operator<(const Extent& other) const { return begin < other.begin; }
};

}  // namespace

const char* refuse_lists(at::ArrayRef<at::TensorList> lists) {
  const at::TensorList& first = lists.front();
  if (first.empty()) return "foreach of no tensors";
  const at::ScalarType dtype = first[0].scalar_type();
  if (!at::isFloatingType(dtype)) return "foreach of a dtype that is not floating";
  for (const at::TensorList& list : lists) {
    if (list.size() != first.size()) return "foreach lists of different lengths";
    for (size_t i = 0; i < list.size(); ++i) {
      if (list[i].scalar_type() != dtype) return "foreach of several dtypes";
      if (!have_same_layout(list[i], first[i])) return "foreach tensors of different layouts";
      if (!list[i].is_non_overlapping_and_dense()) return "foreach of a tensor with gaps";
    }
  }
  return nullptr;
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
