// SPDX-License-Identifier: Apache-2.0
// What the compiler throws for a kernel that it cannot translate: the user's source position and
// the reason. A broken invariant of the compiler itself is an InternalError (base/check.h) instead.
#pragma once

#include <stdexcept>
#include <string>
#include <utility>

namespace tilewise::compiler {

struct SourceLocation {
  std::string file;
  int line = 0;
  int column = 0;

  bool known() const { return !file.empty(); }
  std::string text() const {
    if (!known()) return "unknown location";
    return file + ":" + std::to_string(line) + ":" + std::to_string(column);
  }
};

class CompileError : public std::runtime_error {
 public:
  CompileError(SourceLocation location, std::string reason, std::string kernel = "")
      : std::runtime_error((kernel.empty() ? "" : "kernel \"" + kernel + "\": ") + location.text() +
                           ": " + reason),
        kernel(std::move(kernel)),
        location(std::move(location)),
        reason(std::move(reason)) {}

  std::string kernel;
  SourceLocation location;  // In the kernel's Python source, or in the text for syntax errors.
  std::string reason;
};

}  // namespace tilewise::compiler
