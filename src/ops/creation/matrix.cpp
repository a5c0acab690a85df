// SPDX-License-Identifier: Apache-2.0
// Matrices whose elements depend on row and column: eye, tril, triu, and indices of triangles.
#include <ATen/native/Resize.h>
#include <ATen/ops/tril_meta.h>
#include <ATen/ops/triu_meta.h>

#include <algorithm>

#include "ops/creation/factory.h"
#include "ops/framework/last_cache.h"
#include "ops/framework/launch.h"
#include "ops/framework/structured_op.h"

namespace tilewise::ops {
namespace {

using Dtype = std::optional<at::ScalarType>;
using Layout = std::optional<at::Layout>;
using Device = std::optional<at::Device>;
using Flag = std::optional<bool>;

// Matrices are written in tiles of 1024 elements, those of a few short rows in small ones: of
// (5, 7), the lanes outside take as long as a tenth of the call.
struct MatrixTile {
  int64_t block_x;
  int64_t block_y;
  int64_t programs;

  MatrixTile(int64_t rows, int64_t columns)
      : block_x(std::min<int64_t>(next_power_of_2(columns), 256)),
        block_y(rows <= 8 && block_x <= 16 ? 8 : 1024 / block_x),
        programs(ceil_div(rows, block_y) * ceil_div(columns, block_x)) {}
};

Tensor& write_identity(int64_t n, int64_t m, Tensor& out) {
  static const Kernel identity("creation/sequence", "identity");
  at::native::resize_output(out, {n, m});
  if (!out.is_contiguous()) throw dispatch::Refusal{"eye: out= is not contiguous"};
  if (out.numel() == 0) return out;
  if (n > INT32_MAX || m > INT32_MAX) throw dispatch::Refusal{"eye: huge matrix"};
  LaunchOptions options;
  options.num_stages = 1;
  if (out.is_cpu()) {
    static const Kernel by_runs("creation/sequence", "identity_by_runs");
    constexpr int64_t kRun = 4096;
    options.grain = 8;
    launch(by_runs, options, grid_1d(ceil_div(out.numel(), kRun)), out, written(out),
           int64(out.numel()), int64(m), int64(std::min(n, m)),
           constant(exceeds_last_cache(out.nbytes())), constant(kRun));
    return out;
  }
  const MatrixTile tile(n, m);
  options.grain = 32;
  launch(identity, options, grid_1d(tile.programs), out, written(out), n, stride(m),
         constant(tile.block_y), constant(tile.block_x));
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

const char* refuse_new_eye(const c10::SymInt& n, const c10::SymInt& m,
                           const FactoryOptions& options) {
  const auto rows = n.maybe_as_int();
  const auto columns = m.maybe_as_int();
  if (!rows.has_value() || !columns.has_value()) return "sizes are symbols";
  if (*rows < 0 || *columns < 0) return "negative size";
  return options.refuse(default_dtype());
}

Tensor new_eye(const c10::SymInt& n, const c10::SymInt& m, const FactoryOptions& options) {
  NewTensor result({n.expect_int(), m.expect_int()}, options, default_dtype());
  return write_identity(n.expect_int(), m.expect_int(), *result);
}

struct NewEye : PlainOp {
  static const char* refuse(const c10::SymInt& n, Dtype dtype, Layout layout, Device device,
                            Flag pin_memory) {
    return refuse_new_eye(n, n, {dtype, layout, device, pin_memory});
  }
  static Tensor call(c10::SymInt n, Dtype dtype, Layout layout, Device device, Flag pin_memory) {
    return new_eye(n, n, {dtype, layout, device, pin_memory});
  }
};
TILEWISE_OPERATOR(NewEye, "eye");

struct NewEyeRectangle : PlainOp {
  static const char* refuse(const c10::SymInt& n, const c10::SymInt& m, Dtype dtype, Layout layout,
                            Device device, Flag pin_memory) {
    return refuse_new_eye(n, m, {dtype, layout, device, pin_memory});
  }
  static Tensor call(c10::SymInt n, c10::SymInt m, Dtype dtype, Layout layout, Device device,
                     Flag pin_memory) {
    return new_eye(n, m, {dtype, layout, device, pin_memory});
  }
};
TILEWISE_OPERATOR(NewEyeRectangle, "eye.m");

// Elements of the first `row` rows of a triangle: row i has clamp(i + offset + 1, 0, columns).
int64_t elements_above(int64_t row, int64_t columns, int64_t offset) {
  const int64_t shift = offset + 1;
  const int64_t first = std::clamp<int64_t>(-shift, 0, row);          // rows without elements
  const int64_t full = std::clamp<int64_t>(columns - shift, 0, row);  // from here on all of them
  return (full - first) * (first + full - 1 + 2 * shift) / 2 + (row - full) * columns;
}

// Rows and columns of the elements of a triangle, in the order of the rows.
template <bool kUpper>
struct TriangleIndices : PlainOp {
  static const char* refuse(int64_t row, int64_t col, int64_t offset, Dtype dtype, Layout layout,
                            Device device, Flag pin_memory) {
    if (row < 0 || col < 0) return "negative size";
    constexpr int64_t kLargest = int64_t{1} << 30;
    if (row > kLargest || col > kLargest || offset > kLargest || offset < -kLargest)
      return "indices of a huge matrix";
    const at::ScalarType type = dtype.value_or(at::kLong);
    if (type == at::kBool || type == at::kHalf) return "indices of a dtype without a kernel";
    return FactoryOptions{dtype, layout, device, pin_memory}.refuse(at::kLong);
  }
  static Tensor call(int64_t row, int64_t col, int64_t offset, Dtype dtype, Layout layout,
                     Device device, Flag pin_memory) {
    static const Kernel kernel("creation/triangle", "indices");
    // Below the diagonal of an upper triangle lies a lower one.
    const int64_t lower = kUpper ? offset - 1 : offset;
    const int64_t below = elements_above(row, col, lower);
    const int64_t count = kUpper ? row * col - below : below;
    NewTensor result({2, count}, {dtype, layout, device, pin_memory}, at::kLong);
    if (count == 0) return *result;
    const MatrixTile tile(row, col);
    LaunchOptions options;
    options.num_stages = 1;
    options.grain = 32;
    launch(kernel, options, grid_1d(tile.programs), *result, written(*result), int64(count), row,
           col, lower, constant(kUpper), constant(tile.block_y), constant(tile.block_x));
    return *result;
  }
};
TILEWISE_OPERATOR(TriangleIndices<false>, "tril_indices");
TILEWISE_OPERATOR(TriangleIndices<true>, "triu_indices");

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

// Columns from which on a row of its own is worth a program of a CPU, and elements for a thread.
constexpr int64_t kLongRow = 64;
constexpr int64_t kRowGrain = 32768;

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
    LaunchOptions options;
    options.num_stages = 1;
    if (self.is_cpu() && columns >= kLongRow && from->column == 1 && to->column == 1 &&
        self.numel() / columns <= INT32_MAX) {
      static const Kernel by_rows("creation/triangle", "triangle_by_rows");
      options.grain = std::max<int64_t>(1, kRowGrain / columns);
      launch(by_rows, options, grid_1d(self.numel() / columns), out, self, written(out), rows,
             columns, clamped, int64(from->batch), int64(from->row), int64(to->batch),
             int64(to->row), constant(kUpper), constant(out.is_same(self)),
             constant(int64_t{1024}));
      return;
    }
    options.grain = 32;
    const MatrixTile tile(rows, columns);
    const int64_t programs = self.numel() / (rows * columns) * tile.programs;
    launch(triangle, options, grid_1d(programs), out, self, written(out), rows, stride(columns),
           clamped, stride(from->batch), stride(from->row), stride(from->column), stride(to->batch),
           stride(to->row), stride(to->column), constant(kUpper), constant(out.is_same(self)),
           constant(tile.block_y), constant(tile.block_x));
  }
};

using Tril = Triangle<at::meta::structured_tril, false>;
using Triu = Triangle<at::meta::structured_triu, true>;
TILEWISE_STRUCTURED(Tril, "tril");
TILEWISE_STRUCTURED(Triu, "triu");

}  // namespace
}  // namespace tilewise::ops
