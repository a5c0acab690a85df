// SPDX-License-Identifier: Apache-2.0
#include "base/c_string.h"

#include <cstdlib>
#include <cstring>
#include <new>

namespace tilewise {

char* to_c_string(const std::string& text) {
  auto* const copy = static_cast<char*>(std::malloc(text.size() + 1));
  if (copy == nullptr) throw std::bad_alloc();
  std::memcpy(copy, text.c_str(), text.size() + 1);
  return copy;
}

}  // namespace tilewise

void tilewise_free(void* memory) { std::free(memory); }
