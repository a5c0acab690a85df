// SPDX-License-Identifier: Apache-2.0
// Runs compiled kernels on another machine than the one that compiled them, and compares what they
// write with reference data. Built by the target's own compiler; test_cross_targets.py writes its
// input (case_file.py) and runs it, under qemu-user if need be.
//
//   run_cases CASES "" [SKIPPED...]         the kernels are linked in: kernel_list.inc names them
//   run_cases CASES FOLDER [SKIPPED...]     FOLDER/CASE.o is loaded as the product loads it
//
// Every buffer lies between two pages without access. Each case runs twice, once with the buffers'
// ends at the page behind and once with their beginnings at the page before: a lane that touches
// what it must not is a crash.
#include <sys/mman.h>
#include <unistd.h>

#include <bit>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <iterator>
#include <memory>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "backends/cpu/object_loader.h"

using Entry = void (*)(const uint64_t* args, const int32_t* grid, int64_t first, int64_t last,
                       char* scratch);

#define KERNEL(name) extern "C" void name(const uint64_t*, const int32_t*, int64_t, int64_t, char*);
#include "kernel_list.inc"
#undef KERNEL

namespace {

struct LinkedKernel {
  std::string_view name;
  Entry entry;
};

const std::vector<LinkedKernel> kLinkedKernels = {
#define KERNEL(name) {#name, &name},
#include "kernel_list.inc"
#undef KERNEL
};

[[noreturn]] void fail(const std::string& complaint) {
  std::fprintf(stderr, "run_cases: %s\n", complaint.c_str());
  std::exit(2);
}

std::vector<char> read_file(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) fail("cannot read " + path);
  return {std::istreambuf_iterator<char>(file), {}};
}

class Reader {
 public:
  explicit Reader(std::span<const char> bytes) : rest_(bytes) {}

  template <class Number>
  Number number() {
    Number value;
    std::memcpy(&value, bytes(sizeof(value)).data(), sizeof(value));
    return value;
  }
  std::span<const char> bytes(size_t count) {
    if (count > rest_.size()) fail("the file of cases ends too early");
    const auto taken = rest_.first(count);
    rest_ = rest_.subspan(count);
    return taken;
  }
  std::string text() {
    const auto characters = bytes(number<uint32_t>());
    return {characters.begin(), characters.end()};
  }

 private:
  std::span<const char> rest_;
};

enum class Format : uint32_t { integer, f16, bf16, f32, f64 };

size_t format_bytes(Format format) {
  switch (format) {
    case Format::integer:
      return 1;
    case Format::f16:
    case Format::bf16:
      return 2;
    case Format::f32:
      return 4;
    case Format::f64:
      return 8;
  }
  fail("unknown format");
}

struct Argument {
  bool is_buffer = false;
  uint64_t scalar = 0;
  std::span<const char> initial;
  std::span<const char> expected;  // Empty: not compared.
  Format format = Format::integer;
};

struct Case {
  std::string name;
  int32_t grid[3];
  uint64_t scratch_bytes;
  double relative, absolute;
  std::vector<Argument> arguments;
};

Case read_case(Reader& reader) {
  Case result;
  result.name = reader.text();
  for (int32_t& size : result.grid) size = reader.number<int32_t>();
  result.scratch_bytes = reader.number<uint64_t>();
  result.relative = reader.number<double>();
  result.absolute = reader.number<double>();
  const auto count = reader.number<uint32_t>();
  for (uint32_t i = 0; i < count; ++i) {
    Argument argument;
    argument.is_buffer = reader.number<uint32_t>() != 0;
    if (!argument.is_buffer) {
      argument.scalar = reader.number<uint64_t>();
    } else {
      argument.format = static_cast<Format>(reader.number<uint32_t>());
      argument.initial = reader.bytes(reader.number<uint64_t>());
      argument.expected = reader.bytes(reader.number<uint64_t>());
    }
    result.arguments.push_back(argument);
  }
  return result;
}

