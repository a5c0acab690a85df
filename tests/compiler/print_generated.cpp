// SPDX-License-Identifier: Apache-2.0
// Prints generated LLVM text for the Python tests, which compile and run it:
//
//   print_generated host                               the name of the host's target
//   print_generated describe TARGET                    triple, cpu and features, one per line
//   print_generated math TARGET TYPE LANES OP...       a module with one caller "run_OP" per OP
//   print_generated dot TARGET M N K                   a module with one caller "run"
//   print_generated bf16-dot TARGET M N K              the same
#include <cstdio>
#include <cstring>
#include <exception>
#include <iostream>
#include <string>

#include "compiler/llvm/dot_kernel.h"
#include "compiler/llvm/math_library.h"
#include "compiler/target.h"

namespace {

using namespace tilewise::compiler;

// void run_OP(result, x, y, count): over arrays, `lanes` at a time, for any alignment.
std::string array_loop(const std::string& op, const std::string& function, FloatType type,
                       int lanes, int arity) {
  const std::string vector = llvm_vector_name(type, lanes);
  const std::string element = llvm_name(type);
  std::string text = "define void @run_" + op + "(ptr %r, ptr %a0, ptr %a1, i64 %n) {\n" +
                     "entry:\n  br label %loop\nloop:\n"
                     "  %i = phi i64 [0, %entry], [%next, %loop]\n";
  std::string list;
  for (int k = 0; k < arity; ++k) {
    const std::string id = std::to_string(k);
    text += "  %p" + id + " = getelementptr " + element + ", ptr %a" + id + ", i64 %i\n  %x" + id +
            " = load " + vector + ", ptr %p" + id + ", align 4\n";
    list += (k > 0 ? ", " : "") + vector + " %x" + id;
  }
  text += "  %y = call " + vector + " @" + function + "(" + list + ")\n" + "  %q = getelementptr " +
          element + ", ptr %r, i64 %i\n  store " + vector +
          " %y, ptr %q, align 4\n  %next = add i64 %i, " + std::to_string(lanes) +
          "\n  %more = icmp slt i64 %next, %n\n"
          "  br i1 %more, label %loop, label %done\ndone:\n  ret void\n}\n\n";
  return text;
}

void print_math(char** arguments, int count) {
  const Target target = target_from_name(arguments[0]);
  const FloatType type = std::strcmp(arguments[1], "f64") == 0 ? FloatType::f64 : FloatType::f32;
  const int lanes = std::stoi(arguments[2]);
  std::cout << math_declarations(target);
  for (int i = 3; i < count; ++i) {
    MathOp op;
    if (!math_op_from_name(arguments[i], op)) throw std::invalid_argument(arguments[i]);
    std::string name;
    std::cout << math_function(op, type, lanes, target, name);
    std::cout << array_loop(arguments[i], name, type, lanes, math_op_arity(op));
  }
}

void print_dot(char** arguments, bool bf16) {
  const Target target = target_from_name(arguments[0]);
  std::string name;
  const DotShape shape = {
      .m = std::stoi(arguments[1]), .n = std::stoi(arguments[2]), .k = std::stoi(arguments[3])};
  std::cout << (bf16 ? bf16_dot_function : dot_function)(shape, target, name);
  std::cout << "define void @run(ptr %a, i64 %a_step, ptr %b, ptr %c, i64 %m, "
               "i64 %n, i64 %k) {\n  call void @"
            << name
            << "(ptr %a, i64 %a_step, ptr %b, ptr %c, i64 %m, i64 %n, i64 %k)\n  ret void\n}\n";
}

}  // namespace

int main(int argc, char** argv) {
  const std::string command = argc > 1 ? argv[1] : "";
  try {
    if (command == "host") {
      std::cout << host_target_name() << "\n";
    } else if (command == "describe" && argc == 3) {
      const Target target = target_from_name(argv[2]);
      std::cout << target.triple << "\n" << target.cpu << "\n" << target.features << "\n";
    } else if (command == "math" && argc > 5) {
      print_math(argv + 2, argc - 2);
    } else if ((command == "dot" || command == "bf16-dot") && argc == 6) {
      print_dot(argv + 2, command == "bf16-dot");
    } else {
      std::cerr << "see the top of print_generated.cpp\n";
      return 2;
    }
  } catch (const std::exception& error) {
    std::cerr << error.what() << "\n";
    return 1;
  }
}
