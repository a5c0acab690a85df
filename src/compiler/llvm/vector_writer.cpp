// SPDX-License-Identifier: Apache-2.0
#include "compiler/llvm/vector_writer.h"

#include <bit>
#include <cstdio>
#include <vector>

#include "base/check.h"

namespace tilewise::compiler {
namespace {

using Kind = VectorValue::Kind;

// LLVM wants float constants as the bits of the double of the same value.
std::string float_literal(double value) {
  char text[24];
  std::snprintf(text, sizeof(text), "0x%016llX",
                static_cast<unsigned long long>(std::bit_cast<uint64_t>(value)));
  return text;
}

VectorValue binary(const char* float_op, const char* int_op, const VectorValue& a,
                   const VectorValue& b) {
  TILEWISE_ASSERT(a.kind == b.kind, a.text + " and " + b.text);
  const char* op = a.is_float() ? float_op : int_op;
  return a.writer->emit(
      a.kind, std::string(op) + " " + a.writer->type_of(a.kind) + " " + a.text + ", " + b.text);
}

VectorValue call(const char* intrinsic, std::initializer_list<VectorValue> arguments) {
  const VectorValue& first = *arguments.begin();
  VectorWriter& writer = *first.writer;
  const std::string type = writer.type_of(first.kind);
  std::string list;
  for (const VectorValue& argument : arguments) {
    list += (list.empty() ? "" : ", ") + type + " " + argument.text;
  }
  return writer.emit(first.kind, "call " + type + " @llvm." + intrinsic + "." +
                                     writer.intrinsic_suffix(first.kind) + "(" + list + ")");
}

VectorValue compare(const char* predicate, const VectorValue& a, const VectorValue& b) {
  return a.writer->emit(Kind::truth, std::string(a.is_float() ? "fcmp " : "icmp ") + predicate +
                                         " " + a.writer->type_of(a.kind) + " " + a.text + ", " +
                                         b.text);
}

VectorValue convert(const char* op, const VectorValue& a, Kind to) {
  return a.writer->emit(to, std::string(op) + " " + a.writer->type_of(a.kind) + " " + a.text +
                                " to " + a.writer->type_of(to));
}

VectorValue number(const VectorValue& like, double value) {
  return like.writer->number(like, value);
}
VectorValue integer(const VectorValue& like, int64_t value) {
  return like.writer->integer(like, value);
}

}  // namespace

VectorWriter::VectorWriter(std::string_view name, FloatType type, int lanes, int arguments,
                           const Target& target)
    : name_(name),
      kind_(type == FloatType::f64 ? Kind::f64 : Kind::f32),
      lanes_(lanes),
      arguments_(arguments),
      target_(target) {
  TILEWISE_ASSERT(type == FloatType::f32 || type == FloatType::f64, name_);
  TILEWISE_ASSERT(lanes >= 1, name_);
}

VectorValue VectorWriter::argument(int index) {
  return {this, kind_, "%x" + std::to_string(index)};
}

VectorValue VectorWriter::number(const VectorValue& like, double value) {
  const bool wide = like.is_wide();
  const std::string literal = float_literal(wide ? value : static_cast<float>(value));
  const std::string element = wide ? "double " : "float ";
  return {this, wide ? Kind::f64 : Kind::f32,
          lanes_ == 1 ? literal : "splat (" + element + literal + ")"};
}

VectorValue VectorWriter::integer(const VectorValue& like, int64_t value) {
  const bool wide = like.is_wide();
  const std::string literal = std::to_string(wide ? value : static_cast<int32_t>(value));
  return {
      this, wide ? Kind::i64 : Kind::i32,
      lanes_ == 1 ? literal : std::string("splat (") + (wide ? "i64 " : "i32 ") + literal + ")"};
}

bool VectorWriter::has_scale(const VectorValue& y) const {
  return target_.has_scalef() && lanes_ % (y.is_wide() ? 8 : 16) == 0;
}

// The intrinsic knows whole registers only.
VectorValue VectorWriter::scale(const VectorValue& y, const VectorValue& n) {
  const int step = y.is_wide() ? 8 : 16;
  const std::string type = type_of(y.kind);
  const std::string part_type =
      "<" + std::to_string(step) + (y.is_wide() ? " x double>" : " x float>");
  const std::string name = y.is_wide() ? "pd.512" : "ps.512";
  const std::string mask = y.is_wide() ? "i8 -1" : "i16 -1";
  auto indices = [](int first, int count) {
    std::string text = ", <" + std::to_string(count) + " x i32> <";
    for (int i = first; i < first + count; ++i)
      text += (i > first ? ", i32 " : "i32 ") + std::to_string(i);
    return text + ">";
  };
  auto part = [&](const VectorValue& value, int first) {
    if (lanes_ == step) return value.text;
    return emit(y.kind, "shufflevector " + type + " " + value.text + ", " + type + " poison" +
                            indices(first, step))
        .text;
  };
  std::vector<std::string> parts;
  for (int first = 0; first < lanes_; first += step) {
    const std::string a = part(y, first);
    const std::string b = part(n, first);
    parts.push_back(emit(y.kind, "call " + part_type + " @llvm.x86.avx512.mask.scalef." + name +
                                     "(" + part_type + " " + a + ", " + part_type + " " + b + ", " +
                                     part_type + " " + a + ", " + mask + ", i32 4)")
                        .text);
  }
  for (int width = step; parts.size() > 1; width *= 2) {
    const std::string half =
        "<" + std::to_string(width) + (y.is_wide() ? " x double>" : " x float>");
    std::vector<std::string> joined;
    for (size_t i = 0; i < parts.size(); i += 2) {
      joined.push_back(emit(y.kind, "shufflevector " + half + " " + parts[i] + ", " + half + " " +
                                        parts[i + 1] + indices(0, 2 * width))
                           .text);
    }
    parts = std::move(joined);
  }
  return {this, y.kind, parts[0]};
}

VectorValue VectorWriter::emit(Kind kind, const std::string& instruction) {
  std::string name = "%v" + std::to_string(next_++);
  body_ += "  " + name + " = " + instruction + "\n";
  return {this, kind, std::move(name)};
}

std::string VectorWriter::type_of(Kind kind) const {
  constexpr const char* kElements[] = {"float", "double", "i32", "i64", "i1"};
  const std::string element = kElements[static_cast<int>(kind)];
  return lanes_ == 1 ? element : "<" + std::to_string(lanes_) + " x " + element + ">";
}

std::string VectorWriter::intrinsic_suffix(Kind kind) const {
  constexpr const char* kElements[] = {"f32", "f64", "i32", "i64", "i1"};
  const std::string element = kElements[static_cast<int>(kind)];
  return lanes_ == 1 ? element : "v" + std::to_string(lanes_) + element;
}

std::string VectorWriter::signature(const std::string& name) const {
  std::string text = type_of(kind_) + " @" + name + "(";
  for (int i = 0; i < arguments_; ++i) {
    text += (i > 0 ? ", " : "") + type_of(kind_) + " %x" + std::to_string(i);
  }
  return text + ")";
}

std::string VectorWriter::lane_calls(std::string_view function, std::string& result) {
  const std::string element = kind_ == Kind::f64 ? "double" : "float";
  const std::string name = std::string(function) + (kind_ == Kind::f64 ? "" : "f");
  const std::string vector = type_of(kind_);
  std::string text;
  result = lanes_ == 1 ? "" : "poison";
  for (int lane = 0; lane < lanes_; ++lane) {
    const std::string at = std::to_string(lane);
    std::string list;
    for (int i = 0; i < arguments_; ++i) {
      std::string scalar = "%x" + std::to_string(i);
      if (lanes_ > 1) {
        const std::string extracted = "%e" + std::to_string(i) + "_" + at;
        text +=
            "  " + extracted + " = extractelement " + vector + " " + scalar + ", i32 " + at + "\n";
        scalar = extracted;
      }
      list += (i > 0 ? ", " : "") + element + " " + scalar;
    }
    text += "  %c" + at + " = call " + element + " @" + name + "(" + list + ")\n";
    if (lanes_ == 1) {
      result = "%c" + at;
    } else {
      text += "  %i" + at + " = insertelement " + vector + " " + result + ", " + element + " %c" +
              at + ", i32 " + at + "\n";
      result = "%i" + at;
    }
  }
  return text;
}

VectorValue VectorWriter::call_libm(std::string_view function) {
  std::string result;
  body_ += lane_calls(function, result);
  return {this, kind_, result};
}

VectorValue VectorWriter::call_libm_if_any(const VectorValue& condition,
                                           std::string_view function) {
  std::string result;
  const std::string calls = lane_calls(function, result);
  return call_companion_if_any(condition, calls + "  ret " + type_of(kind_) + " " + result);
}

VectorValue VectorWriter::call_if_any(const VectorValue& condition,
                                      VectorValue (*formula)(const VectorValue&,
                                                             const VectorValue&)) {
  VectorWriter writer(name_, kind_ == Kind::f64 ? FloatType::f64 : FloatType::f32, lanes_, 2,
                      target_);
  const VectorValue result = formula(writer.argument(0), writer.argument(1));
  return call_companion_if_any(condition,
                               writer.body_ + "  ret " + type_of(kind_) + " " + result.text);
}

VectorValue VectorWriter::call_companion_if_any(const VectorValue& condition,
                                                const std::string& body) {
  TILEWISE_ASSERT(companion_.empty(), name_);
  const std::string cold = name_ + "_cold";
  const std::string type = type_of(kind_);
  companion_ =
      "define internal " + signature(cold) + " noinline cold nounwind {\n" + body + "\n}\n\n";
  std::string any = condition.text;
  if (lanes_ > 1) {
    any = "%any";
    body_ += "  %any = call i1 @llvm.vector.reduce.or." + intrinsic_suffix(Kind::truth) + "(" +
             type_of(Kind::truth) + " " + condition.text + ")\n";
  }
  std::string list;
  for (int i = 0; i < arguments_; ++i) {
    list += (i > 0 ? ", " : "") + type + " %x" + std::to_string(i);
  }
  body_ += "  br label %check\ncheck:\n  br i1 " + any + ", label %rare, label %usual\nrare:\n" +
           "  %cold = call " + type + " @" + cold + "(" + list + ")\n  br label %usual\nusual:\n";
  return emit(kind_, "phi " + type + " [%cold, %rare], [%x0, %check]");
}

std::string VectorWriter::finish(const VectorValue& result) {
  TILEWISE_ASSERT(result.kind == kind_, name_);
  return companion_ + "define internal " + signature(name_) + " alwaysinline nounwind {\n" + body_ +
         "  ret " + type_of(kind_) + " " + result.text + "\n}\n\n";
}

VectorValue operator+(const VectorValue& a, const VectorValue& b) {
  return binary("fadd", "add", a, b);
}
VectorValue operator-(const VectorValue& a, const VectorValue& b) {
  return binary("fsub", "sub", a, b);
}
VectorValue operator*(const VectorValue& a, const VectorValue& b) {
  return binary("fmul", "mul", a, b);
}
VectorValue operator/(const VectorValue& a, const VectorValue& b) {
  return binary("fdiv", "sdiv", a, b);
}
VectorValue operator+(const VectorValue& a, double b) { return a + number(a, b); }
VectorValue operator-(const VectorValue& a, double b) { return a - number(a, b); }
VectorValue operator-(double a, const VectorValue& b) { return number(b, a) - b; }
VectorValue operator*(const VectorValue& a, double b) { return a * number(a, b); }
VectorValue operator/(double a, const VectorValue& b) { return number(b, a) / b; }
VectorValue operator-(const VectorValue& a) {
  return a.writer->emit(a.kind, "fneg " + a.writer->type_of(a.kind) + " " + a.text);
}

VectorValue operator&(const VectorValue& a, const VectorValue& b) {
  return binary("", "and", a, b);
}
VectorValue operator|(const VectorValue& a, const VectorValue& b) { return binary("", "or", a, b); }
VectorValue operator^(const VectorValue& a, const VectorValue& b) {
  return binary("", "xor", a, b);
}
VectorValue operator<<(const VectorValue& a, int bits) {
  return binary("", "shl", a, integer(a, bits));
}
VectorValue operator>>(const VectorValue& a, int bits) {
  return binary("", "ashr", a, integer(a, bits));
}
VectorValue operator&(const VectorValue& a, int64_t b) { return a & integer(a, b); }
VectorValue operator+(const VectorValue& a, int64_t b) { return a + integer(a, b); }
VectorValue operator-(const VectorValue& a, int64_t b) { return a - integer(a, b); }
VectorValue operator-(int64_t a, const VectorValue& b) { return integer(b, a) - b; }

VectorValue fma(const VectorValue& a, const VectorValue& b, const VectorValue& c) {
  return a.writer->has_fma() ? call("fma", {a, b, c}) : a * b + c;
}
VectorValue fma(const VectorValue& a, double b, const VectorValue& c) {
  return fma(a, number(a, b), c);
}
VectorValue fma(const VectorValue& a, double b, double c) {
  return fma(a, number(a, b), number(a, c));
}
VectorValue fma(const VectorValue& a, const VectorValue& b, double c) {
  return fma(a, b, number(a, c));
}
VectorValue abs(const VectorValue& a) { return call("fabs", {a}); }
VectorValue sqrt(const VectorValue& a) { return call("sqrt", {a}); }
VectorValue trunc(const VectorValue& a) { return call("trunc", {a}); }
VectorValue copysign(const VectorValue& magnitude, const VectorValue& sign) {
  return call("copysign", {magnitude, sign});
}

VectorValue less(const VectorValue& a, double b) { return compare("olt", a, number(a, b)); }
VectorValue less(const VectorValue& a, const VectorValue& b) { return compare("olt", a, b); }
VectorValue greater(const VectorValue& a, double b) { return compare("ogt", a, number(a, b)); }
VectorValue equal(const VectorValue& a, double b) { return compare("oeq", a, number(a, b)); }
VectorValue not_equal(const VectorValue& a, const VectorValue& b) { return compare("one", a, b); }
VectorValue is_nan(const VectorValue& a) { return compare("uno", a, a); }
VectorValue is_set(const VectorValue& value) { return compare("ne", value, integer(value, 0)); }

VectorValue select(const VectorValue& condition, const VectorValue& yes, const VectorValue& no) {
  const std::string type = yes.writer->type_of(yes.kind);
  return yes.writer->emit(yes.kind, "select " + yes.writer->type_of(Kind::truth) + " " +
                                        condition.text + ", " + type + " " + yes.text + ", " +
                                        type + " " + no.text);
}
VectorValue select(const VectorValue& condition, double yes, const VectorValue& no) {
  return select(condition, number(no, yes), no);
}
VectorValue select(const VectorValue& condition, const VectorValue& yes, double no) {
  return select(condition, yes, number(yes, no));
}

// As one compare and select, which is the instruction min or max of x86 and keeps NaN.
VectorValue at_least(const VectorValue& a, double bound) {
  return select(less(a, bound), bound, a);
}
VectorValue at_most(const VectorValue& a, double bound) {
  return select(greater(a, bound), bound, a);
}

VectorValue bits(const VectorValue& a) {
  return convert("bitcast", a, a.is_wide() ? Kind::i64 : Kind::i32);
}
VectorValue from_bits(const VectorValue& a) {
  return convert("bitcast", a, a.is_wide() ? Kind::f64 : Kind::f32);
}
VectorValue widen(const VectorValue& a) { return convert("fpext", a, Kind::f64); }
VectorValue narrow(const VectorValue& a) { return convert("fptrunc", a, Kind::f32); }

VectorValue polynomial(const VectorValue& x, const double* coefficients, int count) {
  VectorValue sum = number(x, coefficients[count - 1]);
  for (int i = count - 2; i >= 0; --i) sum = fma(sum, x, coefficients[i]);
  return sum;
}

}  // namespace tilewise::compiler
