// SPDX-License-Identifier: Apache-2.0
// What was compiled, loaded and launched, for report(): one row per specialization.
#pragma once

#include <string>
#include <vector>

#include "runtime/artifact.h"
#include "runtime/kernel_cache.h"

namespace tilewise::runtime {

struct KernelRecord {
  std::string name;
  std::string target;
  std::string key;
  bool compiled = false;  // Else it came from the store.
  PayloadKind kind = PayloadKind::none;
  double frontend_seconds = 0;
  double lowering_seconds = 0;
  double assemble_seconds = 0;
  double wait_seconds = 0;  // Of the launch that missed, loading included.
  size_t payload_bytes = 0;
  const CacheEntry* entry = nullptr;  // Counts the launches.
};

void record_kernel(KernelRecord record);
std::vector<KernelRecord> kernel_records();

// JSON objects; c_api.h lists their members.
std::string statistics_json();
std::string store_json();

}  // namespace tilewise::runtime
