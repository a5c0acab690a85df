// SPDX-License-Identifier: Apache-2.0
#include "compiler/ttir/printer.h"

#include <unordered_map>

namespace tilewise::compiler {
namespace {

// Values get fresh numbers, so that equal modules print equally whatever their values were called.
class Printer {
 public:
  std::string print(const Module& module) {
    out_ = "module {\n";
    for (const auto& function : module.functions) print_function(*function);
    return out_ + "}\n";
  }

 private:
  std::string name(const Value* value) {
    auto [entry, added] = names_.try_emplace(value, "%" + std::to_string(names_.size()));
    return entry->second;
  }
  std::string label(const Block* block) {
    auto [entry, added] = labels_.try_emplace(block, "^bb" + std::to_string(labels_.size()));
    return entry->second;
  }

  void indent() { out_.append(static_cast<size_t>(depth_) * 2, ' '); }

  template <typename List, typename Text>
  void print_list(const List& list, Text text) {
    bool first = true;
    for (const auto& item : list) {
      if (!first) out_ += ", ";
      first = false;
      out_ += text(item);
    }
  }

  static std::string quoted(const std::string& text) {
    std::string result = "\"";
    for (char c : text) {
      if (c == '"' || c == '\\') result += '\\';
      if (c == '\n') {
        result += "\\n";
      } else {
        result += c;
      }
    }
    return result + "\"";
  }

  static std::string attribute_text(const Attribute& attribute) {
    std::string text;
    switch (attribute.kind) {
      case Attribute::Kind::unit:
        return "";
      case Attribute::Kind::string:
        return quoted(attribute.text);
      case Attribute::Kind::word:
        return attribute.text;
      case Attribute::Kind::literal:
        text = attribute.text;
        break;
      case Attribute::Kind::list: {
        for (const std::string& element : attribute.elements) {
          text += (text.empty() ? "" : ", ") + element;
        }
        if (attribute.prefix == "array") {
          const std::string type = to_string(attribute.type);
          return "array<" + type + (text.empty() ? "" : ": " + text) + ">";
        }
        if (attribute.prefix.empty()) return "[" + text + "]";
        text = "dense<" + (attribute.elements.size() == 1 ? text : "[" + text + "]") + ">";
        break;
      }
    }
    if (attribute.type.kind == ScalarKind::none) return text;
    return text + " : " + to_string(attribute.type);
  }

  void print_attributes(const Operation& op) {
    std::map<std::string, Attribute> attributes = op.attributes;
    if (op.successors.size() == 2) {
      // How the operands divide among the condition and the successors.
      Attribute& sizes = attributes["operandSegmentSizes"];
      sizes = {Attribute::Kind::list, "", {"1"}, {}, "array"};
      sizes.type.kind = ScalarKind::i32;
      for (int count : op.successor_operands) sizes.elements.push_back(std::to_string(count));
    }
    if (attributes.empty()) return;
    out_ += " <{";
    print_list(attributes, [](const auto& entry) {
      const std::string text = attribute_text(entry.second);
      return text.empty() ? entry.first : entry.first + " = " + text;
    });
    out_ += "}>";
  }

  void print_region(const Region& region) {
    out_ += "{\n";
    for (const auto& block : region.blocks) {
      indent();
      out_ += label(block.get());
      if (!block->arguments.empty()) {
        out_ += "(";
        print_list(block->arguments, [&](const auto& argument) {
          return name(argument.get()) + ": " + to_string(argument->type);
        });
        out_ += ")";
      }
      out_ += ":\n";
      ++depth_;
      for (const auto& op : block->operations) print_operation(*op);
      --depth_;
    }
    indent();
    out_ += "}";
  }

  void print_operation(const Operation& op) {
    indent();
    if (!op.results.empty()) {
      print_list(op.results, [&](const auto& result) { return name(result.get()); });
      out_ += " = ";
    }
    out_ += "\"" + op.name + "\"(";
    print_list(op.operands, [&](const Value* operand) { return name(operand); });
    out_ += ")";
    if (!op.successors.empty()) {
      out_ += "[";
      print_list(op.successors, [&](const Block* block) { return label(block); });
      out_ += "]";
    }
    print_attributes(op);
    if (!op.regions.empty()) {
      out_ += " (";
      print_list(op.regions, [&](const Region& region) {
        print_region(region);
        return "";
      });
      out_ += ")";
    }
    out_ += " : (";
    print_list(op.operands, [](const Value* operand) { return to_string(operand->type); });
    out_ += ") -> (";
    print_list(op.results, [](const auto& result) { return to_string(result->type); });
    out_ += ")";
    if (op.location.known()) {
      out_ += " loc(" + quoted(op.location.file) + ":" + std::to_string(op.location.line) + ":" +
              std::to_string(op.location.column) + ")";
    }
    out_ += "\n";
  }

  void print_function(const Function& function) {
    depth_ = 1;
    out_ += std::string("  tt.func ") + (function.is_public ? "public" : "private") + " @" +
            function.name + "(";
    print_list(function.arguments(), [&](const auto& argument) {
      return name(argument.get()) + ": " + to_string(argument->type);
    });
    out_ += ")";
    if (!function.results.empty()) {
      out_ += " -> (";
      print_list(function.results, [&](const Type& type) { return to_string(type); });
      out_ += ")";
    }
    out_ += " {\n";
    ++depth_;
    // The entry block's arguments are the function's; its label must not repeat them.
    for (size_t i = 0; i < function.body.blocks.size(); ++i) {
      const Block& block = *function.body.blocks[i];
      if (i > 0) {
        out_ += "  " + label(&block);
        if (!block.arguments.empty()) {
          out_ += "(";
          print_list(block.arguments, [&](const auto& argument) {
            return name(argument.get()) + ": " + to_string(argument->type);
          });
          out_ += ")";
        }
        out_ += ":\n";
      }
      for (const auto& op : block.operations) print_operation(*op);
    }
    out_ += "  }\n";
  }

  std::string out_;
  int depth_ = 0;
  std::unordered_map<const Value*, std::string> names_;
  std::unordered_map<const Block*, std::string> labels_;
};

}  // namespace

std::string print_module(const Module& module) { return Printer().print(module); }

}  // namespace tilewise::compiler
