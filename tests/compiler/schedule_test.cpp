// SPDX-License-Identifier: Apache-2.0
// The tile IR that kernels become: what is fused, what is materialized, what loops carry.
#include <gtest/gtest.h>

#include "compiler/compiler.h"
#include "ttir_samples.h"

namespace tilewise::compiler {
namespace {

std::string tile_ir(std::string_view ttir) {
  return dump_stage(ttir, target_from_name("x86-64-v4"), "tile");
}

std::string kernel(const std::string& body) {
  return R"(module { tt.func public @k(%p: !tt.ptr<f32>, %q: !tt.ptr<f32>, %n: i32) {
    %range = tt.make_range {end = 128 : i32, start = 0 : i32} : tensor<128xi32>
    %ps = tt.splat %p : !tt.ptr<f32> -> tensor<128x!tt.ptr<f32>>
    %pp = tt.addptr %ps, %range : tensor<128x!tt.ptr<f32>>, tensor<128xi32>
    %qs = tt.splat %q : !tt.ptr<f32> -> tensor<128x!tt.ptr<f32>>
    %qq = tt.addptr %qs, %range : tensor<128x!tt.ptr<f32>>, tensor<128xi32>
    %x = tt.load %pp : tensor<128x!tt.ptr<f32>>
)" + body +
         "    tt.return\n  }\n}\n";
}

std::string sum(const std::string& result, const std::string& operand) {
  return "%" + result + R"( = "tt.reduce"(%)" + operand + R"() <{axis = 0 : i32}> ({
    ^bb0(%a: f32, %b: f32):
      %c = arith.addf %a, %b : f32
      tt.reduce.return %c : f32
    }) : (tensor<128xf32>) -> f32
)";
}

TEST(Schedule, PointwiseKernelIsOneNest) {
  const std::string text = tile_ir(kernel(R"(
    %y = math.exp %x : tensor<128xf32>
    %z = arith.divf %y, %x : tensor<128xf32>
    tt.store %qq, %z : tensor<128x!tt.ptr<f32>>
)"));
  EXPECT_NE(text.find("nest [128]\n    store %qq, %z\n"), std::string::npos) << text;
  EXPECT_NE(text.find("scratch 0\n"), std::string::npos) << text;
}

TEST(Schedule, IndependentReductionAndStoreShareANest) {
  const std::string text = tile_ir(kernel(sum("s", "x") + R"(
    tt.store %qq, %x : tensor<128x!tt.ptr<f32>>
)"));
  EXPECT_NE(text.find("nest [128]\n    reduce %x axis 0 -> none\n    store %qq, %x\n"),
            std::string::npos)
      << text;
}

TEST(Schedule, ExpensiveSharedValuesAreComputedOnce) {
  const std::string text =
      tile_ir(kernel("%e = math.exp %x : tensor<128xf32>\n" + sum("s", "e") + R"(
    %t = tt.splat %s : f32 -> tensor<128xf32>
    %r = arith.mulf %e, %t : tensor<128xf32>
    tt.store %qq, %r : tensor<128x!tt.ptr<f32>>
)"));
  EXPECT_NE(text.find("materialize %e -> buffer0\n    reduce %e"), std::string::npos) << text;
}

TEST(Schedule, CheapSharedValuesAreComputedAgain) {
  const std::string text =
      tile_ir(kernel("%e = arith.addf %x, %x : tensor<128xf32>\n" + sum("s", "e") + R"(
    %t = tt.splat %s : f32 -> tensor<128xf32>
    %r = arith.mulf %e, %t : tensor<128xf32>
    tt.store %qq, %r : tensor<128x!tt.ptr<f32>>
)"));
  EXPECT_EQ(text.find("materialize"), std::string::npos) << text;
}

TEST(Schedule, LoadsAreKeptAcrossStores) {
  const std::string text = tile_ir(kernel(R"(
    tt.store %qq, %x : tensor<128x!tt.ptr<f32>>
)" + sum("s", "x") + R"(
    tt.store %q, %s : !tt.ptr<f32>
    %t = tt.splat %s : f32 -> tensor<128xf32>
    %r = arith.mulf %x, %t : tensor<128xf32>
    tt.store %pp, %r : tensor<128x!tt.ptr<f32>>
)"));
  EXPECT_NE(text.find("materialize %x"), std::string::npos) << text;
}

TEST(Schedule, LoopCarriesTensorsInPlace) {
  const std::string text = tile_ir(kLoopKernel);
  EXPECT_NE(text.find("scf.for"), std::string::npos);
  EXPECT_NE(text.find("scf.while"), std::string::npos);
  EXPECT_EQ(text.find("copy"), std::string::npos) << text;
}

}  // namespace
}  // namespace tilewise::compiler
