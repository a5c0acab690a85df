// SPDX-License-Identifier: Apache-2.0
#include "compiler/passes/inline_calls.h"

#include <algorithm>

#include "compiler/passes/uses.h"
#include "compiler/ttir/clone.h"

namespace tilewise::compiler {
namespace {

class Inliner {
 public:
  explicit Inliner(Module& module) : module_(module) {}

  void run() {
    Function& kernel = module_.kernel();
    for (auto& block : kernel.body.blocks) visit(*block);
    for (Operation* op : all_operations(kernel)) {
      for (Value*& operand : op->operands) operand = final_value(operand);
    }
    std::erase_if(module_.functions, [](const auto& function) { return !function->is_public; });
    number_operations(kernel);
  }

 private:
  void visit(Block& block) {
    for (size_t i = 0; i < block.operations.size();) {
      const bool is_call = block.operations[i]->is("tt.call");
      // What was spliced in may call in turn, so it is looked at again.
      if (is_call && expand(block, i)) continue;
      for (Region& region : block.operations[i]->regions) {
        for (auto& inner : region.blocks) visit(*inner);
      }
      ++i;
    }
  }

  // True if the call is gone and block.operations[i] is the first operation that replaces it.
  bool expand(Block& block, size_t i) {
    Operation& call = *block.operations[i];
    const Function& callee = *module_.find(call.word("callee"));
    if (++expansions_ > kMaxExpansions) {
      throw CompileError(call.location, "tt.call: the call is recursive");
    }
    ValueMap map;
    for (size_t k = 0; k < callee.arguments().size(); ++k) {
      map[callee.arguments()[k].get()] = call.operands[k];
    }
    if (callee.body.blocks.size() > 1) {
      call.regions.emplace_back();
      clone_region(callee.body, call.regions[0], &call, map);
      // The entry block's arguments are the call's operands.
      Block& entry = *call.regions[0].blocks[0];
      for (size_t k = 0; k < entry.arguments.size(); ++k) {
        replaced_[entry.arguments[k].get()] = call.operands[k];
        kept_.push_back(std::move(entry.arguments[k]));
      }
      entry.arguments.clear();
      return false;
    }
    Block body;
    clone_operations(*callee.body.blocks[0], body, map);
    const Operation& end = *body.terminator();
    for (size_t k = 0; k < call.results.size(); ++k) {
      replaced_[call.results[k].get()] = end.operands[k];
    }
    kept_.insert(kept_.end(), std::make_move_iterator(call.results.begin()),
                 std::make_move_iterator(call.results.end()));
    body.operations.pop_back();
    for (auto& op : body.operations) op->parent = &block;
    auto at = block.operations.erase(block.operations.begin() + static_cast<ptrdiff_t>(i));
    block.operations.insert(at, std::make_move_iterator(body.operations.begin()),
                            std::make_move_iterator(body.operations.end()));
    return true;
  }

  Value* final_value(Value* value) const {
    for (auto found = replaced_.find(value); found != replaced_.end();
         found = replaced_.find(value)) {
      value = found->second;
    }
    return value;
  }

  // Triton has no recursion; a module that has it would be inlined for ever.
  static constexpr int kMaxExpansions = 10000;

  Module& module_;
  ValueMap replaced_;
  std::vector<std::unique_ptr<Value>> kept_;  // Replaced values, until no operand names them.
  int expansions_ = 0;
};

}  // namespace

void inline_calls(Module& module) { Inliner(module).run(); }

}  // namespace tilewise::compiler
