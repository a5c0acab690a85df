// SPDX-License-Identifier: Apache-2.0
#include "codegen/pointwise_source.h"

#include <sstream>
#include <vector>

#include "codegen/source_text.h"

namespace tilewise::codegen {
namespace {

class SourceWriter {
 public:
  SourceWriter(const ScalarFunction& function, const PointwiseVariant& variant)
      : function_(function), variant_(variant) {}

  std::string write() {
    out_ << "import triton\nimport triton.language as tl\n"
         << definition() << "\n\n\n"
         << "@triton.jit\ndef kernel(" << join(parameters()) << "):\n";
    if (variant_.is_flat())
      write_flat_indices();
    else
      write_strided_indices();
    for (int i = 0; i < variant_.inputs; ++i) write_load(i);
    for (int i = 0; i < variant_.scalars; ++i)
      for (const std::string& part : parts("s" + number(i)))
        line(part + " = " + part + ".to(" + compute() + ")");
    write_call();
    for (int i = 0; i < variant_.outputs; ++i) write_store(i);
    return out_.str();
  }

 private:
  static std::string number(int i) { return std::to_string(i); }

  std::string definition() const {
    if (!function_.source.empty()) return function_.source;
    return "from " + dotted(function_.module) + " import " + function_.name;
  }

  // The names of a value's parts: real and imaginary, or the value alone.
  std::vector<std::string> parts(const std::string& name) const {
    if (!variant_.is_complex) return {name};
    return {name, name + "_imag"};
  }

  static void append(std::vector<std::string>& list, const std::vector<std::string>& more) {
    list.insert(list.end(), more.begin(), more.end());
  }

  std::string compute() const { return type_expression(variant_.compute); }

  const Operand& operand(int i) const { return variant_.operands[static_cast<size_t>(i)]; }

  std::string operand_name(int i) const {
    return i < variant_.outputs ? "out" + number(i) : "in" + number(i - variant_.outputs);
  }

  std::vector<std::string> parameters() const {
    std::vector<std::string> list;
    for (int i = 0; i < variant_.operand_count(); ++i)
      if (operand(i).inner == InnerStride::value)
        append(list, parts(operand_name(i)));
      else
        list.push_back(operand_name(i));
    for (int i = 0; i < variant_.scalars; ++i) append(list, parts("s" + number(i)));
    if (variant_.is_flat()) {
      list.push_back("n");
      for (int i = 0; i < variant_.operand_count(); ++i)
        if (operand(i).inner == InnerStride::any) list.push_back(stride_name(i, 0));
      list.push_back("BLOCK: tl.constexpr");
      return list;
    }
    for (int d = 0; d < variant_.rank; ++d) list.push_back("size" + number(d));
    for (int i = 0; i < variant_.operand_count(); ++i) {
      if (operand(i).inner == InnerStride::value) continue;
      if (operand(i).inner == InnerStride::any) list.push_back(stride_name(i, 0));
      for (int d = 1; d < variant_.rank; ++d) list.push_back(stride_name(i, d));
    }
    list.insert(list.end(), {"BLOCK_Y: tl.constexpr", "BLOCK_X: tl.constexpr"});
    return list;
  }

  std::string stride_name(int i, int d) const { return operand_name(i) + "_stride" + number(d); }

  void line(const std::string& text) { out_ << "    " << text << "\n"; }

  void write_flat_indices() {
    line("index = tl.program_id(0).to(n.dtype) * BLOCK + tl.arange(0, BLOCK)");
    line("mask = index < n");
  }

  void write_strided_indices() {
    line("blocks = (size0 + (BLOCK_X - 1)) // BLOCK_X");
    line("program = tl.program_id(0).to(size0.dtype)");
    line("column = (program % blocks) * BLOCK_X + tl.arange(0, BLOCK_X)[None, :]");
    line("row = (program // blocks) * BLOCK_Y + tl.arange(0, BLOCK_Y)[:, None]");
    std::string rows = "size1";
    for (int d = 2; d < variant_.rank; ++d) rows += " * size" + number(d);
    line("row_mask = row < " + rows);
    line("mask = row_mask & (column < size0)");
    // Split the row number over the outer dimensions; the outermost takes what is left.
    std::string rest = "row";
    for (int d = 1; d < variant_.rank; ++d) {
      const bool outermost = d + 1 == variant_.rank;
      line("i" + number(d) + " = " + rest + (outermost ? "" : " % size" + number(d)));
      if (outermost) break;
      line("rest" + number(d) + " = " + rest + " // size" + number(d));
      rest = "rest" + number(d);
    }
  }

