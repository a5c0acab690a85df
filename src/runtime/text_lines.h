// SPDX-License-Identifier: Apache-2.0
// Walks over the lines of a text; empty lines are skipped.
#pragma once

#include <string_view>

namespace tilewise::runtime {

template <class Visitor>
void for_each_line(std::string_view text, Visitor visit) {
  while (!text.empty()) {
    const size_t end = text.find('\n');
    const std::string_view line = text.substr(0, end);
    if (!line.empty()) visit(line);
    text = end == std::string_view::npos ? std::string_view() : text.substr(end + 1);
  }
}

}  // namespace tilewise::runtime
