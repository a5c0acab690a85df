// SPDX-License-Identifier: Apache-2.0
// Loads and stores of lanes. Masked-off lanes never touch memory.
#pragma once

#include <string>

#include "compiler/llvm/lane_ops.h"

namespace tilewise::compiler {

// Where the lanes lie.
struct LaneAddress {
  enum class Form : uint8_t {
    contiguous,  // base, base + 1, ... (or one lane)
    strided,     // base, base + stride, ...
    scattered,   // base is a vector of pointers
  };
  Form form = Form::contiguous;
  std::string base;
  std::string stride;  // In elements, an i64.
};

class MemoryOps {
 public:
  MemoryOps(TextBuilder& builder, ModuleText& module, LaneOps& lanes)
      : b_(builder), module_(module), ops_(lanes) {}

  // An empty mask means all lanes. `other` fills masked-off lanes; empty: zero.
  std::string load(const LaneAddress& address, ScalarKind kind, const std::string& mask,
                   const std::string& other, int lanes, int alignment = 0);
  void store(const LaneAddress& address, ScalarKind kind, const std::string& value,
             const std::string& mask, int lanes, int alignment = 0);

  // Asks for the lines that the lanes' access will meet a few chunks later. Contiguous lanes only.
  void prefetch(const LaneAddress& address, ScalarKind kind, int lanes, bool writes);

  // At the head of a page asks for one line four pages on, into the first or the second cache: the
  // hardware fetches ahead within a page only, and comes to the next one's address, whose
  // translation takes longest, too late.
  void prefetch_page(const LaneAddress& address, ScalarKind kind, int lanes, bool into_first_cache);

  // All lanes, past the cache where their address is a multiple of the vector registers' size;
  // otherwise an ordinary store.
  void store_streaming(const LaneAddress& address, ScalarKind kind, const std::string& value,
                       int lanes);
  // Streaming stores of x86 need a fence before other threads may know of them.
  bool has_streaming_stores() const { return has_streaming_stores_; }

 private:
  // Neighbors in memory, the last lane first: they are read and written as one vector.
  static bool is_backward(const LaneAddress& address, int lanes);
  LaneAddress forward(const LaneAddress& address, ScalarKind kind, int lanes);
  std::string reversed(const std::string& value, ScalarKind kind, int lanes);
  std::string pointers(const LaneAddress& address, ScalarKind kind, int lanes);
  std::string to_storage(const std::string& value, ScalarKind kind, int lanes);
  std::string fenced(const std::string& value, ScalarKind kind, int lanes);
  std::string from_storage(const std::string& value, ScalarKind kind, int lanes);
  std::string storage_suffix(ScalarKind kind, int lanes);

  TextBuilder& b_;
  ModuleText& module_;
  LaneOps& ops_;
  bool has_streaming_stores_ = false;
};

// <0, 1, 2, ...>
std::string step_constant(ScalarKind kind, int lanes);

}  // namespace tilewise::compiler