  // Address and mask of operand `i`: "in0 + i1 * in0_stride1 + column, mask"; of its second part.
  std::string address(int i, bool imaginary = false) const {
    std::string text = operand_name(i) + (imaginary ? " + 1" : "");
    if (variant_.is_flat()) {
      switch (operand(i).inner) {
        case InnerStride::unit:
          return text + " + index, mask";
        case InnerStride::any:
          return text + " + index * " + stride_name(i, 0) + ", mask";
        default:
          return text;
      }
    }
    for (int d = 1; d < variant_.rank; ++d) text += " + i" + number(d) + " * " + stride_name(i, d);
    switch (operand(i).inner) {
      case InnerStride::unit:
        return text + " + column, mask";
      case InnerStride::any:
        return text + " + column * " + stride_name(i, 0) + ", mask";
      default:
        return text + ", row_mask";
    }
  }

  void write_load(int input) {
    const int i = variant_.outputs + input;
    const std::string name = "x" + number(input);
    const bool is_value = operand(i).inner == InnerStride::value;
    const std::string value = is_value ? operand_name(i) : "tl.load(" + address(i) + ")";
    line(name + " = " + value + ".to(" + compute() + ")");
    if (!variant_.is_complex) return;
    const std::string imaginary = is_value ? operand_name(i) + "_imag"
                                  : operand(i).is_complex
                                      ? "tl.load(" + address(i, true) + ")"
                                      : "(" + name + " != " + name + ") & False";
    line(name + "_imag = (" + imaginary + ").to(" + compute() + ")");
  }

  void write_call() {
    std::vector<std::string> results, arguments;
    for (int i = 0; i < variant_.outputs; ++i)
      if (operand(i).is_complex)
        append(results, parts("y" + number(i)));
      else
        results.push_back("y" + number(i));
    for (int i = 0; i < variant_.inputs; ++i) append(arguments, parts("x" + number(i)));
    for (int i = 0; i < variant_.scalars; ++i) append(arguments, parts("s" + number(i)));
    line(join(results) + " = " + function_.name + "(" + join(arguments) + function_.literals + ")");
  }

  void write_store(int output) {
    write_store_part(output, "y" + number(output), address(output));
    if (operand(output).is_complex)
      write_store_part(output, "y" + number(output) + "_imag", address(output, true));
  }

  // Values are spread over the whole tile first: a function of constants alone yields a scalar.
  void write_store_part(int output, const std::string& value, std::string target) {
    const std::string shape = variant_.is_flat() ? "(BLOCK,)" : "(BLOCK_Y, BLOCK_X)";
    if (variant_.is_logical) line(value + " = " + value + " != 0");
    const size_t comma = target.rfind(", mask");
    target.resize(comma);
    line(value + " = tl.broadcast_to(" + value + ".to(" + type_expression(operand(output).dtype) +
         "), " + shape + ")");
    const std::string modifier = variant_.streams ? ", cache_modifier=\".cs\"" : "";
    line("tl.store(" + target + ", " + value + ", mask" + modifier + ")");
  }

  const ScalarFunction& function_;
  const PointwiseVariant& variant_;
  std::ostringstream out_;
};

}  // namespace

std::string pointwise_source(const ScalarFunction& function, const PointwiseVariant& variant) {
  return SourceWriter(function, variant).write();
}

std::string pointwise_name(const ScalarFunction& function, const PointwiseVariant& variant) {
  std::string name =
      function.name + (variant.is_flat() ? "_flat" : "_" + std::to_string(variant.rank) + "d");
  for (int i = 0; i < variant.operand_count(); ++i) {
    const Operand& operand = variant.operands[static_cast<size_t>(i)];
    name += (operand.is_complex ? "_pair_" : "_") + std::string(triton_name(operand.dtype));
  }
  if (variant.streams) name += "_streamed";
  return name;
}

}  // namespace tilewise::codegen
