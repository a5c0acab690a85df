// SPDX-License-Identifier: Apache-2.0
// LLVM assembly as text: where the next instruction goes, fresh names, and what the module needs
// besides its kernel. Types and constants of lanes have their spelling here too.
//
//   std::string sum = builder.assign("fadd <16 x float> " + a + ", " + b);
#pragma once

#include <map>
#include <set>
#include <string>
#include <vector>

#include "compiler/llvm/math_library.h"
#include "compiler/ttir/types.h"

namespace tilewise::compiler {

// How LLVM spells `lanes` values of a kind; one lane is a scalar. bf16 is carried as its bits in
// i16, because LLVM rounds bfloat with instructions that flush denormals.
std::string llvm_type(ScalarKind kind, int lanes);
// The same as it lies in memory: i1 as i8.
std::string llvm_storage_type(ScalarKind kind, int lanes);

// How a function returns scalars: "void", "float", "{ float, i32 }".
std::string scalar_result_type(const std::vector<Type>& results);

std::string integer_constant(int64_t value, ScalarKind kind, int lanes);
std::string float_constant(double value, ScalarKind kind, int lanes);
// One text for all lanes: "splat (i32 1)" or "1".
std::string splat_constant(const std::string& scalar, ScalarKind kind, int lanes);
bool is_constant_text(const std::string& text);  // Not a register.

class TextBuilder {
 public:
  explicit TextBuilder(std::string* out) : out_(out) {}

  std::string fresh() { return "%v" + std::to_string(next_++); }
  std::string fresh_label(const char* stem) { return stem + std::to_string(next_++); }

  std::string assign(const std::string& instruction) {
    std::string name = fresh();
    *out_ += "  " + name + " = " + instruction + "\n";
    return name;
  }
  void line(const std::string& instruction) { *out_ += "  " + instruction + "\n"; }
  void label(const std::string& name) { *out_ += name + ":\n"; }
  void text(const std::string& lines) { *out_ += lines; }

  // A stack slot in the function's entry; LLVM turns slots of scalars and vectors into registers.
  std::string slot(const std::string& type) {
    std::string name = fresh();
    entry_ += "  " + name + " = alloca " + type + "\n";
    return name;
  }
  const std::string& entry() const { return entry_; }

  // Sends what follows to another text until destroyed.
  class Redirect {
   public:
    Redirect(TextBuilder& builder, std::string& out) : builder_(builder), previous_(builder.out_) {
      builder.out_ = &out;
    }
    ~Redirect() { builder_.out_ = previous_; }
    Redirect(const Redirect&) = delete;
    Redirect& operator=(const Redirect&) = delete;

   private:
    TextBuilder& builder_;
    std::string* previous_;
  };

 private:
  std::string* out_;
  std::string entry_;
  int next_ = 0;
};

// What stands in the module beside the kernel.
class ModuleText {
 public:
  explicit ModuleText(const Target& target) : target_(target), vector_bytes_(target.vector_bytes) {}

  const Target& target() const { return target_; }
  void declare(const std::string& declaration) { declarations_.insert(declaration); }
  void define(const std::string& name, const std::string& text) { functions_[name] = text; }
  bool has_function(const std::string& name) const { return functions_.contains(name); }
  // The name of the math library's function, with its @.
  std::string math(MathOp op, FloatType type, int lanes);
  // A constant array; returns its name, with its @.
  std::string global(const std::string& initializer);
  // Of the vector registers that LLVM uses; the target's if it is not called.
  void set_vector_bytes(int bytes) { vector_bytes_ = bytes; }
  int vector_bytes() const { return vector_bytes_; }
  // The module with the kernel's function.
  std::string whole_text(const std::string& kernel) const;

 private:
  const Target& target_;
  int vector_bytes_;
  std::set<std::string> declarations_;
  std::map<std::string, std::string> functions_;
  std::string globals_;
  int global_count_ = 0;
  bool uses_math_ = false;
};

}  // namespace tilewise::compiler
