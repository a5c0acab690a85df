// SPDX-License-Identifier: Apache-2.0
// pdist, and the gradients of pdist and cdist; cdist itself is in norm.cpp.
#include <ATen/ExpandUtils.h>

#include <algorithm>
#include <cmath>

#include "ops/framework/launch.h"
#include "ops/framework/output.h"
#include "ops/framework/plain_op.h"

namespace tilewise::ops {
namespace {

// As in kernels/reduction/pair_distance.py.
int64_t order_of(double p) {
  if (p == 0) return 0;
  if (p == 1) return 1;
  if (p == 2) return 2;
  return std::isinf(p) ? 3 : 4;
}

bool is_single(const Tensor& tensor) {
  return tensor.scalar_type() == at::kFloat || tensor.scalar_type() == at::kDouble;
}

int64_t pairs_of(const Tensor& self) { return self.size(0) * (self.size(0) - 1) / 2; }

// Lanes along the columns; rows beside them where those are few.
struct Tile {
  explicit Tile(int64_t columns, bool on_cpu) {
    block = std::clamp<int64_t>(next_power_of_2(columns), on_cpu ? 16 : 8, on_cpu ? 64 : 256);
    rows = std::max<int64_t>(1, (on_cpu ? 64 : 1024) / block);
    options.num_stages = 1;
  }
  int64_t block, rows;
  LaunchOptions options;
};

// `run(order, 1 / order)` with both in the type that the matrix has.
void with_order(const Tensor& self, double p, const auto& run) {
  if (self.scalar_type() == at::kDouble)
    run(fp64(p), fp64(1 / p));
  else
    run(p, 1 / p);
}

void run_along(const Tensor& self, double p, const Tensor& out) {
  static const Kernel kernel("reduction/pair_distance", "pair_distances");
  const int64_t n = self.size(0), columns = self.size(1);
  const Tile tile(columns, /*on_cpu=*/false);
  Grid grid = grid_1d(n - 1);
  grid.y = static_cast<int32_t>(ceil_div(n - 1, tile.rows));
  with_order(self, p, [&](auto order, auto inverse_order) {
    launch(kernel, tile.options, grid, self, self, written(out), n, columns, stride(self.stride(0)),
           stride(self.stride(1)), order, inverse_order, constant(order_of(p)), constant(tile.rows),
           constant(tile.block), constant(columns <= tile.block));
  });
}

// The copy costs 1 / n of the rest. Its rows have room behind them: at a distance of a power of 2
// they would share few sets of the first cache.
void run_across(const Tensor& self, double p, const Tensor& out) {
  static const Kernel kernel("reduction/pair_distance", "pair_distances_across");
  const int64_t n = self.size(0), columns = self.size(1);
  const Tensor copy = allocate_output({columns, n + 16}, {}, self.options()).narrow(1, 0, n);
  copy.copy_(self.t());
  // The distances of a tile fill half of the registers of AVX-512.
  const int64_t rows = 4;
  const int64_t lanes = 256 / rows / (self.element_size() / 4);
  LaunchOptions options;
  options.grain = std::max<int64_t>(1, 16384 / (rows * lanes * columns));
  Grid grid = grid_1d(ceil_div(n, rows));
  grid.y = static_cast<int32_t>(ceil_div(n, lanes));
  with_order(self, p, [&](auto order, auto inverse_order) {
    launch(kernel, options, grid, self, copy, written(out), n, columns, stride(1),
           stride(copy.stride(0)), order, inverse_order, constant(order_of(p)), constant(rows),
           constant(lanes), constant(256));
  });
}

// PyTorch's own kernels have the errors for everything that these refuse.
struct PdistForward : PlainOp {
  static const char* refuse(const Tensor& self, double p) {
    if (self.dim() != 2 || !self.is_contiguous()) return "pdist of other than a dense matrix";
    return is_single(self) && p >= 0 ? nullptr : "pdist of this dtype or order";
  }
  static Tensor call(const Tensor& self, double p) {
    const int64_t pairs = self.size(0) <= 1 ? 0 : pairs_of(self);
    const Tensor out = allocate_output({pairs}, {}, self.options());
    if (pairs == 0) return out;
    if (self.size(1) == 0) return out.zero_();
    if (self.is_cpu())
      run_across(self, p, out);
    else
      run_along(self, p, out);
    return out;
  }
};
TILEWISE_OPERATOR(PdistForward, "_pdist_forward");

// grad_x of [batch, n, columns] and [batch, m, columns].
void gradient(const Tensor& grad, int64_t stride_grad, const Tensor& x, const Tensor& y,
              const Tensor& distance, double p, bool is_paired, const Tensor& out) {
  static const Kernel kernel("reduction/pair_distance", "gradient");
  const int64_t columns = x.size(-1), n = x.size(-2), m = y.size(-2);
  if (p == 0 || distance.numel() == 0) {
    out.zero_();
    return;
  }
  Tile tile(columns, x.is_cpu());
  tile.options.grain = std::max<int64_t>(1, 8192 / (m * tile.block));
  Grid grid = grid_1d(x.numel() / columns);
  grid.y = static_cast<int32_t>(ceil_div(columns, tile.block));
  const auto run = [&](auto order) {
    launch(kernel, tile.options, grid, x, grad, x, y, distance, written(out), n, m, columns,
           stride(stride_grad), order, constant(order_of(p)), constant(is_paired),
           constant(std::min(tile.rows, next_power_of_2(m))), constant(tile.block));
  };
  if (x.scalar_type() == at::kDouble)
    run(fp64(p));
  else
    run(p);
}

bool share_dtype(std::initializer_list<const Tensor*> tensors) {
  return std::all_of(tensors.begin(), tensors.end(), [&](const Tensor* tensor) {
    return tensor->scalar_type() == (*tensors.begin())->scalar_type();
  });
}

struct PdistBackward : PlainOp {
  static const char* refuse(const Tensor& grad, const Tensor& self, double p, const Tensor& pdist) {
    if (self.dim() != 2 || !self.is_contiguous() || !pdist.is_contiguous() || grad.dim() != 1 ||
        grad.numel() != pdist.numel() || pdist.numel() != pairs_of(self))
      return "pdist: shapes or strides";
    if (!share_dtype({&self, &grad, &pdist})) return "pdist: dtypes";
    return is_single(self) && p >= 0 ? nullptr : "pdist of this dtype or order";
  }
  static Tensor call(const Tensor& grad, const Tensor& self, double p, const Tensor& pdist) {
    const Tensor out = allocate_output(self.sizes(), {}, self.options());
    if (out.numel() > 0) gradient(grad, grad.stride(0), self, self, pdist, p, true, out);
    return out;
  }
};
TILEWISE_OPERATOR(PdistBackward, "_pdist_backward");

struct CdistBackward : PlainOp {
  static const char* refuse(const Tensor& grad, const Tensor& x1, const Tensor& x2, double p,
                            const Tensor& cdist) {
    if (x1.dim() < 2 || x1.dim() != x2.dim() || x1.size(-1) != x2.size(-1) ||
        grad.sizes() != cdist.sizes() || grad.dim() != x1.dim() || grad.size(-2) != x1.size(-2) ||
        grad.size(-1) != x2.size(-2))
      return "cdist: shapes";
    if (!share_dtype({&x1, &x2, &grad, &cdist})) return "cdist: dtypes";
    return is_single(x1) && p >= 0 ? nullptr : "cdist of this dtype or order";
  }
  static Tensor call(const Tensor& grad, const Tensor& x1, const Tensor& x2, double p,
                     const Tensor& cdist) {
    const auto batch = [](const Tensor& t) { return t.sizes().slice(0, t.sizes().size() - 2); };
    if (at::IntArrayRef(at::infer_size_dimvector(batch(x1), batch(x2))) != batch(grad))
      throw dispatch::Refusal{"cdist: shapes"};
    // Dense, as ATen makes them where batches broadcast.
    const auto whole = [&grad](const Tensor& tensor) {
      at::DimVector all(grad.sizes());
      all[all.size() - 2] = tensor.size(-2);
      all.back() = tensor.size(-1);
      return tensor.expand(all).contiguous();
    };
    const Tensor first = whole(x1), second = whole(x2);
    const Tensor out = allocate_output(first.sizes(), {}, x1.options());
    if (out.numel() > 0)
      gradient(grad.contiguous(), 1, first, second, cdist.contiguous(), p, false, out);
    return out;
  }
};
TILEWISE_OPERATOR(CdistBackward, "_cdist_backward");

}  // namespace
}  // namespace tilewise::ops
