// SPDX-License-Identifier: Apache-2.0
// Tile IR: what a kernel does, as a sequence of items per block. Tensor values are not executed one
// operation after the other; they are expressions that loop nests evaluate lane by lane where a
// *root* needs them. A kernel of one load, ten additions and one store is one nest with one root.
//
// Note [Lanes of a tile race]: Triton gives no order between the lanes of one program's loads and
// stores, since a GPU runs them in different threads. So a nest may store one chunk before it loads
// the next one, although the kernel's text loads the whole tile first. What is kept: program order
// per lane, and between nests.
#pragma once

#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "compiler/ttir/ir.h"

namespace tilewise::compiler {

// A tile in scratch memory, row-major.
struct Buffer {
  int id = 0;
  ScalarKind kind = ScalarKind::none;
  int64_t elements = 0;
  int64_t offset = 0;         // Bytes from the start of scratch.
  bool in_registers = false;  // Not in scratch: see llvm/register_buffers.h.
};

// A tensor's elements in a buffer: element (i, j, ...) lies at offset + i * strides[0] + ...
struct BufferView {
  Buffer* buffer = nullptr;
  int64_t offset = 0;
  std::vector<int64_t> strides;
};

std::vector<int64_t> row_major_strides(const std::vector<int64_t>& shape);

// Something that a nest does for every lane.
struct Root {
  enum class Kind : uint8_t {
    store,        // tt.store
    atomic,       // tt.atomic_rmw, tt.atomic_cas; the old values go to `views[0]` if it is there.
    reduce,       // tt.reduce; result i goes to views[i], or to a register if it is a scalar.
    scan,         // tt.scan; result i goes to views[i].
    materialize,  // `value` goes to views[0], converted to the buffer's type.
    assertion,    // tt.assert on a tensor.
    gather,       // tt.gather; elements of the source at views[1] go to views[0].
    histogram,    // tt.histogram; counts go to views[0], which was cleared.
    print,        // tt.print of the tensor `value`.
  };
  Kind kind;
  Operation* op = nullptr;       // Null for materialize.
  const Value* value = nullptr;  // Of materialize and print only.
  std::vector<BufferView> views;
  int position = 0;  // In program order.

  // The tensors whose lanes the root needs.
  std::vector<const Value*> inputs() const;
  // One lane after the other, in order.
  bool is_sequential() const {
    return kind == Kind::atomic || kind == Kind::histogram || kind == Kind::print;
  }
  bool writes_memory() const { return kind == Kind::store || kind == Kind::atomic; }
};

struct Schedule;

struct Item {
  enum class Kind : uint8_t {
    operation,  // A scalar operation.
    nest,       // Loops over `shape`, doing `roots` for every index.
    control,    // scf.for, scf.if, scf.while, tt.call with the schedules of their blocks.
    dot,        // c += a * b on packed buffers.
    copy,       // Buffer a to buffer b.
    clear,      // Zeros to buffer a.
  };
  Kind kind;
  double order = 0;  // Sorts the items of a schedule.
  Operation* op = nullptr;
  std::vector<int64_t> shape;
  std::vector<Root> roots;
  int axis = -1;          // Of the nest's reductions and scans.
  bool unrolled = false;  // Without loops: see llvm/register_buffers.h.
  // Of a nest that packs a load for a product: the product may read the load's memory instead,
  // where the rows of the tile have any distance, or where they follow each other as packed ones.
  enum class InPlace : uint8_t { no, rows, packed };
  InPlace in_place = InPlace::no;
  std::vector<std::unique_ptr<Schedule>> regions;
  BufferView a, b, c;
  // Of a dot: what the mask of a (of b) leaves out, nothing reads in the rows (columns) of c
  // either.
  bool few_rows = false;
  bool few_columns = false;
  BufferView pairs;  // Of a dot of bf16: room for b with its rows in pairs.
  Schedule* parent = nullptr;

  bool writes_memory() const;  // Global memory; looks into regions.
};

struct Schedule {
  Block* block = nullptr;
  Item* owner = nullptr;  // The control item that holds it; null for blocks of the function.
  std::vector<std::unique_ptr<Item>> items;
};

struct TileProgram {
  Function* function = nullptr;
  std::vector<std::unique_ptr<Schedule>> schedules;  // One per block of the function.
  std::vector<std::unique_ptr<Buffer>> buffers;
  // Tensors that lie in a buffer. A nest that materializes such a tensor evaluates it anew instead.
  std::unordered_map<const Value*, BufferView> views;
  int64_t scratch_bytes = 0;
};

std::string print_tile_program(const TileProgram& program);

}  // namespace tilewise::compiler
