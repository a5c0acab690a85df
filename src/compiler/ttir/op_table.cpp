// SPDX-License-Identifier: Apache-2.0
#include "compiler/ttir/op_table.h"

#include <unordered_map>

namespace tilewise::compiler {
namespace {

constexpr int kDivision = 8;   // A division or square root in lanes.
constexpr int kFunction = 16;  // A polynomial of the math library.

constexpr OpInfo kOps[] = {
    // keep-sorted within each group
    {"arith.addf", OpClass::elementwise, 2, 2, 1, 1},
    {"arith.addi", OpClass::elementwise, 2, 2, 1, 1},
    {"arith.andi", OpClass::elementwise, 2, 2, 1, 1},
    {"arith.bitcast", OpClass::elementwise, 1, 1, 1, 0},
    {"arith.ceildivsi", OpClass::elementwise, 2, 2, 1, kDivision},
    {"arith.cmpf", OpClass::elementwise, 2, 2, 1, 1},
    {"arith.cmpi", OpClass::elementwise, 2, 2, 1, 1},
    {"arith.divf", OpClass::elementwise, 2, 2, 1, kDivision},
    {"arith.divsi", OpClass::elementwise, 2, 2, 1, kDivision},
    {"arith.divui", OpClass::elementwise, 2, 2, 1, kDivision},
    {"arith.extf", OpClass::elementwise, 1, 1, 1, 1},
    {"arith.extsi", OpClass::elementwise, 1, 1, 1, 1},
    {"arith.extui", OpClass::elementwise, 1, 1, 1, 1},
    {"arith.floordivsi", OpClass::elementwise, 2, 2, 1, kDivision},
    {"arith.fptosi", OpClass::elementwise, 1, 1, 1, 1},
    {"arith.fptoui", OpClass::elementwise, 1, 1, 1, 1},
    {"arith.index_cast", OpClass::elementwise, 1, 1, 1, 0},
    {"arith.maximumf", OpClass::elementwise, 2, 2, 1, 2},
    {"arith.maxnumf", OpClass::elementwise, 2, 2, 1, 2},
    {"arith.maxsi", OpClass::elementwise, 2, 2, 1, 1},
    {"arith.maxui", OpClass::elementwise, 2, 2, 1, 1},
    {"arith.minimumf", OpClass::elementwise, 2, 2, 1, 2},
    {"arith.minnumf", OpClass::elementwise, 2, 2, 1, 2},
    {"arith.minsi", OpClass::elementwise, 2, 2, 1, 1},
    {"arith.minui", OpClass::elementwise, 2, 2, 1, 1},
    {"arith.mulf", OpClass::elementwise, 2, 2, 1, 1},
    {"arith.muli", OpClass::elementwise, 2, 2, 1, 1},
    {"arith.mulsi_extended", OpClass::elementwise, 2, 2, 2, 3},
    {"arith.mului_extended", OpClass::elementwise, 2, 2, 2, 3},
    {"arith.negf", OpClass::elementwise, 1, 1, 1, 1},
    {"arith.ori", OpClass::elementwise, 2, 2, 1, 1},
    {"arith.remf", OpClass::elementwise, 2, 2, 1, kFunction},
    {"arith.remsi", OpClass::elementwise, 2, 2, 1, kDivision},
    {"arith.remui", OpClass::elementwise, 2, 2, 1, kDivision},
    {"arith.select", OpClass::elementwise, 3, 3, 1, 1},
    {"arith.shli", OpClass::elementwise, 2, 2, 1, 1},
    {"arith.shrsi", OpClass::elementwise, 2, 2, 1, 1},
    {"arith.shrui", OpClass::elementwise, 2, 2, 1, 1},
    {"arith.sitofp", OpClass::elementwise, 1, 1, 1, 1},
    {"arith.subf", OpClass::elementwise, 2, 2, 1, 1},
    {"arith.subi", OpClass::elementwise, 2, 2, 1, 1},
    {"arith.truncf", OpClass::elementwise, 1, 1, 1, 2},
    {"arith.trunci", OpClass::elementwise, 1, 1, 1, 1},
    {"arith.uitofp", OpClass::elementwise, 1, 1, 1, 1},
    {"arith.xori", OpClass::elementwise, 2, 2, 1, 1},
    {"math.absf", OpClass::elementwise, 1, 1, 1, 1},
    {"math.absi", OpClass::elementwise, 1, 1, 1, 1},
    {"math.acos", OpClass::elementwise, 1, 1, 1, kFunction},
    {"math.asin", OpClass::elementwise, 1, 1, 1, kFunction},
    {"math.atan", OpClass::elementwise, 1, 1, 1, kFunction},
    {"math.atan2", OpClass::elementwise, 2, 2, 1, kFunction},
    {"math.ceil", OpClass::elementwise, 1, 1, 1, 1},
    {"math.copysign", OpClass::elementwise, 2, 2, 1, 1},
    {"math.cos", OpClass::elementwise, 1, 1, 1, kFunction},
    {"math.ctlz", OpClass::elementwise, 1, 1, 1, 2},
    {"math.ctpop", OpClass::elementwise, 1, 1, 1, 2},
    {"math.cttz", OpClass::elementwise, 1, 1, 1, 2},
    {"math.erf", OpClass::elementwise, 1, 1, 1, kFunction},
    {"math.exp", OpClass::elementwise, 1, 1, 1, kFunction},
    {"math.exp2", OpClass::elementwise, 1, 1, 1, kFunction},
    {"math.expm1", OpClass::elementwise, 1, 1, 1, kFunction},
    {"math.floor", OpClass::elementwise, 1, 1, 1, 1},
    {"math.fma", OpClass::elementwise, 3, 3, 1, 1},
    {"math.log", OpClass::elementwise, 1, 1, 1, kFunction},
    {"math.log10", OpClass::elementwise, 1, 1, 1, kFunction},
    {"math.log1p", OpClass::elementwise, 1, 1, 1, kFunction},
    {"math.log2", OpClass::elementwise, 1, 1, 1, kFunction},
    {"math.powf", OpClass::elementwise, 2, 2, 1, kFunction},
    {"math.round", OpClass::elementwise, 1, 1, 1, 1},
    {"math.roundeven", OpClass::elementwise, 1, 1, 1, 1},
    {"math.rsqrt", OpClass::elementwise, 1, 1, 1, kDivision},
    {"math.sin", OpClass::elementwise, 1, 1, 1, kFunction},
    {"math.sqrt", OpClass::elementwise, 1, 1, 1, kDivision},
    {"math.tan", OpClass::elementwise, 1, 1, 1, kFunction},
    {"math.tanh", OpClass::elementwise, 1, 1, 1, kFunction},
    {"math.trunc", OpClass::elementwise, 1, 1, 1, 1},
    {"tt.addptr", OpClass::elementwise, 2, 2, 1, 1},
    {"tt.bitcast", OpClass::elementwise, 1, 1, 1, 0},
    {"tt.clampf", OpClass::elementwise, 3, 3, 1, 2},
    {"tt.extern_elementwise", OpClass::elementwise, 1, 4, 1, kFunction},
    {"tt.fp_to_fp", OpClass::elementwise, 1, 1, 1, 2},
    {"tt.int_to_ptr", OpClass::elementwise, 1, 1, 1, 0},
    {"tt.mulhiui", OpClass::elementwise, 2, 2, 1, 3},
    {"tt.precise_divf", OpClass::elementwise, 2, 2, 1, kDivision},
    {"tt.precise_sqrt", OpClass::elementwise, 1, 1, 1, kDivision},
    {"tt.ptr_to_int", OpClass::elementwise, 1, 1, 1, 0},

    // Not of Triton: calls the function `callee` for every lane (passes/outline_regions.h).
    {"tilewise.apply", OpClass::elementwise, 1, -1, -1, kFunction},

    {"arith.constant", OpClass::constant, 0, 0, 1, 0},
    {"ub.poison", OpClass::constant, 0, 0, 1, 0},

    {"tt.get_num_programs", OpClass::program, 0, 0, 1, 0},
    {"tt.get_program_id", OpClass::program, 0, 0, 1, 0},

    {"tt.broadcast", OpClass::shape, 1, 1, 1, 0},
    {"tt.expand_dims", OpClass::shape, 1, 1, 1, 0},
    {"tt.reshape", OpClass::shape, 1, 1, 1, 0},
    {"tt.splat", OpClass::shape, 1, 1, 1, 0},
    {"tt.trans", OpClass::shape, 1, 1, 1, 0},
    {"tt.unsplat", OpClass::shape, 1, 1, 1, 0},

    {"tt.make_range", OpClass::range, 0, 0, 1, 0},

    {"tt.cat", OpClass::regroup, 2, 2, 1, 0},
    {"tt.gather", OpClass::regroup, 2, 2, 1, 0},
    {"tt.histogram", OpClass::regroup, 1, 2, 1, 0},
    {"tt.join", OpClass::regroup, 2, 2, 1, 0},
    {"tt.split", OpClass::regroup, 1, 1, 2, 0},

    {"tt.load", OpClass::load, 1, 3, 1, 2},
    {"tt.store", OpClass::store, 2, 3, 0, 0},
    {"tt.atomic_cas", OpClass::atomic, 3, 3, 1, 0},
    {"tt.atomic_rmw", OpClass::atomic, 2, 3, 1, 0},

    {"tt.reduce", OpClass::reduce, 1, -1, -1, 0},
    {"tt.scan", OpClass::scan, 1, -1, -1, 0},
    {"tt.dot", OpClass::dot, 3, 3, 1, 0},

    {"tt.map_elementwise", OpClass::map, 1, -1, -1, 0},

    {"scf.for", OpClass::control, 3, -1, -1, 0},
    {"scf.if", OpClass::control, 1, 1, -1, 0},
    {"scf.while", OpClass::control, 0, -1, -1, 0},
    {"tt.call", OpClass::control, 0, -1, -1, 0},

    {"cf.br", OpClass::terminator, 0, -1, 0, 0},
    {"cf.cond_br", OpClass::terminator, 1, -1, 0, 0},
    {"scf.condition", OpClass::terminator, 1, -1, 0, 0},
    {"scf.yield", OpClass::terminator, 0, -1, 0, 0},
    {"tt.map_elementwise.return", OpClass::terminator, 1, -1, 0, 0},
    {"tt.reduce.return", OpClass::terminator, 1, -1, 0, 0},
    {"tt.return", OpClass::terminator, 0, -1, 0, 0},
    {"tt.scan.return", OpClass::terminator, 1, -1, 0, 0},

    {"gpu.barrier", OpClass::effect, 0, 0, 0, 0},
    {"llvm.intr.assume", OpClass::effect, 1, 1, 0, 0},
    {"tt.assert", OpClass::effect, 1, 1, 0, 0},
    {"tt.print", OpClass::effect, 0, -1, 0, 0},
    {"ttg.local_barrier", OpClass::effect, 0, 0, 0, 0},
};

}  // namespace

const OpInfo* find_op(std::string_view name) {
  static const auto* const kByName = [] {
    auto* map = new std::unordered_map<std::string_view, const OpInfo*>;
    for (const OpInfo& info : kOps) map->emplace(info.name, &info);
    return map;
  }();
  auto found = kByName->find(name);
  return found == kByName->end() ? nullptr : found->second;
}

}  // namespace tilewise::compiler
