// SPDX-License-Identifier: Apache-2.0
// The stages in order.
#include "compiler/compiler.h"
#include "compiler/llvm/kernel_emitter.h"
#include "compiler/llvm/register_buffers.h"
#include "compiler/passes/build_schedule.h"
#include "compiler/passes/materialize_shared.h"
#include "compiler/passes/scalarize_loop_offsets.h"
#include "compiler/tile_ir/nodes.h"
#include "compiler/ttir/parser.h"
#include "compiler/ttir/printer.h"
#include "compiler/ttir/verifier.h"

namespace tilewise::compiler {
namespace {

struct Lowered {
  std::unique_ptr<Module> module;
  UseMap uses;
  TileProgram program;
};

std::unique_ptr<Module> read(std::string_view ttir) {
  std::unique_ptr<Module> module = parse_module(ttir);
  verify_and_normalize(*module);
  return module;
}

Lowered lower_to_tile(std::string_view ttir) {
  Lowered lowered;
  lowered.module = read(ttir);
  Function& function = lowered.module->kernel();
  scalarize_loop_offsets(function);
  lowered.uses = find_uses(function);
  lowered.program = build_schedule(function, lowered.uses);
  materialize_shared(lowered.program, lowered.uses);
  return lowered;
}

}  // namespace

CompiledKernel compile(std::string_view ttir, const Target& target, std::string_view kernel_name) {
  try {
    Lowered lowered = lower_to_tile(ttir);
    choose_register_buffers(lowered.program, target);
    CompiledKernel kernel;
    kernel.entry = lowered.module->kernel().name;
    kernel.llvm_ir = KernelEmitter(lowered.program, lowered.uses, target).emit(kernel.entry);
    kernel.scratch_bytes = lowered.program.scratch_bytes;
    return kernel;
  } catch (const CompileError& error) {
    throw CompileError(error.location, error.reason, std::string(kernel_name));
  }
}

std::string dump_stage(std::string_view ttir, const Target& target, std::string_view stage) {
  if (stage == "ttir") return print_module(*read(ttir));
  if (stage == "tile") return print_tile_program(lower_to_tile(ttir).program);
  if (stage == "llvm") return compile(ttir, target, "").llvm_ir;
  throw CompileError({}, "no stage \"" + std::string(stage) + "\"; there are ttir, tile and llvm");
}

}  // namespace tilewise::compiler
