// SPDX-License-Identifier: Apache-2.0
#include "ops/foreach/tensor_table.h"

#include <ATen/ops/empty.h>
#include <c10/core/impl/VirtualGuardImpl.h>

#include <algorithm>
#include <array>
#include <bit>
#include <memory>
#include <mutex>
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
// Smaller ones where the machine had nothing to do otherwise: a program takes 1024 elements at a
// time, and divisions of numbers near zero are long.
constexpr int64_t kBusyChunks = 264;  // two for each multiprocessor of an H100
constexpr int64_t kSmallestGpuChunk = 1024;
constexpr int64_t kCpuGrain = 32768;  // elements
constexpr size_t kCachedTables = 64;  // per thread; an AdamW step of one parameter group uses 12

int64_t gpu_chunk(int64_t elements) {
  if (elements < kBusyChunks * kGpuChunk)
    return std::clamp(next_power_of_2(elements / kBusyChunks), kSmallestGpuChunk, kGpuChunk);
  return ceil_div(std::max(elements / kGpuChunks, kGpuChunk), kGpuChunk) * kGpuChunk;
}

// The table's rows; the chunk map follows from them.
struct Rows {
  std::vector<int64_t> words;
  int64_t chunks = 0;
  bool is_aligned = true;
};

int64_t number_bits(const at::Scalar& number, at::ScalarType dtype) {
  return at::isIntegralType(dtype, /*includeBool=*/true)
             ? number.to<int64_t>()
             : std::bit_cast<int64_t>(number.toDouble());
}

void fill(Rows& rows, at::ArrayRef<at::TensorList> lists, at::ArrayRef<at::Scalar> numbers,
          at::TensorList cells, int64_t chunk_size) {
  const at::TensorList& first = lists.front();
  rows.words.clear();
  rows.chunks = 0;
  rows.is_aligned = true;
  for (size_t i = 0; i < first.size(); ++i) {
    const int64_t count = first[i].numel();
    rows.words.push_back(count);
    rows.words.push_back(rows.chunks);
    rows.words.push_back(numbers.empty() ? 0 : number_bits(numbers[i], first[i].scalar_type()));
    for (const at::TensorList& list : lists) {
      const auto address = reinterpret_cast<int64_t>(list[i].const_data_ptr());
      rows.words.push_back(address);
      rows.is_aligned &= address % 16 == 0;
    }
    if (!cells.empty()) rows.words.push_back(reinterpret_cast<int64_t>(cells[i].const_data_ptr()));
    rows.chunks += ceil_div(count, chunk_size);
  }
  // The map begins at a multiple of 16 bytes, so that its alignment is no trait of the call.
  if (rows.words.size() % 2 != 0) rows.words.push_back(0);
}

size_t map_words(int64_t chunks) { return static_cast<size_t>(chunks / 2 + 1); }

