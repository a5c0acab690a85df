// SPDX-License-Identifier: Apache-2.0
#include "compiler/passes/outline_regions.h"

#include <algorithm>
#include <unordered_set>

#include "compiler/passes/uses.h"
#include "compiler/ttir/clone.h"
#include "compiler/ttir/op_table.h"

namespace tilewise::compiler {
namespace {

bool is_lanewise(const Region& region) {
  if (region.blocks.size() != 1) return false;
  return std::all_of(
      region.blocks[0]->operations.begin(), region.blocks[0]->operations.end(), [](const auto& op) {
        return is_class(*op, OpClass::elementwise) || is_class(*op, OpClass::constant) ||
               is_class(*op, OpClass::terminator);
      });
}

std::unique_ptr<Operation> make_operation(const char* name, std::vector<Value*> operands,
                                          const Operation& like) {
  auto op = std::make_unique<Operation>();
  op->name = name;
  op->info = find_op(name);
  op->operands = std::move(operands);
  op->location = like.location;
  return op;
}

Value* add_result(Operation& op, const Type& type) {
  auto result = std::make_unique<Value>();
  result->name = "region";
  result->type = type;
  result->definition = &op;
  result->index = static_cast<int>(op.results.size());
  op.results.push_back(std::move(result));
  return op.results.back().get();
}

class RegionOutliner {
 public:
  explicit RegionOutliner(Module& module) : module_(module), kernel_(module.kernel()) {}

  void run() {
    for (Operation* op : all_operations(kernel_)) {
      if (op->is("tt.map_elementwise")) {
        build_map(*op);
      } else if (is_class(*op, OpClass::reduce) || is_class(*op, OpClass::scan)) {
        if (!is_lanewise(op->regions[0])) build_combine(*op);
      }
    }
    for (Operation* op : all_operations(kernel_)) {
      for (Value*& operand : op->operands) {
        for (auto found = replaced_.find(operand); found != replaced_.end();
             found = replaced_.find(operand)) {
          operand = found->second;
        }
      }
    }
    number_operations(kernel_);
    for (auto& function : module_.functions) number_operations(*function);
  }

 private:
  // --- Reductions and scans.

  void build_combine(Operation& op) {
    Region& region = op.regions[0];
    auto block = std::make_unique<Block>();
    block->parent = &op;
    std::vector<Value*> arguments;
    for (const auto& argument : region.blocks[0]->arguments) {
      auto copy = std::make_unique<Value>();
      copy->name = argument->name;
      copy->type = argument->type;
      copy->block = block.get();
      copy->index = argument->index;
      arguments.push_back(copy.get());
      block->arguments.push_back(std::move(copy));
    }
    const std::string callee = outline(region, op, 1);
    auto apply = make_operation("tilewise.apply", arguments, op);
    apply->attributes["callee"] = {Attribute::Kind::word, callee, {}, {}, ""};
    apply->parent = block.get();
    std::vector<Value*> results;
    for (Value* operand : op.operands) {
      results.push_back(add_result(*apply, operand->type.scalar()));
    }
    auto end = make_operation(is_class(op, OpClass::scan) ? "tt.scan.return" : "tt.reduce.return",
                              results, op);
    end->parent = block.get();
    block->operations.push_back(std::move(apply));
    block->operations.push_back(std::move(end));
    region.blocks.clear();
    region.blocks.push_back(std::move(block));
  }

  // Moves the region's blocks into a function that returns every `pack`-th of its results.
  std::string outline(Region& region, const Operation& op, int64_t pack) {
    auto function = std::make_unique<Function>();
    function->name = "region" + std::to_string(module_.functions.size() - 1);
    function->is_public = false;
    function->location = op.location;
    function->body.blocks = std::move(region.blocks);
    region.blocks.clear();
    Block& entry = *function->body.blocks[0];
    for (auto& block : function->body.blocks) {
      block->parent = nullptr;
      Operation* end = block->terminator();
      if (!end || end->successors.size() > 0) continue;
      end->name = "tt.return";
      end->info = find_op("tt.return");
      std::vector<Value*> kept;
      for (size_t i = 0; i < end->operands.size(); i += pack) kept.push_back(end->operands[i]);
      end->operands = std::move(kept);
      function->results.clear();
      for (const Value* value : end->operands) function->results.push_back(value->type);
    }
    check_operations(*function);
    copy_constants(*function, entry);
    const std::string name = function->name;
    module_.functions.push_back(std::move(function));
    return name;
  }

  static void check_operations(const Function& function) {
    for (const Operation* op : all_operations(function)) {
      bool allowed = is_class(*op, OpClass::elementwise) || is_class(*op, OpClass::constant) ||
                     is_class(*op, OpClass::control) || is_class(*op, OpClass::terminator) ||
                     is_class(*op, OpClass::effect);
      for (const auto& result : op->results) allowed &= !result->type.is_tensor;
      if (!allowed) {
        throw CompileError(op->location, op->name + ": is not supported in a combine region");
      }
    }
  }

