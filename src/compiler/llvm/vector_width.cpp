// SPDX-License-Identifier: Apache-2.0
#include "compiler/llvm/vector_width.h"

#include <algorithm>

#include "compiler/llvm/nest_plan.h"

namespace tilewise::compiler {
namespace {

constexpr int kNarrow = 32;
// Additions for each element.
constexpr int kMostWork = 3;

bool moves_memory(const Root& root) {
  return root.kind == Root::Kind::store || root.kind == Root::Kind::reduce ||
         root.kind == Root::Kind::materialize;
}

bool is_light(const TileProgram& program, const Schedule& schedule, const Target& target) {
  for (const auto& item : schedule.items) {
    if (item->kind == Item::Kind::nest) {
      const NestPlan plan = plan_nest(program, *item, target);
      const bool is_single = plan.iterations() * plan.lanes == 1;
      if (!is_single && (plan.work > kMostWork || plan.converts)) return false;
      if (!std::all_of(item->roots.begin(), item->roots.end(), moves_memory)) return false;
    } else if (item->kind != Item::Kind::operation && item->kind != Item::Kind::control) {
      return false;
    }
    for (const auto& region : item->regions)
      if (!is_light(program, *region, target)) return false;
  }
  return true;
}

}  // namespace

int choose_vector_bytes(const TileProgram& program, const Target& target) {
  if (target.vector_bytes <= kNarrow) return target.vector_bytes;
  // Accumulators have to fit half of the registers then, too.
  int64_t bytes = 0;
  for (const auto& buffer : program.buffers) {
    if (!buffer->in_registers) return target.vector_bytes;
    bytes = std::max(bytes, buffer->elements * storage_bytes(buffer->kind));
  }
  if (2 * bytes > int64_t{target.vector_registers} * kNarrow) return target.vector_bytes;
  for (const auto& schedule : program.schedules)
    if (!is_light(program, *schedule, target)) return target.vector_bytes;
  return kNarrow;
}

}  // namespace tilewise::compiler
