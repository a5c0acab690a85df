// SPDX-License-Identifier: Apache-2.0
#include "compiler/llvm/extern_functions.h"

namespace tilewise::compiler {
namespace {

// Signatures are letters: f and d for f32 and f64, i and l for i32 and i64; "fi>f" takes two.
struct Function {
  std::string_view name;
  std::string_view signature;
};

// For f32, whose names end in f, and f64; x is that type.
constexpr Function kForBothFloats[] = {
    // keep-sorted
    {"cospi", "x>x"},     {"cyl_bessel_i0", "x>x"}, {"cyl_bessel_i1", "x>x"}, {"erfcinv", "x>x"},
    {"erfcx", "x>x"},     {"erfinv", "x>x"},        {"exp10", "x>x"},         {"fast_exp10", "x>x"},
    {"ilogb", "x>i"},     {"jn", "ix>x"},           {"ldexp", "xi>x"},        {"llrint", "x>l"},
    {"llround", "x>l"},   {"logb", "x>x"},          {"norm3d", "xxx>x"},      {"norm4d", "xxxx>x"},
    {"normcdf", "x>x"},   {"normcdfinv", "x>x"},    {"rcbrt", "x>x"},         {"rhypot", "xx>x"},
    {"rnorm3d", "xxx>x"}, {"rnorm4d", "xxxx>x"},    {"scalbn", "xi>x"},       {"sinpi", "x>x"},
    {"yn", "ix>x"},
};

constexpr Function kOthers[] = {
    // keep-sorted
    {"byte_perm", "iii>i"},     {"clz", "i>i"},     {"clzll", "l>i"},   {"double2hiint", "d>i"},
    {"double2loint", "d>i"},    {"ffs", "i>i"},     {"ffsll", "l>i"},   {"hadd", "ii>i"},
    {"hiloint2double", "ii>d"}, {"mul24", "ii>i"},  {"popc", "i>i"},    {"popcll", "l>i"},
    {"rcp64h", "d>d"},          {"rhadd", "ii>i"},  {"sad", "iii>i"},   {"saturatef", "f>f"},
    {"uhadd", "ii>i"},          {"umul24", "ii>i"}, {"urhadd", "ii>i"}, {"usad", "iii>i"},
};

// With a rounding mode behind: _rn, _rz, _rd, _ru.
constexpr Function kRounded[] = {
    {"fadd", "ff>f"},  {"fsub", "ff>f"}, {"fmul", "ff>f"},        {"fdiv", "ff>f"},
    {"frcp", "f>f"},   {"fsqrt", "f>f"}, {"dadd", "dd>d"},        {"dsub", "dd>d"},
    {"dmul", "dd>d"},  {"ddiv", "dd>d"}, {"drcp", "d>d"},         {"dsqrt", "d>d"},
    {"fmaf", "fff>f"}, {"fma", "ddd>d"}, {"double2float", "d>f"},
};

char letter(ScalarKind kind) {
  switch (kind) {
    case ScalarKind::f32:
      return 'f';
    case ScalarKind::f64:
      return 'd';
    case ScalarKind::i32:
      return 'i';
    case ScalarKind::i64:
      return 'l';
    default:
      return '?';
  }
}

std::string with_float(std::string_view signature, char type) {
  std::string text(signature);
  for (char& c : text) {
    if (c == 'x') c = type;
  }
  return text;
}

// "int2float" and "double2ull": the letters of both types, else "".
std::string conversion_signature(std::string_view name) {
  constexpr Function kTypes[] = {{"float", "f"}, {"double", "d"}, {"int", "i"},
                                 {"uint", "i"},  {"ll", "l"},     {"ull", "l"}};
  for (const Function& from : kTypes) {
    for (const Function& to : kTypes) {
      const bool is_float = from.signature == "f" || from.signature == "d";
      const bool to_float = to.signature == "f" || to.signature == "d";
      if (is_float == to_float) continue;
      if (name == std::string(from.name) + "2" + std::string(to.name)) {
        return std::string(from.signature) + ">" + std::string(to.signature);
      }
    }
  }
  return "";
}

std::string signature_of(std::string_view name) {
  for (const Function& function : kForBothFloats) {
    if (name == function.name) return with_float(function.signature, 'd');
    if (name == std::string(function.name) + "f") return with_float(function.signature, 'f');
  }
  for (const Function& function : kOthers) {
    if (name == function.name) return std::string(function.signature);
  }
  const bool has_mode = name.ends_with("_rn") || name.ends_with("_rz") || name.ends_with("_rd") ||
                        name.ends_with("_ru");
  if (!has_mode) return "";
  name.remove_suffix(3);
  for (const Function& function : kRounded) {
    if (name == function.name) return std::string(function.signature);
  }
  return conversion_signature(name);
}

}  // namespace

bool is_runtime_function(std::string_view symbol, const Operation& op) {
  if (!symbol.starts_with("__nv_")) return false;
  std::string signature;
  for (const Value* operand : op.operands) signature += letter(operand->type.kind);
  signature += ">";
  signature += letter(op.result()->type.kind);
  return signature_of(symbol.substr(5)) == signature;
}

}  // namespace tilewise::compiler