// The chunk map, two int32 to a word; little endian on every target.
void write_map(int64_t* out, at::TensorList tensors, int64_t chunk_size) {
  uint64_t pair = 0;
  int64_t chunk = 0;
  for (size_t i = 0; i < tensors.size(); ++i)
    for (int64_t n = ceil_div(tensors[i].numel(), chunk_size); n > 0; --n, ++chunk) {
      pair |= static_cast<uint64_t>(i) << (chunk % 2 * 32);
      if (chunk % 2 == 1) {
        *out++ = static_cast<int64_t>(pair);
        pair = 0;
      }
    }
  *out = static_cast<int64_t>(pair);
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

bool is_capturing(void* stream) {
  using IsCapturing = int (*)(void*, int*);
  static const auto ask = reinterpret_cast<IsCapturing>(find_gpu_symbol("cudaStreamIsCapturing"));
  int status = 0;
  if (ask == nullptr || ask(stream, &status) != 0)
    throw dispatch::Refusal{"foreach: PyTorch's CUDA runtime is not accessible"};
  return status != 0;
}

at::Tensor pinned_words(size_t count) {
  const StockOperators stock;
  return at::empty({static_cast<int64_t>(count)},
                   at::TensorOptions().dtype(at::kLong).pinned_memory(true));
}

// Note [Tables of captured graphs]
// A graph that is replayed repeats the copy of the table to the device, so the copy's source must
// live and stay unchanged as long as the graph does, which nobody tells us. Such sources are cut
// off a block of pinned memory and never given back. The block is allocated by the first call
// outside of a capture (a warm-up run precedes every capture), because pinning memory is not
// allowed inside of one.
class GraphSources {
 public:
  static GraphSources& instance() {
    static auto* const sources = new GraphSources;
    return *sources;
  }

  // Outside of a capture: makes sure that there is room for later ones.
  void reserve() {
    const std::lock_guard lock(mutex_);
    if (block_.defined() && block_words() - used_ >= kBlockWords / 2) return;
    block_ = pinned_words(kBlockWords);
    kept_.push_back(block_);
    used_ = 0;
  }

  int64_t* take(size_t count) {
    const std::lock_guard lock(mutex_);
    if (!block_.defined() || block_words() - used_ < count)
      throw dispatch::Refusal{"foreach: no pinned memory left for tables of captured graphs"};
    int64_t* const begin = block_.mutable_data_ptr<int64_t>() + used_;
    used_ += count;
    return begin;
  }

 private:
  static constexpr size_t kBlockWords = size_t{1} << 19;  // 4 MiB: some 50 optimizer steps
  size_t block_words() const { return static_cast<size_t>(block_.numel()); }

  std::mutex mutex_;
  at::Tensor block_;
  std::vector<at::Tensor> kept_;  // older blocks, which graphs may read
  size_t used_ = 0;
};

void copy_async(void* target, const void* source, size_t bytes, void* stream) {
  using Copy = int (*)(void*, const void*, size_t, int, void*);
  static const auto copy = reinterpret_cast<Copy>(find_gpu_symbol("cudaMemcpyAsync"));
  constexpr int kHostToDevice = 1;
  if (copy == nullptr || copy(target, source, bytes, kHostToDevice, stream) != 0)
    throw dispatch::Refusal{"foreach: the table could not be copied to the device"};
}

struct CachedTable {
  std::vector<int64_t> rows;
  c10::Device device{c10::kCPU};
  c10::StreamId stream = 0;
  at::Tensor tensor;
};

// The device's copy of rows and map. The cache is never freed at exit, when CUDA may be gone.
at::Tensor find_on_device(const Rows& rows, at::TensorList tensors, int64_t chunk_size,
                          c10::Device device) {
  thread_local auto* cache = new std::array<CachedTable, kCachedTables>;
  thread_local size_t next = 0;
  void* const stream = current_gpu_stream(device.index());
  const size_t count = rows.words.size() + map_words(rows.chunks);
  const auto write = [&](int64_t* out) {
    std::copy(rows.words.begin(), rows.words.end(), out);
    write_map(out + rows.words.size(), tensors, chunk_size);
  };
  const auto allocate = [&] {
    return allocate_output({static_cast<int64_t>(count)}, {},
                           at::TensorOptions().dtype(at::kLong).device(device));
  };
  if (is_capturing(stream)) {
    int64_t* const source = GraphSources::instance().take(count);
    write(source);
    at::Tensor tensor = allocate();
    copy_async(tensor.mutable_data_ptr(), source, count * sizeof(int64_t), stream);
    return tensor;
  }
  const c10::impl::VirtualGuardImpl guard(device.type());
  const c10::StreamId stream_id = guard.getStream(device).id();
  for (const CachedTable& entry : *cache)
    if (entry.device == device && entry.stream == stream_id && entry.rows == rows.words)
      return entry.tensor;
  GraphSources::instance().reserve();
  // Pinned memory is given back to PyTorch's allocator, which waits for the copy to end.
  const at::Tensor host = pinned_words(count);
  write(host.mutable_data_ptr<int64_t>());
  CachedTable& entry = (*cache)[next++ % kCachedTables];
  const StockOperators stock;
  entry = {rows.words, device, stream_id, host.to(device, /*non_blocking=*/true)};
  return entry.tensor;
}

}  // namespace

TensorTable::TensorTable(at::ArrayRef<at::TensorList> lists, at::ArrayRef<at::Scalar> numbers,
                         at::TensorList cells) {
  const at::TensorList& first = lists.front();
  const c10::Device device = first[0].device();
  int64_t elements = 0;
  for (const at::Tensor& tensor : first) elements += tensor.numel();
  chunk_size_ = device.is_cpu() ? kCpuChunk : gpu_chunk(elements);
  thread_local Rows rows;
  fill(rows, lists, numbers, cells, chunk_size_);
  chunks_ = rows.chunks;
  table_words_ = static_cast<int64_t>(rows.words.size());
  grain_ = std::max<int64_t>(1, chunks_ * kCpuGrain / std::max<int64_t>(elements, 1));
  if (device.is_cpu()) {
    table_ = allocate_output({static_cast<int64_t>(rows.words.size() + map_words(chunks_))}, {},
                             at::TensorOptions().dtype(at::kLong));
    auto* const words = table_.mutable_data_ptr<int64_t>();
    std::copy(rows.words.begin(), rows.words.end(), words);
    write_map(words + rows.words.size(), first, chunk_size_);
    is_aligned_ = false;  // of no use to the CPU, and it would compile twice
  } else {
    is_aligned_ = rows.is_aligned;
    table_ = find_on_device(rows, first, chunk_size_, device);
  }
}

void TensorTable::add_to(runtime::ArgumentPack& pack) const {
  const int64_t* words = table_.const_data_ptr<int64_t>();
  pack.pointer(words, DType::i64);
  pack.pointer(words + table_words_, DType::i32);
  pack.integer(chunk_size_);
}

}  // namespace tilewise::ops
