// SPDX-License-Identifier: Apache-2.0
#include "compiler/target.h"

#include <gtest/gtest.h>

namespace tilewise::compiler {
namespace {

TEST(Target, DescribesTheHost) {
  const Target target = target_from_name(host_target_name());
  EXPECT_EQ(target.name, host_target_name());
  EXPECT_GE(target.vector_bytes, 16);
  EXPECT_GE(target.vector_registers, 16);
  EXPECT_TRUE(host_runs(target));
}

TEST(Target, WidensWithTheLevel) {
  EXPECT_EQ(target_from_name("x86-64-v4").vector_lanes(4), 16);
  EXPECT_EQ(target_from_name("x86-64-v3").vector_lanes(4), 8);
  EXPECT_EQ(target_from_name("x86-64-v2").vector_lanes(8), 2);
  EXPECT_FALSE(target_from_name("x86-64-v2").has_fma);
  EXPECT_TRUE(target_from_name("x86-64-v4+avx512bf16").has_bf16_dot);
  EXPECT_FALSE(target_from_name("x86-64-v4").has_bf16_dot);
}

TEST(Target, HostRunsItsArchitectureAlone) {
  int architectures = 0;
  for (const char* name : {"x86-64-v2", "aarch64", "riscv64-scalar"}) {
    architectures += host_runs(target_from_name(name));
  }
  EXPECT_EQ(architectures, 1);
}

TEST(Target, NamesTheKnownOnes) {
  try {
    target_from_name("pdp-11");
    FAIL();
  } catch (const UnknownTarget& error) {
    const std::string message = error.what();
    EXPECT_NE(message.find("pdp-11"), std::string::npos);
    EXPECT_NE(message.find("x86-64-v4+avx512bf16"), std::string::npos);
    EXPECT_NE(message.find("riscv64"), std::string::npos);
  }
}

}  // namespace
}  // namespace tilewise::compiler
