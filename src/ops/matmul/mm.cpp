// SPDX-License-Identifier: Apache-2.0
// mm, addmm, bmm and baddbmm: one kernel, out = alpha * (a @ b) + beta * bias, any strides.
#include <ATen/Context.h>
#include <ATen/ops/addmm_meta.h>
#include <ATen/ops/baddbmm_meta.h>
#include <ATen/ops/bmm_meta.h>
#include <ATen/ops/mm_meta.h>

#include "ops/framework/launch.h"
#include "ops/framework/structured_op.h"
#include "ops/matmul/matmul_tiles.h"

namespace tilewise::ops {
namespace {

// A matrix or a batch of matrices: sizes and strides from the back, a missing batch has stride 0.
struct Matrices {
  explicit Matrices(const Tensor& tensor) : rows(tensor.size(-2)), columns(tensor.size(-1)) {
    batch = tensor.dim() == 3 ? tensor.size(0) : 1;
    batch_stride = tensor.dim() == 3 ? tensor.stride(0) : 0;
    row_stride = tensor.stride(-2);
    column_stride = tensor.stride(-1);
  }
  int64_t batch, rows, columns, batch_stride, row_stride, column_stride;
};

// The stride of `bias` along a dimension of the result counted from the back; 0 where it
// broadcasts.
int64_t broadcast_stride(const Tensor& bias, int64_t from_back) {
  if (!bias.defined() || bias.dim() < from_back || bias.size(-from_back) == 1) return 0;
  return bias.stride(-from_back);
}

// The CPU's kernel reads a transposed operand element by element, once for every tile of the result
// along the other operand. With several of these, one copy in the kernel's order costs less: a
// (640, 1536) @ (1536, 384) product of f32 with b transposed ran at 38 GFLOP/s without it and at 89
// with it (AVX-512, one core).
Tensor in_kernel_order(const Tensor& operand, int64_t uses) {
  const Matrices matrices(operand);
  const bool is_transposed = matrices.row_stride == 1 && matrices.column_stride != 1;
  const bool is_broadcast = matrices.batch > 1 && matrices.batch_stride == 0;
  return operand.is_cpu() && is_transposed && !is_broadcast && uses > 1 ? operand.contiguous()
                                                                        : operand;
}

// An undefined bias: none. ATen ignores it, NaN included, where beta is 0.
void matmul(const Tensor& mat1, const Tensor& mat2, const Tensor& bias, double beta, double alpha,
            const Tensor& out) {
  static const Kernel kernel("matmul/mm", "mm");
  if (out.numel() == 0) return;
  const Matrices c(out);
  const int64_t k = mat1.size(-1);
  const DType dtype = element_type(mat1);
  const bool is_double = dtype == DType::fp64;
  const bool tf32 = !out.is_cpu() && dtype == DType::fp32 && at::globalContext().allowTF32CuBLAS();
  const MatmulTile tile =
      choose_matmul_tile(out.is_cpu(), dtype, tf32, c.batch, c.rows, c.columns, k);
  const Tensor left = in_kernel_order(mat1, ceil_div(c.columns, tile.block_n));
  const Tensor right = in_kernel_order(mat2, ceil_div(c.rows, tile.block_m));
  const Matrices a(left);
  const Matrices b(right);
  const Tensor& addend = bias.defined() ? bias : out;  // a pointer is needed, not read
  const auto run = [&](auto factor, auto bias_factor) {
    launch(kernel, tile.options,
           grid_1d(c.batch * ceil_div(c.rows, tile.block_m) * ceil_div(c.columns, tile.block_n)),
           out, left, right, addend, written(out), stride(c.rows), stride(c.columns), stride(k),
           stride(a.batch_stride), stride(a.row_stride), stride(a.column_stride),
           stride(b.batch_stride), stride(b.row_stride), stride(b.column_stride),
           stride(broadcast_stride(bias, 3)), stride(broadcast_stride(bias, 2)),
           stride(broadcast_stride(bias, 1)), stride(c.batch_stride), stride(c.row_stride),
           stride(c.column_stride), factor, bias_factor, constant(bias.defined()),
           constant(is_double ? DType::fp64 : DType::fp32), constant(tf32 ? 1 : 0),
           constant(c.rows % tile.block_m == 0 && c.columns % tile.block_n == 0),
           constant(k % tile.block_k == 0), constant(tile.block_m), constant(tile.block_n),
           constant(tile.block_k), constant(tile.group_m));
  };
  if (is_double)
    run(fp64(alpha), fp64(beta));
  else
    run(alpha, beta);
}

const char* refuse_matrices(const Tensor& mat1, const Tensor& mat2, int64_t rank) {
  if (!mat1.is_floating_point()) return "matrix product of a dtype that is not floating";
  if (mat1.scalar_type() != mat2.scalar_type()) return "matrices of different dtypes";
  return mat1.dim() == rank && mat2.dim() == rank ? nullptr : "matrices of another rank";
}

const char* refuse_sum(const Tensor& self, const Tensor& mat1, const Tensor& mat2, int64_t rank) {
  if (self.scalar_type() != mat1.scalar_type()) return "bias and matrices of different dtypes";
  if (self.dim() > rank) return "bias of a higher rank than the result";
  return refuse_matrices(mat1, mat2, rank);
}

struct Mm : StructuredOp<at::meta::structured_mm> {
  static const char* refuse(const Tensor& self, const Tensor& mat2, const auto&...) {
    return refuse_matrices(self, mat2, 2);
  }
  void impl(const Tensor& self, const Tensor& mat2, const Tensor& out) {
    matmul(self, mat2, {}, 0, 1, out);
  }
};
TILEWISE_STRUCTURED(Mm, "mm");

struct Bmm : StructuredOp<at::meta::structured_bmm> {
  static const char* refuse(const Tensor& self, const Tensor& mat2, const auto&...) {
    return refuse_matrices(self, mat2, 3);
  }
  void impl(const Tensor& self, const Tensor& mat2, const Tensor& out) {
    matmul(self, mat2, {}, 0, 1, out);
  }
};
TILEWISE_STRUCTURED(Bmm, "bmm");

template <class Meta, int64_t rank>
struct AddedProduct : StructuredOp<Meta> {
  static const char* refuse(const Tensor& self, const Tensor& mat1, const Tensor& mat2,
                            const at::Scalar& beta, const at::Scalar& alpha, const auto&...) {
    if (beta.isComplex() || alpha.isComplex()) return "complex factor";
    return refuse_sum(self, mat1, mat2, rank);
  }
  void impl(const Tensor& self, const Tensor& mat1, const Tensor& mat2, const at::Scalar& beta,
            const at::Scalar& alpha, const Tensor& out) {
    const double bias_factor = beta.toDouble();
    matmul(mat1, mat2, bias_factor == 0 ? Tensor() : self, bias_factor, alpha.toDouble(), out);
  }
};
using Addmm = AddedProduct<at::meta::structured_addmm, 2>;
using Baddbmm = AddedProduct<at::meta::structured_baddbmm, 3>;
TILEWISE_STRUCTURED(Addmm, "addmm");
TILEWISE_STRUCTURED(Baddbmm, "baddbmm");

}  // namespace
}  // namespace tilewise::ops
