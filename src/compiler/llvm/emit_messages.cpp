// SPDX-License-Identifier: Apache-2.0
// tl.device_assert and tl.device_print: calls of backends/cpu/kernel_messages.h.
#include <cstdio>

#include "compiler/llvm/kernel_emitter.h"

namespace tilewise::compiler {
namespace {

// As backends::PrintedValue names them.
enum Format { kSigned, kUnsigned, kFloat, kHex };

Format format_of(const Operation& op, int operand) {
  const ScalarKind kind = op.operand(operand)->type.kind;
  if (op.word("hex") == "true" || kind == ScalarKind::pointer) return kHex;
  if (is_float(kind)) return kFloat;
  const Attribute* is_signed = op.attribute("isSigned");
  const bool known = is_signed && static_cast<int>(is_signed->elements.size()) > operand;
  return known && is_signed->elements[operand] == "0" ? kUnsigned : kSigned;
}

}  // namespace

// A global with the text and a zero byte.
std::string KernelEmitter::message_text(const std::string& text) {
  std::string bytes;
  for (unsigned char c : text) {
    char hex[4];
    std::snprintf(hex, sizeof hex, "\\%02X", c);
    bytes += hex;
  }
  return module_.global("[" + std::to_string(text.size() + 1) + " x i8] c\"" + bytes + "\\00\"");
}

// The function returns where an assertion fails: what follows may rely on it.
void KernelEmitter::emit_assertion(const Operation& op, const std::string& condition) {
  const std::string name = message_text(op.word("message") + " (" + op.location.text() + ")");
  module_.declare("declare void @tilewise_assert_fail(ptr)");
  const std::string fails = builder_.fresh_label("fails");
  const std::string holds = builder_.fresh_label("holds");
  builder_.line("br i1 " + condition + ", label %" + holds + ", label %" + fails);
  builder_.label(fails);
  builder_.line("call void @tilewise_assert_fail(ptr " + name + ")");
  const std::vector<Type>& results = program_.function->results;
  builder_.line(results.empty() ? "ret void"
                                : "ret " + scalar_result_type(results) + " zeroinitializer");
  builder_.label(holds);
}

void KernelEmitter::emit_scalar_print(const Operation& op) {
  if (op.operand_count() == 0) return emit_print(op, -1, "", {});
  for (int i = 0; i < op.operand_count(); ++i) {
    if (!op.operand(i)->type.is_tensor) emit_print(op, i, scalar(op.operand(i)), {});
  }
}

void KernelEmitter::emit_print(const Operation& op, int operand, const std::string& value,
                               const std::vector<std::string>& index) {
  if (!program_.function->is_public) {
    throw CompileError(op.location, op.name + ": is not supported in a combine region");
  }
  std::string bits = "0";
  int width = 0;
  Format format = kSigned;
  if (operand >= 0) {
    const ScalarKind kind = op.operand(operand)->type.kind;
    format = format_of(op, operand);
    width = kind == ScalarKind::pointer ? 64 : bit_width(kind);
    const std::string type = llvm_type(kind, 1);
    if (kind == ScalarKind::pointer) {
      bits = builder_.assign("ptrtoint ptr " + value + " to i64");
    } else if (format == kFloat) {
      const std::string wide = lane_ops_.convert_float(value, kind, ScalarKind::f64, 1);
      bits = builder_.assign("bitcast double " + wide + " to i64");
    } else {
      std::string integer = value;
      if (is_float(kind)) {
        const std::string whole = "i" + std::to_string(width);
        if (type != whole)
          integer = builder_.assign("bitcast " + type + " " + value + " to " + whole);
      }
      const char* extend = format == kSigned && width > 1 ? "sext" : "zext";
      bits = width == 64 ? integer
                         : builder_.assign(std::string(extend) + " i" + std::to_string(width) +
                                           " " + integer + " to i64");
    }
  }
  std::string prefix = op.word("message");
  if (op.operand_count() > 1) prefix += "(operand " + std::to_string(operand) + ") ";

  // The struct PrintedValue and the arrays that it points to.
  const std::string program = builder_.slot("[3 x i32]");
  const std::string indices = builder_.slot("[" + std::to_string(index.size() + 1) + " x i64]");
  const std::string record = builder_.slot("{ ptr, ptr, ptr, i32, i32, i32, i64 }");
  auto store = [&](const char* type, const std::string& text, const std::string& base, int64_t at) {
    const std::string address =
        builder_.assign("getelementptr inbounds i8, ptr " + base + ", i64 " + std::to_string(at));
    builder_.line(std::string("store ") + type + " " + text + ", ptr " + address);
  };
  const char* axes[] = {"%program.x", "%program.y", "%program.z"};
  for (int d = 0; d < 3; ++d) store("i32", axes[d], program, d * 4);
  for (size_t d = 0; d < index.size(); ++d)
    store("i64", index[d], indices, static_cast<int64_t>(d) * 8);
  store("ptr", message_text(prefix), record, 0);
  store("ptr", program, record, 8);
  store("ptr", operand < 0 ? "null" : indices, record, 16);
  store("i32", std::to_string(index.size()), record, 24);
  store("i32", std::to_string(format), record, 28);
  store("i32", std::to_string(width), record, 32);
  store("i64", bits, record, 40);
  module_.declare("declare void @tilewise_print(ptr)");
  builder_.line("call void @tilewise_print(ptr " + record + ")");
}

}  // namespace tilewise::compiler
