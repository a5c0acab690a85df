// SPDX-License-Identifier: Apache-2.0
#include "compiler/llvm/plain_dot_kernel.h"

#include "base/check.h"
#include "compiler/llvm/text_builder.h"

namespace tilewise::compiler {
namespace {

std::string number(int64_t value) { return std::to_string(value); }

class PlainDotWriter {
 public:
  PlainDotWriter(const DotShape& shape, ScalarKind kind, const Target& target)
      : shape_(shape),
        kind_(kind),
        element_(llvm_type(kind, 1)),
        has_fma_(target.has_fma),
        b_(&body_) {
    lanes_ = 4 * target.vector_lanes(storage_bytes(kind));
    while (shape.n % lanes_ != 0) lanes_ /= 2;
    vector_ = llvm_type(kind, lanes_);
  }

  std::string write(const std::string& name) {
    b_.line("br label %entry.end");
    b_.label("entry.end");
    loop("row", "entry.end", shape_.m, 1,
         [&] { loop("column", "row.body", shape_.n, lanes_, [&] { write_columns(); }); });
    b_.line("ret void");
    return "define internal void @" + name +
           "(ptr noalias %a, i64 %a_step, ptr noalias %b, ptr noalias %c, i64 %m, i64 %n, "
           "i64 %k) nounwind {\n" +
           body_ + "}\n\n";
  }

 private:
  // for (%NAME = 0; %NAME < end; %NAME += step), from the block `before` on.
  template <class Inside>
  void loop(const std::string& name, const std::string& before, int end, int step, Inside inside) {
    b_.line("br label %" + name + ".head");
    b_.label(name + ".head");
    b_.line("%" + name + " = phi i64 [ 0, %" + before + " ], [ %" + name + ".next, %" + name +
            ".latch ]");
    b_.line("%" + name + ".more = icmp ult i64 %" + name + ", " + number(end));
    b_.line("br i1 %" + name + ".more, label %" + name + ".body, label %" + name + ".end");
    b_.label(name + ".body");
    inside();
    b_.line("br label %" + name + ".latch");
    b_.label(name + ".latch");
    b_.line("%" + name + ".next = add nuw nsw i64 %" + name + ", " + number(step));
    b_.line("br label %" + name + ".head");
    b_.label(name + ".end");
  }

  std::string element(const char* base, const std::string& row, int columns,
                      const std::string& column) {
    const std::string start = b_.assign("mul nuw nsw i64 " + row + ", " + number(columns));
    const std::string index = b_.assign("add nuw nsw i64 " + start + ", " + column);
    return b_.assign("getelementptr inbounds " + element_ + ", ptr " + base + ", i64 " + index);
  }

  void write_columns() {
    const std::string align = ", align " + number(storage_bytes(kind_));
    const std::string c = element("%c", "%row", shape_.n, "%column");
    b_.line("%a_distance = mul i64 %row, %a_step");
    b_.line("%a_row = getelementptr i8, ptr %a, i64 %a_distance");
    b_.line("%first = load " + vector_ + ", ptr " + c + align);
    b_.line("br label %step.head");
    b_.label("step.head");
    b_.line("%step = phi i64 [ 0, %column.body ], [ %step.next, %step.body ]");
    b_.line("%sum = phi " + vector_ + " [ %first, %column.body ], [ %sum.next, %step.body ]");
    b_.line("%step.more = icmp ult i64 %step, %k");
    b_.line("br i1 %step.more, label %step.body, label %step.end");
    b_.label("step.body");
    const std::string left = b_.assign(
        "load " + element_ + ", ptr " +
        b_.assign("getelementptr inbounds " + element_ + ", ptr %a_row, i64 %step") + align);
    const std::string right = b_.assign("load " + vector_ + ", ptr " +
                                        element("%b", "%step", shape_.n, "%column") + align);
    write_step(broadcast(left), right);
    b_.line("%step.next = add nuw nsw i64 %step, 1");
    b_.line("br label %step.head");
    b_.label("step.end");
    b_.line("store " + vector_ + " %sum, ptr " + c + align);
  }

  std::string broadcast(const std::string& scalar) {
    if (lanes_ == 1) return scalar;
    const std::string first =
        b_.assign("insertelement " + vector_ + " poison, " + element_ + " " + scalar + ", i64 0");
    return b_.assign("shufflevector " + vector_ + " " + first + ", " + vector_ + " poison, <" +
                     number(lanes_) + " x i32> zeroinitializer");
  }

  void write_step(const std::string& left, const std::string& right) {
    const bool is_float = kind_ == ScalarKind::f64;
    const std::string multiply = is_float ? (has_fma_ ? "fmul contract " : "fmul ") : "mul ";
    const std::string add = is_float ? (has_fma_ ? "fadd contract " : "fadd ") : "add ";
    const std::string product = b_.assign(multiply + vector_ + " " + left + ", " + right);
    b_.line("%sum.next = " + add + vector_ + " %sum, " + product);
  }

  const DotShape shape_;
  const ScalarKind kind_;
  const std::string element_;
  const bool has_fma_;
  std::string body_;
  TextBuilder b_;
  int lanes_ = 1;
  std::string vector_;
};

}  // namespace

std::string plain_dot_function(const DotShape& shape, ScalarKind kind, const Target& target,
                               std::string& name) {
  TILEWISE_ASSERT(kind == ScalarKind::f64 || kind == ScalarKind::i32, kind_name(kind));
  name = "tw_dot_" + number(shape.m) + "x" + number(shape.n) + "x" + number(shape.k) + "_" +
         kind_name(kind);
  return PlainDotWriter(shape, kind, target).write(name);
}

}  // namespace tilewise::compiler
