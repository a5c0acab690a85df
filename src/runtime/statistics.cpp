// SPDX-License-Identifier: Apache-2.0
#include "runtime/statistics.h"

#include <filesystem>
#include <mutex>

#include "runtime/disk_cache.h"
#include "runtime/json_writer.h"

namespace tilewise::runtime {
namespace {

struct Records {
  std::mutex mutex;
  std::vector<KernelRecord> rows;
};

Records& records() {
  static auto* const instance = new Records;
  return *instance;
}

void write_store_counts(JsonWriter& json) {
  const StoreCounts counts = artifact_store().counts();
  json.field("hits", counts.hits)
      .field("misses", counts.misses)
      .field("damaged", counts.damaged)
      .field("written", counts.written);
}

}  // namespace

void record_kernel(KernelRecord record) {
  const std::lock_guard lock(records().mutex);
  records().rows.push_back(std::move(record));
}

std::vector<KernelRecord> kernel_records() {
  const std::lock_guard lock(records().mutex);
  return records().rows;
}

std::string statistics_json() {
  const std::vector<KernelRecord> rows = kernel_records();
  uint64_t compiled = 0, launches = 0, compiled_bytes = 0, loaded_bytes = 0;
  double compile_seconds = 0;
  for (const KernelRecord& row : rows) {
    launches += row.entry->launches.load(std::memory_order_relaxed);
    loaded_bytes += row.payload_bytes;
    if (!row.compiled) continue;
    ++compiled;
    compiled_bytes += row.payload_bytes;
    compile_seconds += row.frontend_seconds + row.lowering_seconds + row.assemble_seconds;
  }
  JsonWriter json;
  json.begin_object()
      .field("kernels_loaded", rows.size())
      .field("kernels_compiled", compiled)
      .field("compile_seconds", compile_seconds)
      .field("compiled_bytes", compiled_bytes)
      .field("loaded_bytes", loaded_bytes)
      .field("launches", launches)
      .begin_object("store");
  write_store_counts(json);
  json.end_object().begin_array("kernels");
  for (const KernelRecord& row : rows) {
    json.begin_object()
        .field("name", row.name)
        .field("target", row.target)
        .field("key", row.key)
        .field("compiled", row.compiled)
        .field("frontend_seconds", row.frontend_seconds)
        .field("lowering_seconds", row.lowering_seconds)
        .field("assemble_seconds", row.assemble_seconds)
        .field("wait_seconds", row.wait_seconds)
        .field("payload_bytes", row.payload_bytes)
        .field("launches", row.entry->launches.load(std::memory_order_relaxed))
        .end_object();
  }
  json.end_array().end_object();
  return json.text();
}

std::string store_json() {
  ArtifactStore& store = artifact_store();
  const std::string problem = store.probe();
  uint64_t files = 0, bytes = 0;
  std::error_code error;
  const std::filesystem::path folder = std::filesystem::path(store.dir()) / "artifacts";
  for (std::filesystem::recursive_directory_iterator it(folder, error), end; !error && it != end;
       it.increment(error)) {
    std::error_code gone;  // Another process may be writing.
    if (!it->is_regular_file(gone)) continue;
    const uintmax_t size = it->file_size(gone);
    if (gone) continue;
    ++files;
    bytes += size;
  }
  JsonWriter json;
  json.begin_object()
      .field("path", store.dir())
      .field("writable", problem.empty())
      .field("problem", problem)
      .field("files", files)
      .field("bytes", bytes);
  write_store_counts(json);
  json.end_object();
  return json.text();
}

}  // namespace tilewise::runtime
