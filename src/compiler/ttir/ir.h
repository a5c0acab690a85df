// SPDX-License-Identifier: Apache-2.0
// Parsed Triton IR: a module owns functions, a function regions, a region blocks, a block
// operations in order. Values are owned by the operation or block that defines them. The form is
// generic: any operation of any dialect can be held; what the compiler understands is listed in
// op_table.h.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "compiler/compile_error.h"
#include "compiler/ttir/types.h"

namespace tilewise::compiler {

struct Block;
struct Operation;
struct OpInfo;

// An SSA value: the result `index` of `definition`, or an argument of `block`.
struct Value {
  std::string name;  // Without the %; only for messages and dumps.
  Type type;
  Operation* definition = nullptr;
  Block* block = nullptr;
  int index = 0;
};

// Attributes are kept as text, which prints and compares exactly; numbers are decoded on use.
struct Attribute {
  enum class Kind : uint8_t { literal, string, word, list, unit };
  Kind kind = Kind::unit;
  std::string text;                   // literal, string, word
  std::vector<std::string> elements;  // list: of array<...>, [...] or dense<...>
  Type type;                          // literal and list: none if not stated
  std::string prefix;                 // list: "dense", "array" or ""
};

struct Region {
  std::vector<std::unique_ptr<Block>> blocks;
};

struct Operation {
  std::string name;
  const OpInfo* info = nullptr;  // Set by the verifier; null until then.
  std::vector<Value*> operands;
  std::vector<std::unique_ptr<Value>> results;
  std::map<std::string, Attribute> attributes;
  std::vector<Region> regions;
  std::vector<Block*>
      successors;  // cf.br, cf.cond_br; their arguments follow each other in operands.
  std::vector<int> successor_operands;  // How many operands go to each successor.
  SourceLocation location;
  Block* parent = nullptr;
  int index = 0;  // Position in the text of the function, for program order.

  bool is(std::string_view other) const { return name == other; }
  Value* result(int i = 0) const { return results.at(i).get(); }
  Value* operand(int i) const { return operands.at(i); }
  int operand_count() const { return static_cast<int>(operands.size()); }
  const Attribute* attribute(const std::string& key) const {
    auto found = attributes.find(key);
    return found == attributes.end() ? nullptr : &found->second;
  }
  // The attribute's text, or `otherwise` where it is absent.
  std::string word(const std::string& key, const std::string& otherwise = "") const {
    const Attribute* found = attribute(key);
    return found ? found->text : otherwise;
  }
  int64_t integer(const std::string& key) const;  // CompileError where absent or no integer.
};

struct Block {
  std::string label;
  std::vector<std::unique_ptr<Value>> arguments;
  std::vector<std::unique_ptr<Operation>> operations;
  Operation* parent = nullptr;  // Null for the blocks of a function.

  Operation* terminator() const { return operations.empty() ? nullptr : operations.back().get(); }
};

struct Function {
  std::string name;
  bool is_public = true;
  std::vector<Type> results;  // None of a kernel.
  Region body;
  SourceLocation location;

  const std::vector<std::unique_ptr<Value>>& arguments() const {
    return body.blocks.at(0)->arguments;
  }
};

struct Module {
  std::vector<std::unique_ptr<Function>> functions;

  // The kernel: the one public function.
  Function& kernel() const;
  Function* find(std::string_view name) const;  // Null if there is none.
};

// Numbers every operation in text order (Operation::index); call after any change of the IR.
void number_operations(Function& function);

// The elements of arith.constant: one if it is a scalar or a splat.
// Integers sign-extended, floats exactly as doubles (fp16 and bf16 fit).
bool constant_is_splat(const Operation& constant);
int64_t constant_integer(const Operation& constant, size_t element = 0);
double constant_float(const Operation& constant, size_t element = 0);

}  // namespace tilewise::compiler
