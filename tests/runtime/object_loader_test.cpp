// SPDX-License-Identifier: Apache-2.0
#include "backends/cpu/object_loader.h"

#include <elf.h>
#include <gtest/gtest.h>
#include <sys/mman.h>

#include <cmath>
#include <cstring>
#include <fstream>
#include <random>
#include <vector>

#include "backends/cpu/relocation.h"

namespace tilewise::backends {
namespace {

int host_variable = 100;
int host_add(int a, int b) { return a + b; }

std::vector<std::byte> sample_bytes() {
  std::ifstream file(TILEWISE_LOADABLE_SAMPLE, std::ios::binary);
  std::vector<char> text((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
  EXPECT_FALSE(text.empty()) << TILEWISE_LOADABLE_SAMPLE;
  const auto* begin = reinterpret_cast<const std::byte*>(text.data());
  return {begin, begin + text.size()};
}

void* resolve(const std::string& name) {
  if (name == "sample_host_add") return reinterpret_cast<void*>(&host_add);
  if (name == "sample_host_variable") return &host_variable;
  return resolve_process_symbol(name);
}

template <class Signature>
Signature* function(const LoadedObject& object, const char* name) {
  return reinterpret_cast<Signature*>(object.symbol(name));
}

TEST(ObjectLoader, RunsCodeWithEveryKindOfReference) {
  const LoadedObject object = LoadedObject::load(sample_bytes(), resolve);
  EXPECT_EQ(function<int(int)>(object, "sample_increment")(41), 42);
  EXPECT_EQ(function<float(int)>(object, "sample_pointer")(1), 3.0f);
  EXPECT_EQ(function<double(int, double)>(object, "sample_accumulate")(63, 1.5), 1.5);
  EXPECT_EQ(function<double(int, double)>(object, "sample_accumulate")(63, 1.5), 3.0);
  EXPECT_EQ(function<double(double)>(object, "sample_exp")(1.25), std::exp(1.25) + 0.125);
  EXPECT_EQ(function<int(int, int)>(object, "sample_call_host")(1, 2), 103);
  EXPECT_EQ(function<int(int)>(object, "sample_switch")(4), 15);
  EXPECT_EQ(function<int(int)>(object, "sample_switch")(6), -1);
  char text[] = "abcdef";
  function<void(char*, const char*, size_t)>(object, "sample_copy")(text + 2, text, 4);
  EXPECT_STREQ(text, "ababcd");
}

TEST(ObjectLoader, OwnsItsMemoryThroughMoves) {
  LoadedObject first = LoadedObject::load(sample_bytes(), resolve);
  LoadedObject second = std::move(first);
  EXPECT_THROW(first.symbol("sample_increment"), ObjectError);
  first = std::move(second);
  EXPECT_EQ(function<int(int)>(first, "sample_increment")(1), 2);
}

TEST(ObjectLoader, ReadsFromAnyAlignment) {
  const auto bytes = sample_bytes();
  std::vector<std::byte> shifted(bytes.size() + 1);
  std::memcpy(shifted.data() + 1, bytes.data(), bytes.size());
  const auto object = LoadedObject::load(std::span(shifted).subspan(1), resolve);
  EXPECT_EQ(function<int(int)>(object, "sample_increment")(1), 2);
}

TEST(ObjectLoader, NamesTheUndefinedSymbol) {
  try {
    LoadedObject::load(sample_bytes(), resolve_process_symbol);
    FAIL();
  } catch (const ObjectError& error) {
    EXPECT_NE(std::string(error.what()).find("sample_host_"), std::string::npos) << error.what();
  }
}

TEST(ObjectLoader, RefusesAnotherMachine) {
  auto bytes = sample_bytes();
  const uint16_t machine = EM_SPARC;
  std::memcpy(bytes.data() + offsetof(Elf64_Ehdr, e_machine), &machine, sizeof(machine));
  EXPECT_THROW(LoadedObject::load(bytes, resolve), ObjectError);
}

// Loading reads untrusted bytes: it may throw, it may load, it must not touch foreign memory. The
// end of the object lies against a forbidden page, so that one byte too far is a fault.
class GuardedBytes {
 public:
  explicit GuardedBytes(size_t bytes) : pages_((bytes / kPage + 1) * kPage) {
    base_ = static_cast<std::byte*>(
        mmap(nullptr, pages_ + kPage, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
    mprotect(base_ + pages_, kPage, PROT_NONE);
  }
  ~GuardedBytes() { munmap(base_, pages_ + kPage); }

  std::span<std::byte> copy(std::span<const std::byte> bytes) {
    std::byte* begin = base_ + pages_ - bytes.size();
    if (!bytes.empty()) std::memcpy(begin, bytes.data(), bytes.size());
    return {begin, bytes.size()};
  }

 private:
  static constexpr size_t kPage = 65536;
  size_t pages_;
  std::byte* base_;
};

bool loads(std::span<const std::byte> bytes) {
  try {
    LoadedObject::load(bytes, resolve);
    return true;
  } catch (const ObjectError&) {
    return false;
  }
}

TEST(ObjectLoader, SurvivesTruncation) {
  const auto bytes = sample_bytes();
  GuardedBytes guarded(bytes.size());
  for (size_t length = 0; length < bytes.size(); ++length) {
    EXPECT_FALSE(loads(guarded.copy(std::span(bytes).first(length)))) << length;
  }
}

TEST(ObjectLoader, SurvivesDamage) {
  const auto bytes = sample_bytes();
  GuardedBytes guarded(bytes.size());
  std::mt19937_64 random(1);
  int refused = 0;
  for (int trial = 0; trial < 20000; ++trial) {
    auto damaged = guarded.copy(bytes);
    // Half of the damage goes to the section table at the end, where all offsets are.
    const size_t window = trial % 2 == 0 ? bytes.size() : bytes.size() / 4;
    for (uint64_t flips = 1 + random() % 3; flips > 0; --flips) {
      damaged[bytes.size() - 1 - random() % window] ^= std::byte(1u << random() % 8);
    }
    refused += loads(damaged) ? 0 : 1;
  }
  EXPECT_GT(refused, 1000);
  EXPECT_LT(refused, 20000);
}

uint32_t patched(RelocationForm form, uint32_t instruction, uint64_t place, uint64_t value) {
  EXPECT_TRUE(write_relocation(form, reinterpret_cast<std::byte*>(&instruction), place, value));
  return instruction;
}

TEST(Relocation, PatchesAarch64Instructions) {
  EXPECT_EQ(patched(RelocationForm::a64_branch26, 0x94000000, 0x1000, 0x1010), 0x94000004u);
  EXPECT_EQ(patched(RelocationForm::a64_branch26, 0x94000000, 0x1010, 0x1000), 0x97fffffcu);
  EXPECT_EQ(patched(RelocationForm::a64_page21, 0x90000000, 0x1234, 0x6789), 0xb0000020u);
  EXPECT_EQ(patched(RelocationForm::a64_add12, 0x91000000, 0, 0x6789), 0x911e2400u);
  EXPECT_EQ(patched(RelocationForm::a64_load12_x16, 0x3dc00000, 0, 0x6780), 0x3dc1e000u);
}

TEST(Relocation, PatchesRiscvInstructions) {
  EXPECT_EQ(patched(RelocationForm::rv_upper20, 0x00000297, 0x1000, 0x3234), 0x00002297u);
  // A lower half of 0x800 and more is negative, and the upper half one larger.
  EXPECT_EQ(patched(RelocationForm::rv_upper20, 0x00000297, 0x1000, 0x2ffc), 0x00002297u);
  EXPECT_EQ(patched(RelocationForm::rv_load12, 0x0002b283, 0, 0x1ffc), 0xffc2b283u);
  EXPECT_EQ(patched(RelocationForm::rv_store12, 0x0052b023, 0, 0x1ffc), 0xfe52be23u);
  uint32_t call[2] = {0x00000097, 0x000080e7};
  EXPECT_TRUE(write_relocation(RelocationForm::rv_call, reinterpret_cast<std::byte*>(call), 0x1000,
                               0x2804));
  EXPECT_EQ(call[0], 0x00002097u);
  EXPECT_EQ(call[1], 0x804080e7u);
}

TEST(Relocation, ReportsWhatIsOutOfRange) {
  std::byte place[8] = {};
  EXPECT_FALSE(write_relocation(RelocationForm::relative32, place, 0, uint64_t{1} << 31));
  EXPECT_TRUE(write_relocation(RelocationForm::relative32, place, uint64_t{1} << 31, 0));
  EXPECT_FALSE(write_relocation(RelocationForm::a64_branch26, place, 0, uint64_t{1} << 27));
  EXPECT_FALSE(write_relocation(RelocationForm::a64_load12_x8, place, 0, 4));
  EXPECT_FALSE(find_relocation(EM_X86_64, 250).has_value());
  EXPECT_FALSE(write_relocation(RelocationForm::rv_call, place, 0, uint64_t{1} << 31));
  EXPECT_FALSE(find_relocation(EM_SPARC, R_SPARC_64).has_value());
}

}  // namespace
}  // namespace tilewise::backends
