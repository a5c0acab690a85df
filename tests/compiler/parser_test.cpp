// SPDX-License-Identifier: Apache-2.0
#include "compiler/ttir/parser.h"

#include <gtest/gtest.h>

#include <random>

#include "compiler/compiler.h"
#include "compiler/ttir/printer.h"
#include "compiler/ttir/verifier.h"
#include "ttir_samples.h"

namespace tilewise::compiler {
namespace {

std::string reason_of(std::string_view text) {
  try {
    compile(text, target_from_name("x86-64-v4"), "sample");
  } catch (const CompileError& error) {
    return error.what();
  }
  return "";
}

std::string with(std::string text, const std::string& old, const std::string& now) {
  const size_t at = text.find(old);
  EXPECT_NE(at, std::string::npos) << old;
  return text.replace(at, old.size(), now);
}

TEST(Parser, ReadsOperationsOfThePrettyForm) {
  const auto module = parse_module(kAddKernel);
  const Function& kernel = module->kernel();
  EXPECT_EQ(kernel.name, "add");
  ASSERT_EQ(kernel.arguments().size(), 2u);
  EXPECT_EQ(to_string(kernel.arguments()[0]->type), "!tt.ptr<bf16>");
  const auto& operations = kernel.body.blocks[0]->operations;
  EXPECT_EQ(operations[0]->result()->name, "c-1_i32");
  EXPECT_EQ(constant_integer(*operations[0]), -1);
  EXPECT_EQ(constant_float(*operations[2]), -INFINITY);
  EXPECT_EQ(operations[9]->word("predicate"), "slt");
  EXPECT_EQ(to_string(operations[9]->result()->type), "tensor<1024xi1>");
  const Operation& load = *operations[12];
  EXPECT_EQ(load.operand_count(), 3);
  EXPECT_EQ(load.word("evictionPolicy"), "evict_last");
  EXPECT_EQ(to_string(load.result()->type), "tensor<1024xbf16>");
}

TEST(Parser, LocationsAreTheCallersOfLibraryFunctions) {
  const auto module = parse_module(kAddKernel);
  const auto& operations = module->kernel().body.blocks[0]->operations;
  EXPECT_EQ(operations[3]->location.text(), "add.py:5:10");
  EXPECT_EQ(operations[12]->location.text(), "add.py:9:8");
  EXPECT_EQ(operations[0]->location.text(), "unknown location");
}

TEST(Parser, PrintsWhatItReads) {
  for (const char* sample : {kAddKernel, kLoopKernel}) {
    const auto module = parse_module(sample);
    const std::string once = print_module(*module);
    EXPECT_EQ(print_module(*parse_module(once)), once);
  }
}

TEST(Parser, GenericFormCompilesToTheSame) {
  const Target target = target_from_name("x86-64-v4");
  for (const char* sample : {kAddKernel, kLoopKernel}) {
    const std::string generic = print_module(*parse_module(sample));
    EXPECT_EQ(compile(sample, target, "k").llvm_ir, compile(generic, target, "k").llvm_ir);
  }
}

TEST(Parser, NumbersOfPredicatesBecomeWords) {
  std::string generic = print_module(*parse_module(kAddKernel));
  generic = with(generic, "predicate = slt", "predicate = 2 : i64");
  generic = with(generic, "axis = x", "axis = 0 : i32");
  const auto module = parse_module(generic);
  verify_and_normalize(*module);
  EXPECT_NE(print_module(*module).find("predicate = slt"), std::string::npos);
  EXPECT_NE(print_module(*module).find("axis = x"), std::string::npos);
}

TEST(Parser, ErrorsNameTheKernelAndTheSourceLine) {
  const std::string reason = reason_of(with(kAddKernel, "arith.addf", "arith.unknown"));
  EXPECT_NE(reason.find("kernel \"sample\": add.py:9:8: arith.unknown"), std::string::npos)
      << reason;
  EXPECT_NE(reason_of(with(kAddKernel, "%x, %x : ", "%x, %missing : ")).find("%missing"),
            std::string::npos);
  EXPECT_NE(reason_of(with(kAddKernel, "end = 1024 : i32, start", "end = 512 : i32, start"))
                .find("range"),
            std::string::npos);
}

TEST(Parser, AnEmptyListOfTypesNamesNoResult) {
  EXPECT_NE(reason_of(with(kAddKernel, "%x, %x : tensor<1024xbf16>", "%x, %x : ()"))
                .find("the type of arith.addf is missing"),
            std::string::npos);
}

TEST(Parser, KindsAndBlocksAreChecked) {
  EXPECT_NE(reason_of(with(kAddKernel, "arith.addf", "arith.addi")).find("of a wrong kind"),
            std::string::npos);
  EXPECT_NE(reason_of(with(kLoopKernel, "tt.return", "scf.yield")).find("does not belong"),
            std::string::npos);
  EXPECT_NE(reason_of(with(kLoopKernel, "tt.return", "tt.return\n    tt.return"))
                .find("stands inside of a block"),
            std::string::npos);
}

// Every damaged text is refused or compiled, and never crashes.
TEST(Parser, DamagedTextIsRefused) {
  std::mt19937 random(7);
  const Target target = target_from_name("x86-64-v4");
  for (const std::string sample : {kAddKernel, kLoopKernel}) {
    for (size_t length = 0; length < sample.size(); length += 3) {
      EXPECT_THROW(parse_module(std::string_view(sample).substr(0, length)), CompileError);
      if (length > sample.find("%c1024")) break;
    }
    for (int round = 0; round < 3000; ++round) {
      std::string text = sample;
      for (int change = 0; change < 3; ++change) {
        const size_t at = random() % text.size();
        switch (random() % 3) {
          case 0:
            text.erase(at, 1 + random() % 8);
            break;
          case 1:
            text[at] = "%(){}<>,:=0129xtf"[random() % 17];
            break;
          default:
            text.insert(at, text.substr(random() % text.size(), random() % 12));
            break;
        }
      }
      try {
        compile(text, target, "damaged");
      } catch (const CompileError&) {
      }
    }
  }
}

}  // namespace
}  // namespace tilewise::compiler
