// SPDX-License-Identifier: Apache-2.0
#include "runtime/kernel_cache.h"

#include <gtest/gtest.h>

#include <thread>

namespace tilewise::runtime {
namespace {

const Kernel& kernel() {
  static const Kernel instance("test/kernel", "function");
  return instance;
}

SpecializationKey key_of(const ArgumentPack& arguments, const LaunchOptions& options = {},
                         DeviceKind device = DeviceKind::cuda, int index = 0) {
  return {kernel(), arguments, options, device, index};
}

SpecializationKey numbered_key(int64_t number) {
  ArgumentPack arguments;
  arguments.constant(number);
  return key_of(arguments);
}

TEST(SpecializationKey, HoldsEveryCompileInput) {
  ArgumentPack base;
  base.pointer(nullptr, DType::fp32);
  base.constant(8);
  const auto key = key_of(base);
  EXPECT_EQ(key, key_of(base));
  EXPECT_FALSE(key == key_of(base, {.num_warps = 8}));
  EXPECT_FALSE(key == key_of(base, {.num_stages = 3}));
  EXPECT_FALSE(key == key_of(base, {.fp_fusion = false}));
  EXPECT_FALSE(key == key_of(base, {}, DeviceKind::hip));
  EXPECT_FALSE(key == key_of(base, {}, DeviceKind::cuda, 1));
  EXPECT_EQ(key, key_of(base, {.grain = 7}));  // A hint of the launch.

  const auto differs = [&key](auto fill) {
    ArgumentPack other;
    fill(other);
    return !(key == key_of(other));
  };
  EXPECT_TRUE(differs([](auto& a) { a.pointer(nullptr, DType::bf16), a.constant(8); }));
  EXPECT_TRUE(
      differs([](auto& a) { a.pointer(reinterpret_cast<void*>(8), DType::fp32), a.constant(8); }));
  EXPECT_TRUE(differs([](auto& a) { a.pointer(nullptr, DType::fp32), a.constant(9); }));
  EXPECT_TRUE(differs([](auto& a) { a.pointer(nullptr, DType::fp32), a.constant_float(8); }));
  EXPECT_TRUE(differs([](auto& a) { a.constant(8), a.pointer(nullptr, DType::fp32); }));
  EXPECT_TRUE(differs([](auto& a) { a.pointer(nullptr, DType::fp32), a.constant(8), a.none(); }));
}

TEST(SpecializationKey, IgnoresWhatDoesNotShapeTheCode) {
  const auto integer = [](int64_t value) {
    ArgumentPack arguments;
    arguments.integer(value);
    return key_of(arguments);
  };
  EXPECT_EQ(integer(1), integer(16));
  EXPECT_FALSE(integer(1) == integer(int64_t{1} << 40));
  const auto stride = [](int64_t value) {
    ArgumentPack arguments;
    arguments.stride(value);
    return key_of(arguments);
  };
  EXPECT_EQ(stride(16), stride(4096));
  EXPECT_EQ(stride(3), stride(-5));
  EXPECT_FALSE(stride(1) == stride(3));
  EXPECT_FALSE(stride(16) == stride(3));
}

TEST(SpecializationKey, OnTheCpuWarpsAndDeviceIndexDoNotCount) {
  ArgumentPack arguments;
  arguments.constant(1);
  EXPECT_EQ(key_of(arguments, {.num_warps = 4, .num_stages = 2}, DeviceKind::cpu, -1),
            key_of(arguments, {.num_warps = 8, .num_stages = 3}, DeviceKind::cpu, 0));
}

TEST(ArgumentPack, ConstexprTakesNoSlot) {
  ArgumentPack arguments;
  arguments.integer(5);
  arguments.constant(7);
  arguments.stride(1);
  arguments.none();
  arguments.floating(1.5);
  EXPECT_EQ(arguments.size(), 5);
  ASSERT_EQ(arguments.slot_count(), 2);
  EXPECT_EQ(arguments.slots()[0], 5u);
  EXPECT_EQ(arguments.slots()[1], 0x3fc00000u);
}

TEST(ArgumentPack, RefusesTheSixtyFifth) {
  ArgumentPack arguments;
  for (int i = 0; i < kMaxArguments; ++i) arguments.constant(i);
  EXPECT_THROW(arguments.constant(64), InternalError);
}

TEST(KernelCache, KeepsEntriesInPlaceWhileItGrows) {
  KernelCache cache;
  CacheEntry* const first = &cache.insert(numbered_key(0));
  for (int i = 1; i < 5000; ++i) cache.insert(numbered_key(i));
  EXPECT_EQ(cache.size(), 5000u);
  EXPECT_EQ(cache.find(numbered_key(0)), first);
  EXPECT_EQ(&cache.insert(numbered_key(0)), first);
  EXPECT_EQ(cache.find(numbered_key(5000)), nullptr);
}

TEST(KernelCache, ComparesTheWholeKeyWhenHashesCollide) {
  KernelCache cache;
  SpecializationKey first = numbered_key(1), second = numbered_key(2);
  second.hash = first.hash;
  CacheEntry& entry = cache.insert(first);
  EXPECT_EQ(cache.find(second), nullptr);
  EXPECT_NE(&cache.insert(second), &entry);
  EXPECT_EQ(cache.find(first), &entry);
}

TEST(KernelCache, ReadersAndWritersAtOnce) {
  KernelCache cache;
  constexpr int kKeys = 4000;
  std::atomic<int> wrong{0};
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < kKeys; ++i) {
        const int number = t % 2 == 0 ? i : kKeys - 1 - i;
        const SpecializationKey key = numbered_key(number);
        CacheEntry* entry = cache.find(key);
        if (entry == nullptr) entry = &cache.insert(key);
        if (!entry->matches(key) || cache.find(key) != entry) ++wrong;
      }
    });
  }
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(wrong, 0);
  EXPECT_EQ(cache.size(), static_cast<size_t>(kKeys));
}

}  // namespace
}  // namespace tilewise::runtime