// Memory between two pages without access.
class GuardedMemory {
 public:
  GuardedMemory(size_t bytes, bool at_end) : page_(static_cast<size_t>(sysconf(_SC_PAGESIZE))) {
    const size_t inner = (bytes + page_ - 1) / page_ * page_;
    total_ = inner + 2 * page_;
    base_ =
        static_cast<char*>(mmap(nullptr, total_, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
    if (base_ == MAP_FAILED) fail("no memory");
    if (inner > 0 && mprotect(base_ + page_, inner, PROT_READ | PROT_WRITE) != 0) fail("mprotect");
    data_ = base_ + page_ + (at_end ? inner - bytes : 0);
  }
  ~GuardedMemory() { munmap(base_, total_); }
  GuardedMemory(const GuardedMemory&) = delete;
  GuardedMemory& operator=(const GuardedMemory&) = delete;

  char* data() const { return data_; }

 private:
  size_t page_, total_;
  char* base_;
  char* data_;
};

double decode(Format format, const char* bytes) {
  uint16_t bits16 = 0;
  uint64_t bits64 = 0;
  float single = 0;
  switch (format) {
    case Format::integer:
      return static_cast<unsigned char>(*bytes);
    case Format::bf16:
      std::memcpy(&bits16, bytes, 2);
      return std::bit_cast<float>(uint32_t{bits16} << 16);
    case Format::f16: {
      std::memcpy(&bits16, bytes, 2);
      const int exponent = bits16 >> 10 & 31;
      const int fraction = bits16 & 1023;
      double value = exponent == 0    ? std::ldexp(fraction, -24)
                     : exponent == 31 ? (fraction != 0 ? NAN : INFINITY)
                                      : std::ldexp(1024 + fraction, exponent - 25);
      return bits16 >> 15 ? -value : value;
    }
    case Format::f32:
      std::memcpy(&single, bytes, 4);
      return single;
    case Format::f64:
      std::memcpy(&bits64, bytes, 8);
      return std::bit_cast<double>(bits64);
  }
  fail("unknown format");
}

bool is_close(double actual, double expected, const Case& tolerances) {
  if (std::isnan(expected)) return std::isnan(actual);
  if (actual == expected) return true;
  return std::fabs(actual - expected) <=
         tolerances.absolute + tolerances.relative * std::fabs(expected);
}

// The number of elements that differ; says the first.
int compare(const Case& test, size_t index, const char* actual) {
  const Argument& argument = test.arguments[index];
  const size_t bytes = format_bytes(argument.format);
  int wrong = 0;
  for (size_t at = 0; at < argument.expected.size(); at += bytes) {
    const double is = decode(argument.format, actual + at);
    const double should_be = decode(argument.format, argument.expected.data() + at);
    const bool equal =
        argument.format == Format::integer ? is == should_be : is_close(is, should_be, test);
    if (!equal && wrong++ == 0) {
      std::printf("%s: argument %zu at byte %zu is %.9g and should be %.9g\n", test.name.c_str(),
                  index, at, is, should_be);
    }
  }
  return wrong;
}

bool run(const Case& test, Entry entry, bool at_end) {
  std::vector<uint64_t> slots;
  std::vector<std::unique_ptr<GuardedMemory>> buffers;
  for (const Argument& argument : test.arguments) {
    if (!argument.is_buffer) {
      slots.push_back(argument.scalar);
      continue;
    }
    buffers.push_back(std::make_unique<GuardedMemory>(argument.initial.size(), at_end));
    char* const data = buffers.back()->data();
    if (!argument.initial.empty()) {
      std::memcpy(data, argument.initial.data(), argument.initial.size());
    }
    slots.push_back(reinterpret_cast<uint64_t>(data));
  }
  // The product aligns scratch to 64 bytes.
  const GuardedMemory scratch((test.scratch_bytes + 63) / 64 * 64, at_end);
  const int64_t programs = int64_t{test.grid[0]} * test.grid[1] * test.grid[2];
  entry(slots.data(), test.grid, 0, programs, scratch.data());
  int wrong = 0;
  for (size_t i = 0; i < test.arguments.size(); ++i) {
    if (test.arguments[i].expected.empty()) continue;
    wrong += compare(test, i, reinterpret_cast<const char*>(slots[i]));
  }
  return wrong == 0;
}

Entry find_linked(const std::string& name) {
  for (const LinkedKernel& kernel : kLinkedKernels) {
    if (kernel.name == "case_" + name) return kernel.entry;
  }
  fail("no kernel " + name);
}

Entry load(const std::string& folder, const std::string& name) {
  using tilewise::backends::LoadedObject;
  const std::vector<char> bytes = read_file(folder + "/" + name + ".o");
  // Kept for the process, since its functions are.
  static auto* const objects = new std::vector<LoadedObject>;
  objects->push_back(LoadedObject::load(std::as_bytes(std::span(bytes))));
  return reinterpret_cast<Entry>(objects->back().symbol("case_" + name));
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 3) fail("usage: run_cases CASES FOLDER [SKIPPED...]");
  const std::vector<char> file = read_file(argv[1]);
  const std::string folder = argv[2];
  const std::set<std::string> skipped(argv + 3, argv + argc);
  Reader reader(file);
  if (reader.text() != "tilewise cases 1") fail("not a file of cases");
  const auto count = reader.number<uint32_t>();
  int ran = 0;
  int failed = 0;
  for (uint32_t i = 0; i < count; ++i) {
    const Case test = read_case(reader);
    if (skipped.contains(test.name)) continue;
    // Said first, so that a crash has a name.
    std::printf("%s\n", test.name.c_str());
    std::fflush(stdout);
    const Entry entry = folder.empty() ? find_linked(test.name) : load(folder, test.name);
    if (!run(test, entry, true) || !run(test, entry, false)) ++failed;
    ++ran;
  }
  std::printf("%d cases, %d failed\n", ran, failed);
  return failed == 0 ? 0 : 1;
}
