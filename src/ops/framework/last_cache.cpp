// SPDX-License-Identifier: Apache-2.0
#include "ops/framework/last_cache.h"

#include <ATen/Parallel.h>

#include <algorithm>
#include <fstream>
#include <string>

namespace tilewise::ops {
namespace {

struct LastCache {
  size_t bytes = size_t{32} << 20;
  size_t cpus = 1024;  // that share it
};

// From Linux. sysconf(_SC_LEVEL3_CACHE_SIZE) will not do: on AMD's chips glibc multiplies, and
// answers 320 MiB on a machine of two cores that share 32.
LastCache find_last_cache() {
  LastCache cache;
  int last_level = 0;
  for (int index = 0; index < 8; ++index) {
    const std::string folder =
        "/sys/devices/system/cpu/cpu0/cache/index" + std::to_string(index) + "/";
    int level = 0;
    size_t kib = 0;
    std::string cpus;
    if (!(std::ifstream(folder + "level") >> level)) break;
    if (level <= last_level || !(std::ifstream(folder + "size") >> kib) || kib == 0) continue;
    if (!(std::ifstream(folder + "shared_cpu_map") >> cpus)) continue;
    last_level = level;
    cache.bytes = kib << 10;
    cache.cpus = 0;
    for (const char digit : cpus)
      if (digit != ',')
        cache.cpus += static_cast<size_t>(__builtin_popcount(
            static_cast<unsigned>(std::stoi(std::string(1, digit), nullptr, 16))));
    cache.cpus = std::max<size_t>(1, cache.cpus);
  }
  return cache;
}

}  // namespace

bool exceeds_last_cache(size_t bytes) {
  static const LastCache cache = find_last_cache();
  const size_t threads = static_cast<size_t>(std::max(1, at::get_num_threads()));
  const size_t caches = (threads + cache.cpus - 1) / cache.cpus;
  // Not for a number or a row that an operator reads besides.
  return bytes > caches * (cache.bytes + cache.bytes / 16);
}

}  // namespace tilewise::ops
