// SPDX-License-Identifier: Apache-2.0
#include "backends/cpu/kernel_messages.h"

#include <bit>
#include <cstdio>

namespace tilewise::backends {
namespace {

thread_local std::atomic<const char*>* failure_of_thread = nullptr;

// The kernel returns after the call, so that nothing behind a failed bounds check is run.
void assert_fail(const char* message) {
  if (failure_of_thread == nullptr) return;
  const char* none = nullptr;
  failure_of_thread->compare_exchange_strong(none, message);
}

// One call of fputs for a line, so that lines of several threads do not mix.
void print_value(const PrintedValue* printed) {
  std::fputs((printed_line(*printed) + "\n").c_str(), stdout);
  std::fflush(stdout);
}

std::string number_text(const PrintedValue& printed) {
  char text[64];
  switch (printed.format) {
    case PrintedValue::is_float:
      // Enough digits to tell numbers of the type apart, but for f64, whose 17 nobody reads.
      std::snprintf(text, sizeof text, printed.bits == 64 ? "%.12g" : "%.9g",
                    std::bit_cast<double>(printed.value));
      break;
    case PrintedValue::is_hex: {
      const uint64_t kept =
          printed.bits >= 64 ? printed.value : printed.value & ((uint64_t{1} << printed.bits) - 1);
      std::snprintf(text, sizeof text, "0x%0*llx", (printed.bits + 3) / 4,
                    static_cast<unsigned long long>(kept));
      break;
    }
    case PrintedValue::is_unsigned:
      std::snprintf(text, sizeof text, "%llu", static_cast<unsigned long long>(printed.value));
      break;
    default:
      std::snprintf(text, sizeof text, "%lld", static_cast<long long>(printed.value));
  }
  return text;
}

}  // namespace

AssertionScope::AssertionScope(std::atomic<const char*>& failure) : outer_(failure_of_thread) {
  failure_of_thread = &failure;
}

AssertionScope::~AssertionScope() { failure_of_thread = outer_; }

std::string printed_line(const PrintedValue& printed) {
  std::string line = "pid (" + std::to_string(printed.program[0]) + ", " +
                     std::to_string(printed.program[1]) + ", " +
                     std::to_string(printed.program[2]) + ")";
  if (printed.index == nullptr) return line + printed.prefix;
  line += " idx (";
  for (int32_t d = 0; d < printed.rank; ++d) {
    line += (d > 0 ? ", " : "") + std::to_string(printed.index[d]);
  }
  return line + ")" + printed.prefix + number_text(printed);
}

void* find_message_function(std::string_view name) {
  if (name == "tilewise_assert_fail") return reinterpret_cast<void*>(&assert_fail);
  if (name == "tilewise_print") return reinterpret_cast<void*>(&print_value);
  return nullptr;
}

}  // namespace tilewise::backends
