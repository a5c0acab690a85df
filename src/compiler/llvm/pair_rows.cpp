// SPDX-License-Identifier: Apache-2.0
// b[k][n] of bf16 to pairs[k / 2][n][2], for the dot products of pairs: two rows are interleaved.
#include <numeric>

#include "compiler/llvm/dot_kernel.h"

namespace tilewise::compiler {

std::string pair_rows_function(const DotShape& shape, std::string& name) {
  const int lanes = std::gcd(shape.n, 32);
  const std::string n = std::to_string(shape.n);
  name = "tw_pair_rows_" + std::to_string(shape.k) + "x" + n;
  const std::string vector = "<" + std::to_string(lanes) + " x i16>";
  const std::string both = "<" + std::to_string(2 * lanes) + " x i16>";
  std::string order;
  for (int lane = 0; lane < lanes; ++lane) {
    order += (lane > 0 ? ", i32 " : "i32 ") + std::to_string(lane) + ", i32 " +
             std::to_string(lane + lanes);
  }
  // The next tile of b, if the tiles of a matrix are multiplied along k.
  std::string prefetches;
  for (const char* row : {"0", "1"}) {
    prefetches += std::string("  %next") + row + " = getelementptr i8, ptr %p" + row +
                  ", i64 %ahead\n  call void @llvm.prefetch.p0(ptr %next" + row +
                  ", i32 0, i32 2, i32 1)\n";
  }
  return "define internal void @" + name +
         "(ptr noalias %b, i64 %step, ptr noalias %pairs) nounwind {\n" +
         "start:\n  %ahead = mul i64 %step, " + std::to_string(shape.k) +
         "\n  br label %row\nrow:\n" + "  %k = phi i64 [0, %start], [%k_next, %row_end]\n" +
         "  %upper = mul nuw nsw i64 %k, " + n + "\n  %distance = mul i64 %k, %step\n" +
         "  %row0 = getelementptr i8, ptr %b, i64 %distance\n" +
         "  %row1 = getelementptr i8, ptr %row0, i64 %step\n  br label %chunk\nchunk:\n" +
         "  %column = phi i64 [0, %row], [%column_next, %chunk]\n" +
         "  %p0 = getelementptr i16, ptr %row0, i64 %column\n" +
         "  %p1 = getelementptr i16, ptr %row1, i64 %column\n" + prefetches + "  %v0 = load " +
         vector + ", ptr %p0, align 2\n  %v1 = load " + vector +
         ", ptr %p1, align 2\n  %v = shufflevector " + vector + " %v0, " + vector + " %v1, <" +
         std::to_string(2 * lanes) + " x i32> <" + order + ">\n" +
         "  %twice = shl nuw nsw i64 %column, 1\n  %to = add nuw nsw i64 %upper, %twice\n" +
         "  %q = getelementptr inbounds i16, ptr %pairs, i64 %to\n  store " + both +
         " %v, ptr %q, align 2\n  %column_next = add nuw nsw i64 %column, " +
         std::to_string(lanes) + "\n  %more = icmp ult i64 %column_next, " + n +
         "\n  br i1 %more, label %chunk, label %row_end\nrow_end:\n" +
         "  %k_next = add nuw nsw i64 %k, 2\n  %more_rows = icmp ult i64 %k_next, " +
         std::to_string(shape.k) + "\n  br i1 %more_rows, label %row, label %end\nend:\n" +
         "  ret void\n}\n\n";
}

}  // namespace tilewise::compiler
