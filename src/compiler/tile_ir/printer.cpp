// SPDX-License-Identifier: Apache-2.0
// The text of `dump_stage("tile")`: every item on a line, expressions by the names of their values.
#include "compiler/tile_ir/nodes.h"

namespace tilewise::compiler {
namespace {

std::string shape_text(const std::vector<int64_t>& shape) {
  std::string text;
  for (int64_t extent : shape) text += (text.empty() ? "" : "x") + std::to_string(extent);
  return "[" + text + "]";
}

std::string view_text(const BufferView& view) {
  if (!view.buffer) return "none";
  return "buffer" + std::to_string(view.buffer->id);
}

std::string operand_text(const std::vector<Value*>& operands) {
  std::string text;
  for (const Value* operand : operands) text += (text.empty() ? "%" : ", %") + operand->name;
  return text;
}

std::string root_text(const Root& root) {
  std::string text;
  switch (root.kind) {
    case Root::Kind::store:
      text = "store " + operand_text(root.op->operands);
      break;
    case Root::Kind::atomic:
      text = "atomic " + operand_text(root.op->operands);
      break;
    case Root::Kind::assertion:
      text = "assert " + operand_text(root.op->operands);
      break;
    case Root::Kind::materialize:
      text = "materialize %" + root.value->name;
      break;
    case Root::Kind::gather:
      text = "gather " + operand_text(root.op->operands);
      break;
    case Root::Kind::histogram:
      text = "histogram " + operand_text(root.op->operands);
      break;
    case Root::Kind::print:
      text = "print %" + root.value->name;
      break;
    case Root::Kind::scan:
    case Root::Kind::reduce:
      text = std::string(root.kind == Root::Kind::scan ? "scan " : "reduce ") +
             operand_text(root.op->operands) + " axis " + root.op->word("axis");
      break;
  }
  for (const BufferView& view : root.views) text += " -> " + view_text(view);
  return text;
}

void print_schedule(const Schedule& schedule, int depth, std::string& out) {
  const std::string indent(static_cast<size_t>(depth) * 2, ' ');
  for (const auto& item : schedule.items) {
    switch (item->kind) {
      case Item::Kind::operation:
        out += indent + item->op->name + " " + operand_text(item->op->operands);
        for (const auto& result : item->op->results) out += " -> %" + result->name;
        out += "\n";
        break;
      case Item::Kind::nest:
        out += indent + "nest " + shape_text(item->shape);
        out += item->in_place == Item::InPlace::no ? "\n" : " unless in place\n";
        for (const Root& root : item->roots) out += indent + "  " + root_text(root) + "\n";
        break;
      case Item::Kind::dot:
        out += indent + "dot " + view_text(item->a) + " * " + view_text(item->b) +
               " += " + view_text(item->c);
        if (item->few_rows) out += " rows in mask";
        if (item->few_columns) out += " columns in mask";
        if (item->pairs.buffer) out += " pairs " + view_text(item->pairs);
        out += "\n";
        break;
      case Item::Kind::copy:
        out += indent + "copy " + view_text(item->a) + " -> " + view_text(item->b) + "\n";
        break;
      case Item::Kind::clear:
        out += indent + "clear " + view_text(item->a) + "\n";
        break;
      case Item::Kind::control:
        out += indent + item->op->name + " " + operand_text(item->op->operands) + "\n";
        for (const auto& region : item->regions) {
          out += indent + "{\n";
          print_schedule(*region, depth + 1, out);
          out += indent + "}\n";
        }
        break;
    }
  }
}

}  // namespace

std::string print_tile_program(const TileProgram& program) {
  std::string out = "kernel @" + program.function->name + " scratch " +
                    std::to_string(program.scratch_bytes) + "\n";
  for (const auto& buffer : program.buffers) {
    out += "  buffer" + std::to_string(buffer->id) + ": " + kind_name(buffer->kind) + " x " +
           std::to_string(buffer->elements) + "\n";
  }
  for (const auto& schedule : program.schedules) {
    out += "block\n";
    print_schedule(*schedule, 1, out);
  }
  return out;
}

}  // namespace tilewise::compiler
