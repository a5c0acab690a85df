// SPDX-License-Identifier: Apache-2.0
// Invariants of our own code. A user's mistake is reported by PyTorch's checks or a CompileError,
// never by these. No ATen, no Triton, no device.
#pragma once

#include <stdexcept>
#include <string>

namespace tilewise {

// A broken invariant of Tilewise itself: always a bug here, never the user's fault.
class InternalError : public std::logic_error {
 public:
  using std::logic_error::logic_error;
};

[[noreturn]] inline void fail_assertion(const char* condition, const char* file, int line,
                                        const std::string& detail) {
  throw InternalError(std::string("tilewise internal error: ") + condition + " is false at " +
                      file + ":" + std::to_string(line) + (detail.empty() ? "" : ": " + detail));
}

}  // namespace tilewise

// On in every build type: the failing branch is cold, the test itself costs one compare.
#define TILEWISE_ASSERT(condition, ...)                                                     \
  do {                                                                                      \
    if (!(condition)) [[unlikely]]                                                          \
      ::tilewise::fail_assertion(#condition, __FILE__, __LINE__, std::string(__VA_ARGS__)); \
  } while (false)
