// SPDX-License-Identifier: Apache-2.0
// Matrices whose elements depend on row and column: eye, tril, triu.
#include <ATen/native/Resize.h>
#include <ATen/ops/tril_meta.h>
#include <ATen/ops/triu_meta.h>

#include <algorithm>

#include "ops/creation/factory.h"
#include "ops/framework/launch.h"
#include "ops/framework/structured_op.h"

namespace tilewise::ops {
namespace {

constexpr int64_t kBlock = 1024;

Tensor& write_identity(int64_t n, int64_t m, Tensor& out) {
  static const Kernel identity("creation/sequence", "identity");
  at::native::resize_output(out, {n, m});
  if (!out.is_contiguous()) throw dispatch::Refusal{"eye: out= is not contiguous"};
  if (out.numel() == 0) return out;
  LaunchOptions options;
  options.num_stages = 1;
  options.grain = 32;
  launch(identity, options, grid_1d(ceil_div(out.numel(), kBlock)), out, written(out),
         stride(out.numel()), m, constant(kBlock));
  return out;
}

// PyTorch warns before it resizes what is not empty.
const char* refuse_eye(const c10::SymInt& n, const c10::SymInt& m, const Tensor& out) {
  const auto rows = n.maybe_as_int();
  const auto columns = m.maybe_as_int();
  if (!rows.has_value() || !columns.has_value()) return "sizes are symbols";
  if (*rows < 0 || *columns < 0) return "negative size";
  if (out.numel() != 0 && out.sizes() != at::IntArrayRef({*rows, *columns}))
    return "out= is resized with a warning";
  return nullptr;
}

struct Eye : PlainOp {
  static const char* refuse(const c10::SymInt& n, const Tensor& out) {
    return refuse_eye(n, n, out);
  }
  static Tensor& call(c10::SymInt n, Tensor& out) {
    const int64_t size = n.expect_int();
    return write_identity(size, size, out);
  }
};
TILEWISE_OPERATOR(Eye, "eye.out");

struct EyeRectangle : PlainOp {
  static const char* refuse(const c10::SymInt& n, const c10::SymInt& m, const Tensor& out) {
    return refuse_eye(n, m, out);
  }
  static Tensor& call(c10::SymInt n, c10::SymInt m, Tensor& out) {
    return write_identity(n.expect_int(), m.expect_int(), out);
  }
};
TILEWISE_OPERATOR(EyeRectangle, "eye.m_out");

// Strides of a tensor whose leading dimensions are one batch; none if they cannot be.
struct MatrixStrides {
  int64_t batch = 0;
  int64_t row;
  int64_t column;

  static std::optional<MatrixStrides> of(const Tensor& tensor) {
    const int64_t dims = tensor.dim();
    MatrixStrides strides{0, tensor.stride(dims - 2), tensor.stride(dims - 1)};
    int64_t expected = -1;
    for (int64_t d = dims - 3; d >= 0; --d) {
      if (tensor.size(d) == 1) continue;
      if (expected < 0)
        strides.batch = tensor.stride(d);
      else if (tensor.stride(d) != expected)
        return std::nullopt;
      expected = tensor.stride(d) * tensor.size(d);
    }
    return strides;
  }
};

template <class Meta, bool kUpper>
struct Triangle : StructuredOp<Meta> {
  void impl(const Tensor& self, int64_t diagonal, const Tensor& out) {
    static const Kernel triangle("creation/triangle", "triangle");
    if (out.numel() == 0) return;
    const auto from = MatrixStrides::of(self);
    const auto to = MatrixStrides::of(out);
    if (!from.has_value() || !to.has_value())
      throw dispatch::Refusal{"triangle of a batch that is no single dimension"};
    const int64_t rows = self.size(-2);
    const int64_t columns = self.size(-1);
    if (rows > INT32_MAX || columns > INT32_MAX)
      throw dispatch::Refusal{"triangle of a huge matrix"};
    // Beyond the corners the diagonal's place makes no difference, and it must fit 32 bits.
    const int64_t clamped = std::clamp(diagonal, -rows - 1, columns + 1);
    const int64_t block_x = std::min<int64_t>(next_power_of_2(columns), 256);
    const int64_t block_y = 1024 / block_x;
    const int64_t programs =
        self.numel() / (rows * columns) * ceil_div(rows, block_y) * ceil_div(columns, block_x);
    LaunchOptions options;
    options.num_stages = 1;
    options.grain = 32;
    launch(triangle, options, grid_1d(programs), out, self, written(out), rows, stride(columns),
           clamped, stride(from->batch), stride(from->row), stride(from->column), stride(to->batch),
           stride(to->row), stride(to->column), constant(kUpper), constant(block_y),
           constant(block_x));
  }
};

using Tril = Triangle<at::meta::structured_tril, false>;
using Triu = Triangle<at::meta::structured_triu, true>;
TILEWISE_STRUCTURED(Tril, "tril");
TILEWISE_STRUCTURED(Triu, "triu");

}  // namespace
}  // namespace tilewise::ops
