// SPDX-License-Identifier: Apache-2.0
#include "ops/framework/turns.h"

#include <algorithm>

#include "ops/framework/output.h"

namespace tilewise::ops {
namespace {

// The L2 cache of an H100 or H200. Tensors that are smaller are found there by a launch of their
// own.
constexpr int64_t kCacheBytes = int64_t{50} << 20;
// Bytes between the two readings, of 6 to 24 MiB on an H100: nearer ones wait for each other,
// others come too late.
constexpr int64_t kDelayBytes = int64_t{14} << 20;
// Two programs on each of 132 multiprocessors that have a group of less each do not fill the cache:
// each reads its group twice and finds it there.
constexpr int64_t kSmallestGroup = int64_t{64} << 10;

}  // namespace

at::Tensor Turns::counters(const at::Tensor& like) const {
  return allocate_output({1 + groups}, {}, like.options().dtype(at::kInt)).zero_();
}

std::optional<Turns> find_turns(const at::Tensor& self, int64_t groups, int64_t chunks,
                                int64_t group_bytes) {
  if (self.is_cpu() || groups * group_bytes < kCacheBytes || group_bytes < kSmallestGroup ||
      group_bytes > kDelayBytes)
    return std::nullopt;
  const int64_t delay = std::max<int64_t>(1, (kDelayBytes + group_bytes / 2) / group_bytes);
  if ((groups + delay) * chunks > INT32_MAX / 2) return std::nullopt;
  return Turns{groups, chunks, delay};
}

}  // namespace tilewise::ops