  // Constants may have been hoisted out of the region; a function needs its own.
  static void copy_constants(Function& function, Block& entry) {
    ValueMap copies;
    Block constants;
    std::unordered_set<const Value*> inside;
    for (const auto& block : function.body.blocks) {
      for (const auto& argument : block->arguments) inside.insert(argument.get());
    }
    const std::vector<Operation*> operations = all_operations(function);
    for (const Operation* op : operations) {
      for (const auto& result : op->results) inside.insert(result.get());
      for (const Region& region : op->regions) {
        for (const auto& block : region.blocks) {
          for (const auto& argument : block->arguments) inside.insert(argument.get());
        }
      }
    }
    for (Operation* op : operations) {
      for (Value*& operand : op->operands) {
        if (inside.contains(operand)) continue;
        auto known = copies.find(operand);
        if (known == copies.end()) {
          Operation* constant = operand->definition;
          if (!constant || !is_class(*constant, OpClass::constant)) {
            throw CompileError(op->location, "a combine region that uses values from outside");
          }
          auto copy = make_operation(constant->name.c_str(), {}, *constant);
          copy->attributes = constant->attributes;
          copy->parent = &entry;
          known = copies.emplace(operand, add_result(*copy, operand->type)).first;
          constants.operations.push_back(std::move(copy));
        }
        operand = known->second;
      }
    }
    entry.operations.insert(entry.operations.begin(),
                            std::make_move_iterator(constants.operations.begin()),
                            std::make_move_iterator(constants.operations.end()));
  }

  // --- Maps. A region of several arguments per operand (pack) treats them alike, so each lane
  // passes its element for all of them and takes the first result.

  void build_map(Operation& op) {
    const int64_t pack = op.integer("pack");
    if (pack < 1 || op.regions.size() != 1 || op.regions[0].blocks.empty() ||
        op.regions[0].blocks[0]->arguments.size() != op.operands.size() * pack) {
      throw CompileError(op.location, op.name + ": operands and arguments do not match");
    }
    std::vector<Value*> operands;
    for (Value* operand : op.operands) operands.insert(operands.end(), pack, operand);
    if (is_lanewise(op.regions[0])) return splice_map(op, operands, pack);
    op.attributes["callee"] = {Attribute::Kind::word, outline(op.regions[0], op, pack), {}, {}, ""};
    op.name = "tilewise.apply";
    op.info = find_op("tilewise.apply");
    op.operands = std::move(operands);
    op.regions.clear();
  }

  // The region's operations on whole tensors, before the map; the map itself stays without a use.
  void splice_map(Operation& op, const std::vector<Value*>& operands, int64_t pack) {
    Block& region = *op.regions[0].blocks[0];
    Type shape = op.operand(0)->type;
    std::vector<std::unique_ptr<Operation>> tensors;
    ValueMap map;
    for (size_t i = 0; i < operands.size(); ++i) map[region.arguments[i].get()] = operands[i];
    auto tensor_of = [&](Value* scalar) {
      Value*& tensor = map[scalar];
      if (tensor) return tensor;
      auto splat = make_operation("tt.splat", {scalar}, op);
      Type type = scalar->type;
      type.is_tensor = true;
      type.shape = shape.shape;
      tensor = add_result(*splat, type);
      tensors.push_back(std::move(splat));
      return tensor;
    };
    for (auto& inner : region.operations) {
      if (is_class(*inner, OpClass::terminator)) {
        for (size_t i = 0; i < op.results.size(); ++i) {
          replaced_[op.results[i].get()] = tensor_of(inner->operands.at(i * pack));
        }
        continue;
      }
      if (is_class(*inner, OpClass::constant)) {
        tensors.push_back(std::move(inner));
        continue;
      }
      for (Value*& operand : inner->operands) operand = tensor_of(operand);
      for (auto& result : inner->results) {
        result->type.is_tensor = true;
        result->type.shape = shape.shape;
        map[result.get()] = result.get();
      }
      tensors.push_back(std::move(inner));
    }
    auto& operations = op.parent->operations;
    auto at = std::find_if(operations.begin(), operations.end(),
                           [&](const auto& other) { return other.get() == &op; });
    for (auto& tensor : tensors) tensor->parent = op.parent;
    std::unique_ptr<Operation> map_op = std::move(*at);
    at = operations.erase(at);
    operations.insert(at, std::make_move_iterator(tensors.begin()),
                      std::make_move_iterator(tensors.end()));
    gone_.push_back(std::move(map_op));
  }

  Module& module_;
  Function& kernel_;
  ValueMap replaced_;
  std::vector<std::unique_ptr<Operation>> gone_;  // Until no operand names their results.
};

}  // namespace

void outline_regions(Module& module) { RegionOutliner(module).run(); }

}  // namespace tilewise::compiler
