// SPDX-License-Identifier: Apache-2.0
// The matrix product of one tile, `tl.dot`, as text of an LLVM function. Its tiles lie in scratch
// memory that fits the L1 and L2 caches, so that nothing is packed here: the caller wrote the
// tiles. Only a is broadcast number by number, so that it may as well lie anywhere.
//
//   std::string name;
//   module += dot_function({.m = 64, .n = 64, .k = 32}, target, name);
//   body += "call void @" + name + "(ptr %a, i64 128, ptr %b, ptr %c, i64 64, i64 64, i64 32)\n";
#pragma once

#include <string>

#include "compiler/llvm/float_type.h"
#include "compiler/target.h"

namespace tilewise::compiler {

// All f32. The tiles are row-major: a[m][k], b[k][n], c[m][n]; any sizes >= 1. The rows of a have
// any distance, those of b and c follow each other.
struct DotShape {
  int m, n, k;
  bool few_columns = false;  // Often not all columns are needed.
};

// The text of `internal void @NAME(ptr noalias %a, i64 %a_step, ptr noalias %b, ptr noalias %c,
// i64 %m, i64 %n, i64 %k)`, which adds a times b to c; %a_step is the distance of the rows of a in
// bytes. Rows from %m on and columns from %n on need not be computed, and from index %k on the
// columns of a and the rows of b are zeros; most of these are left out. In `name` its name without
// the @: "tw_dot_64x64x32_f32". Each element of c is one chain of fused multiply-adds in the order
// of k (products round first on targets without fused multiply-add). The pointers need the
// alignment of a vector register for full speed only.
std::string dot_function(const DotShape& shape, const Target& target, std::string& name);

// The same from bf16 tiles with the chip's dot products of pairs: 1.9 times as fast. c stays f32;
// a[m][k] is row-major, but b[k / 2][n][2] holds the two values of a pair beside each other. Each
// element of c is a chain of pairs in the order of k; the chip takes denormals for zeros.
bool has_bf16_dot_function(const DotShape& shape, const Target& target);
std::string bf16_dot_function(const DotShape& shape, const Target& target, std::string& name);

// The text of `internal void @NAME(ptr noalias %b, i64 %step, ptr noalias %pairs)`, which brings
// b[k][n], whose rows are %step bytes apart, into that order.
std::string pair_rows_function(const DotShape& shape, std::string& name);

}  // namespace tilewise::compiler
