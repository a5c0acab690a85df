// SPDX-License-Identifier: Apache-2.0
// The stages in order.
#include "compiler/compiler.h"
#include "compiler/llvm/kernel_emitter.h"
#include "compiler/llvm/register_buffers.h"
#include "compiler/llvm/vector_width.h"
#include "compiler/passes/build_schedule.h"
#include "compiler/passes/inline_calls.h"
#include "compiler/passes/materialize_shared.h"
#include "compiler/passes/outline_regions.h"
#include "compiler/passes/scalarize_loop_offsets.h"
#include "compiler/passes/split_edges.h"
#include "compiler/tile_ir/nodes.h"
#include "compiler/ttir/parser.h"
#include "compiler/ttir/printer.h"
#include "compiler/ttir/verifier.h"

namespace tilewise::compiler {
namespace {

struct Lowered {
  std::unique_ptr<Module> module;
  std::vector<UseMap> uses;           // One per function.
  std::vector<TileProgram> programs;  // The kernel's is the first.
};

std::unique_ptr<Module> read(std::string_view ttir) {
  std::unique_ptr<Module> module = parse_module(ttir);
  verify_and_normalize(*module);
  return module;
}

// Triton IR in the form that scheduling takes: one function, and those of outlined regions.
std::unique_ptr<Module> prepare(std::string_view ttir) {
  std::unique_ptr<Module> module = read(ttir);
  inline_calls(*module);
  outline_regions(*module);
  for (auto& function : module->functions) split_edges(*function);
  scalarize_loop_offsets(module->kernel());
  return module;
}

Lowered lower_to_tile(std::string_view ttir, const Target& target) {
  Lowered lowered;
  lowered.module = prepare(ttir);
  for (auto& function : lowered.module->functions) {
    lowered.uses.push_back(find_uses(*function));
    lowered.programs.push_back(build_schedule(*function, lowered.uses.back(), target));
    materialize_shared(lowered.programs.back(), lowered.uses.back());
  }
  return lowered;
}

std::string emit_module(const Lowered& lowered, const Target& target) {
  ModuleText module(target);
  module.set_vector_bytes(choose_vector_bytes(lowered.programs[0], target));
  for (size_t i = 1; i < lowered.programs.size(); ++i) {
    const std::string text =
        KernelEmitter(lowered.programs[i], lowered.uses[i], module).emit_scalar_function();
    module.define(lowered.programs[i].function->name, text);
  }
  const std::string kernel = KernelEmitter(lowered.programs[0], lowered.uses[0], module)
                                 .emit_kernel(lowered.module->kernel().name);
  return module.whole_text(kernel);
}

}  // namespace

CompiledKernel compile(std::string_view ttir, const Target& target, std::string_view kernel_name) {
  try {
    Lowered lowered = lower_to_tile(ttir, target);
    choose_register_buffers(lowered.programs[0], target);
    CompiledKernel kernel;
    kernel.entry = lowered.module->kernel().name;
    kernel.llvm_ir = emit_module(lowered, target);
    kernel.scratch_bytes = lowered.programs[0].scratch_bytes;
    return kernel;
  } catch (const CompileError& error) {
    throw CompileError(error.location, error.reason, std::string(kernel_name));
  }
}

std::string dump_stage(std::string_view ttir, const Target& target, std::string_view stage) {
  if (stage == "ttir") return print_module(*read(ttir));
  if (stage == "prepared") return print_module(*prepare(ttir));
  if (stage == "tile") {
    std::string text;
    for (const TileProgram& program : lower_to_tile(ttir, target).programs) {
      text += print_tile_program(program);
    }
    return text;
  }
  if (stage == "llvm") return compile(ttir, target, "").llvm_ir;
  throw CompileError(
      {}, "no stage \"" + std::string(stage) + "\"; there are ttir, prepared, tile and llvm");
}

}  // namespace tilewise::compiler
