// SPDX-License-Identifier: Apache-2.0
#include "ops/foreach/tensor_table.h"

#include <ATen/ops/empty.h>
#include <c10/core/impl/VirtualGuardImpl.h>

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
constexpr size_t kCachedTables = 64;  // per thread; an AdamW step of one parameter group uses 12

// Table and chunk map behind each other, as they go to the device.
struct Content {
  std::vector<int64_t> words;
  int64_t table_words = 0;
  int64_t chunks = 0;
  bool is_aligned = true;
};

void fill(Content& content, std::initializer_list<at::TensorList> lists,
          at::ArrayRef<at::Scalar> scalars, int64_t chunk_size) {
  const at::TensorList& first = *lists.begin();
  const auto columns = static_cast<int64_t>(3 + lists.size());
  content.words.clear();
  content.chunks = 0;
  content.is_aligned = true;
  for (size_t i = 0; i < first.size(); ++i) {
    const int64_t count = first[i].numel();
    content.words.push_back(count);
    content.words.push_back(content.chunks);
    content.words.push_back(scalars.empty() ? 0 : std::bit_cast<int64_t>(scalars[i].toDouble()));
    content.is_aligned &= count % 16 == 0;
    for (const at::TensorList& list : lists) {
      const auto address = reinterpret_cast<int64_t>(list[i].const_data_ptr());
      content.words.push_back(address);
      content.is_aligned &= address % 16 == 0;
    }
    content.chunks += ceil_div(count, chunk_size);
  }
  content.table_words = static_cast<int64_t>(first.size()) * columns;
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
  const at::Tensor host = at::empty({count}, at::TensorOptions().dtype(at::kLong).pinned_memory(true));
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

TensorTable::TensorTable(std::initializer_list<at::TensorList> lists,
                         at::ArrayRef<at::Scalar> scalars) {
  const c10::Device device = (*lists.begin())[0].device();
  chunk_size_ = device.is_cpu() ? kCpuChunk : kGpuChunk;
  thread_local Content content;
  fill(content, lists, scalars, chunk_size_);
  chunks_ = content.chunks;
  is_aligned_ = content.is_aligned;
  at::Tensor words;
  if (device.is_cpu()) {
    words = allocate_output({static_cast<int64_t>(content.words.size())}, {},
                            at::TensorOptions().dtype(at::kLong));
    std::copy(content.words.begin(), content.words.end(), words.mutable_data_ptr<int64_t>());
  } else {
    refuse_while_capturing(current_gpu_stream(device.index()));
    words = find_on_device(content, device);
  }
  chunk_map_ = words.slice(0, content.table_words).view(at::kInt);
  table_ = std::move(words);
}

const char* refuse_lists(std::initializer_list<at::TensorList> lists) {
  const at::TensorList& first = *lists.begin();
  if (first.empty()) return "foreach of no tensors";
  const at::ScalarType dtype = first[0].scalar_type();
  if (!at::isFloatingType(dtype)) return "foreach of a dtype that is not floating";
  for (const at::TensorList& list : lists) {
    if (list.size() != first.size()) return "foreach lists of different lengths";
    for (size_t i = 0; i < list.size(); ++i) {
      if (list[i].scalar_type() != dtype) return "foreach of several dtypes";
      if (list[i].sizes() != first[i].sizes() || list[i].strides() != first[i].strides())
        return "foreach tensors of different layouts";
      if (!list[i].is_non_overlapping_and_dense()) return "foreach of a tensor with gaps";
    }
  }
  return nullptr;
}

}  // namespace tilewise::ops
