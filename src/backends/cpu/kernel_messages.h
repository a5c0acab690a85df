// SPDX-License-Identifier: Apache-2.0
// What kernels have to say: tl.device_assert and tl.device_print call functions of this file.
#pragma once

#include <atomic>
#include <string>
#include <string_view>

namespace tilewise::backends {

// Collects the first assertion that fails in the programs that a thread runs while it is on.
//
//   std::atomic<const char*> failure{nullptr};
//   { AssertionScope scope(failure); entry(...); }
class AssertionScope {
 public:
  explicit AssertionScope(std::atomic<const char*>& failure);
  ~AssertionScope();
  AssertionScope(const AssertionScope&) = delete;
  AssertionScope& operator=(const AssertionScope&) = delete;

 private:
  std::atomic<const char*>* const outer_;
};

// "tilewise_assert_fail", "tilewise_print"; else nullptr.
void* find_message_function(std::string_view name);

// One value of a tl.device_print, as the kernel passes it.
struct PrintedValue {
  enum Format : int32_t { is_signed, is_unsigned, is_float, is_hex };
  const char* prefix;      // " x: "
  const int32_t* program;  // x, y, z
  const int64_t* index;    // Of the lane; null: there is no value.
  int32_t rank;            // 0: a scalar
  int32_t format;
  int32_t bits;    // Of the value's own type.
  uint64_t value;  // Integers extended, floats as the bits of a double.
};

// "pid (0, 0, 0) idx (3) x: 1.5"
std::string printed_line(const PrintedValue& printed);

}  // namespace tilewise::backends
