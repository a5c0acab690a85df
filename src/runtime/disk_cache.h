// SPDX-License-Identifier: Apache-2.0
// The artifact store: one file per request under <dir>/artifacts/. A file is written under another
// name, synced and renamed, so readers (of any process) see a whole file or none; and it carries
// its lengths, a checksum and the request itself, so that a damaged, truncated or foreign file is a
// miss that is counted and overwritten, never loaded. A store that cannot be written warns once and
// goes on reading.
//
// File: "TILEWISE", u32 version, u32 header bytes, u64 request, metadata and payload bytes,
// SHA-256 of all that precedes it and of the body, then the body. Little endian.
#pragma once

#include <atomic>
#include <cstdint>
#include <mutex>
#include <optional>
#include <string>

#include "runtime/artifact.h"
#include "runtime/compile_request.h"

namespace tilewise::runtime {

struct StoreCounts {
  uint64_t hits = 0;
  uint64_t misses = 0;  // Damaged files included.
  uint64_t damaged = 0;
  uint64_t written = 0;
};

class ArtifactStore {
 public:
  explicit ArtifactStore(std::string dir);

  std::optional<Artifact> get(const CompileRequest& request);
  void put(const CompileRequest& request, const Artifact& artifact);

  const std::string& dir() const { return dir_; }
  std::string path_of(const CompileRequest& request) const;
  StoreCounts counts() const;
  // Empty while the store works; else the sentence that was printed.
  std::string problem() const;
  // Tries to write, so that `doctor` may ask before anything was compiled.
  std::string probe();

 private:
  void report_problem(const std::string& what);

  const std::string dir_;
  std::atomic<uint64_t> hits_{0}, misses_{0}, damaged_{0}, written_{0};
  mutable std::mutex mutex_;
  std::string problem_;  // Guarded by mutex_.
};

// The process's store, in settings().cache_dir.
ArtifactStore& artifact_store();

}  // namespace tilewise::runtime
