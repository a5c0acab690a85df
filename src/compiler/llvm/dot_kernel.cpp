// SPDX-License-Identifier: Apache-2.0
// c is cut into blocks whose accumulators stay in registers for the whole of k. For each step of k,
// a block of R rows and V vectors loads V vectors of b and broadcasts R numbers of a, for R * V
// multiply-adds.
//
//   tw_dot_MxNxK_f32               loops over blocks and calls
//   tw_dot_MxNxK_f32_block_RxCOLS  one block, inlined
#include "compiler/llvm/dot_kernel.h"

#include <algorithm>
#include <functional>
#include <numeric>
#include <set>
#include <vector>

#include "base/check.h"

namespace tilewise::compiler {
namespace {

// A function so far: text and the next free number for names.
struct Body {
  std::string text;
  int next = 0;
};

std::string number(int64_t value) { return std::to_string(value); }

std::string element_pointer(Body& body, const std::string& base, const std::string& offset) {
  const std::string name = "%p" + number(body.next++);
  body.text +=
      "  " + name + " = getelementptr inbounds float, ptr " + base + ", i64 " + offset + "\n";
  return name;
}

// Runs `write(position)` for the positions begin, begin + step, ... of `count` pieces, but after
// the first one only for those below the i64 `limit`.
void write_loop(Body& body, int begin, int step, int count, const std::string& limit,
                const std::function<void(const std::string&)>& write) {
  if (count == 1) return write(number(begin));
  const std::string id = number(body.next++);
  body.text += "  %end" + id + " = call i64 @llvm.umin.i64(i64 " + limit + ", i64 " +
               number(begin + int64_t{step} * count) + ")\n";
  body.text += "  br label %before" + id + "\nbefore" + id + ":\n  br label %loop" + id + "\nloop" +
               id + ":\n  %i" + id + " = phi i64 [" + number(begin) + ", %before" + id +
               "], [%next" + id + ", %latch" + id + "]\n";
  write("%i" + id);
  body.text += "  br label %latch" + id + "\nlatch" + id + ":\n  %next" + id +
               " = add nuw nsw i64 %i" + id + ", " + number(step) + "\n  %more" + id +
               " = icmp ult i64 %next" + id + ", %end" + id + "\n  br i1 %more" + id +
               ", label %loop" + id + ", label %done" + id + "\ndone" + id + ":\n";
}

// The columns of one block.
struct Columns {
  int lanes;
  int vectors;

  int count() const { return lanes * vectors; }
};

// Block widths from wide to narrow, each to be used as often as it fits into what is left.
std::vector<Columns> column_blocks(int n, const Target& target) {
  const int lanes = target.vector_lanes(size_bytes(FloatType::f32));
  const int widest = target.vector_registers >= 32 ? 4 : 2;
  std::vector<Columns> blocks;
  for (int vectors = widest; vectors >= 1; --vectors) {
    if (n >= lanes * vectors) blocks.push_back({lanes, vectors});
    n %= lanes * vectors;
  }
  for (int narrow = lanes / 2; narrow >= 1; narrow /= 2) {
    if (n >= narrow) blocks.push_back({narrow, 1});
    n %= narrow;
  }
  return blocks;
}

// The most rows that leave registers for the vectors of b and one broadcast. Fewer where they
// divide m, if more than half: the 16 accumulators of 4 x 4 or 8 x 2 still cover the latency of
// the multiply-adds (4 cycles, two started in each).
int rows_of_block(int m, int vectors, const Target& target) {
  const int most = std::min({m, (target.vector_registers - vectors - 1) / vectors, 16});
  for (int rows = most; rows > most / 2; --rows) {
    if (m % rows == 0) return rows;
  }
  return most;
}

// What one 32-bit unit of a and b holds. The pairs lie along k, of which there are half as many
// units then; everything else is the same.
enum class Unit { f32, bf16_pair };

class BlockWriter {
 public:
  BlockWriter(const DotShape& shape, Unit unit, const Target& target, int rows,
              const Columns& columns)
      : shape_(shape),
        unit_(unit),
        columns_(columns),
        rows_(rows),
        unroll_(std::gcd(shape.k, 4)),
        has_fma_(target.has_fma),
        vector_(llvm_vector_name(FloatType::f32, columns.lanes)),
        pairs_(llvm_vector_name(FloatType::bf16, 2 * columns.lanes)) {}

  std::string write(const std::string& name) {
    write_start();
    write_steps();
    write_end();
    return "define internal void @" + name +
           "(ptr noalias %a, i64 %a_step, ptr noalias %b, ptr noalias %c, i64 %k_end) "
           "alwaysinline nounwind "
           "{\nstart:\n" +
           body_.text + "  ret void\n}\n\n";
  }

 private:
  // "%STAGE_ROW_VECTOR", the names of one accumulator.
  static std::string accumulator(const std::string& stage, int row, int vector) {
    return "%" + stage + "_" + number(row) + "_" + number(vector);
  }

  template <class Visit>
  void for_each_accumulator(Visit visit) const {
    for (int row = 0; row < rows_; ++row) {
      for (int vector = 0; vector < columns_.vectors; ++vector) visit(row, vector);
    }
  }

  std::string c_pointer(int row, int vector) {
    return element_pointer(body_, "%c", number(int64_t{row} * shape_.n + vector * columns_.lanes));
  }

  void write_start() {
    body_.text += "  %a0 = getelementptr i8, ptr %a, i64 0\n";
    for (int row = 1; row < rows_; ++row) {
      body_.text += "  %a" + number(row) + " = getelementptr i8, ptr %a" + number(row - 1) +
                    ", i64 %a_step\n";
    }
    write_prefetches();
    for_each_accumulator([&](int row, int vector) {
      const std::string pointer = c_pointer(row, vector);
      body_.text += "  " + accumulator("start", row, vector) + " = load " + vector_ + ", ptr " +
                    pointer + ", align 4\n";
    });
  }

  // Of a matrix whose tiles are multiplied along k, what the next tile of a will be. A tile that
  // was packed has nothing of use there, nor is it slow to have.
  void write_prefetches() {
    constexpr int kLine = 64;
    const int bytes = 4 * shape_.k;
    for (int row = 0; row < rows_ && bytes >= kLine; ++row) {
      for (int line = 0; line < bytes; line += kLine) {
        const std::string name = "%p" + number(body_.next++);
        body_.text += "  " + name + " = getelementptr i8, ptr %a" + number(row) + ", i64 " +
                      number(bytes + line) + "\n  call void @llvm.prefetch.p0(ptr " + name +
                      ", i32 0, i32 2, i32 1)\n";
      }
    }
  }

  void write_steps() {
    body_.text +=
        "  br label %step\nstep:\n  %k = phi i64 [0, %start], [%k_next, %step]\n"
        "  %bk = phi ptr [%b, %start], [%bk_next, %step]\n";
    for_each_accumulator([&](int row, int vector) {
      body_.text += "  " + accumulator("step0", row, vector) + " = phi " + vector_ + " [" +
                    accumulator("start", row, vector) + ", %start], [" +
                    accumulator("step" + number(unroll_), row, vector) + ", %step]\n";
    });
    for (int step = 0; step < unroll_; ++step) write_step(step);
    body_.text +=
        "  %bk_next = getelementptr inbounds float, ptr %bk, i64 " +
        number(int64_t{unroll_} * shape_.n) + "\n  %k_next = add nuw nsw i64 %k, " +
        number(unroll_) +
        "\n  %more = icmp ult i64 %k_next, %k_end\n  br i1 %more, label %step, label %end\nend:\n";
  }

  void write_step(int step) {
    std::vector<std::string> b;
    for (int vector = 0; vector < columns_.vectors; ++vector) {
      const std::string pointer =
          element_pointer(body_, "%bk", number(int64_t{step} * shape_.n + vector * columns_.lanes));
      b.push_back(emit("load " + operand() + ", ptr " + pointer + ", align 4"));
    }
    for (int row = 0; row < rows_; ++row) {
      const std::string unit = element_pointer(body_, "%a" + number(row), "%k");
      const std::string a = broadcast(element_pointer(body_, unit, number(step)));
      for (int vector = 0; vector < columns_.vectors; ++vector) {
        write_multiply_add(accumulator("step" + number(step + 1), row, vector), a, b[vector],
                           accumulator("step" + number(step), row, vector));
      }
    }
  }

  // The type of vectors of a and b as the multiply-add takes them.
  const std::string& operand() const { return unit_ == Unit::f32 ? vector_ : pairs_; }

  void write_multiply_add(const std::string& result, const std::string& a, const std::string& b,
                          const std::string& sum) {
    if (unit_ == Unit::bf16_pair) {
      body_.text += "  " + result + " = call " + vector_ + " @llvm.x86.avx512bf16.dpbf16ps." +
                    number(columns_.lanes * 32) + "(" + vector_ + " " + sum + ", " + pairs_ + " " +
                    a + ", " + pairs_ + " " + b + ")\n";
      return;
    }
    if (!has_fma_) {
      const std::string product = emit("fmul " + vector_ + " " + a + ", " + b);
      body_.text += "  " + result + " = fadd " + vector_ + " " + sum + ", " + product + "\n";
      return;
    }
    const std::string suffix = (columns_.lanes > 1 ? "v" + number(columns_.lanes) : "") + "f32";
    body_.text += "  " + result + " = call " + vector_ + " @llvm.fma." + suffix + "(" + vector_ +
                  " " + a + ", " + vector_ + " " + b + ", " + vector_ + " " + sum + ")\n";
  }

  void write_end() {
    for_each_accumulator([&](int row, int vector) {
      const std::string pointer = c_pointer(row, vector);
      body_.text += "  store " + vector_ + " " +
                    accumulator("step" + number(unroll_), row, vector) + ", ptr " + pointer +
                    ", align 4\n";
    });
  }

  std::string broadcast(const std::string& pointer) {
    // A row of bf16 may start at any of them.
    const std::string align = unit_ == Unit::f32 ? "4" : "2";
    const std::string scalar = emit("load float, ptr " + pointer + ", align " + align);
    if (columns_.lanes == 1) return scalar;
    const std::string single =
        emit("insertelement " + vector_ + " poison, float " + scalar + ", i64 0");
    const std::string all = emit("shufflevector " + vector_ + " " + single + ", " + vector_ +
                                 " poison, <" + number(columns_.lanes) + " x i32> zeroinitializer");
    return unit_ == Unit::f32 ? all : emit("bitcast " + vector_ + " " + all + " to " + pairs_);
  }

  std::string emit(const std::string& instruction) {
    const std::string name = "%v" + number(body_.next++);
    body_.text += "  " + name + " = " + instruction + "\n";
    return name;
  }

  const DotShape shape_;
  const Unit unit_;
  const Columns columns_;
  const int rows_;
  const int unroll_;  // Steps of k in one turn of the loop.
  const bool has_fma_;
  const std::string vector_;
  const std::string pairs_;
  Body body_;
};

class DotWriter {
 public:
  // `shape` counts units.
  DotWriter(const DotShape& shape, Unit unit, const Target& target, const std::string& name)
      : shape_(shape), unit_(unit), target_(target), name_(name) {}

  // Columns outside and rows inside, so that the k x columns part of b stays in the L1 cache.
  std::string write() {
    int column = 0;
    for (const Columns& columns : column_blocks(shape_.n, target_)) {
      const int count = (shape_.n - column) / columns.count();
      write_loop(body_, column, columns.count(), count, "%n", [&](const std::string& position) {
        if (shape_.few_columns && columns.vectors == 4) {
          write_wide_or_narrow(position, columns);
        } else {
          write_rows(position, columns);
        }
      });
      column += count * columns.count();
    }
    return blocks_ + "define internal void @" + name_ +
           "(ptr noalias %a, i64 %a_step, ptr noalias %b, ptr noalias %c, i64 %m, i64 %n, "
           "i64 %k) nounwind {\n" +
           units_of_k() + body_.text + "  ret void\n}\n\n";
  }

 private:
  std::string units_of_k() const {
    if (unit_ == Unit::f32) return "  %k_end = add i64 %k, 0\n";
    return "  %k_odd = add nuw nsw i64 %k, 1\n  %k_end = lshr i64 %k_odd, 1\n";
  }

  // The last columns that are needed may be half a block or less.
  void write_wide_or_narrow(const std::string& position, const Columns& columns) {
    const Columns half = {.lanes = columns.lanes, .vectors = columns.vectors / 2};
    const std::string id = number(body_.next++);
    body_.text += "  %left" + id + " = sub i64 %n, " + position + "\n  %few" + id +
                  " = icmp sle i64 %left" + id + ", " + number(half.count()) + "\n  br i1 %few" +
                  id + ", label %narrow" + id + ", label %wide" + id + "\nwide" + id + ":\n";
    write_rows(position, columns);
    body_.text += "  br label %either" + id + "\nnarrow" + id + ":\n";
    write_rows(position, half);
    body_.text += "  br label %either" + id + "\neither" + id + ":\n";
  }

  void write_rows(const std::string& column, const Columns& columns) {
    const int rows = rows_of_block(shape_.m, columns.vectors, target_);
    const int rest = shape_.m % rows;
    write_loop(body_, 0, rows, shape_.m / rows, "%m",
               [&](const std::string& row) { write_call(row, column, rows, columns); });
    if (rest != 0) write_call(number(shape_.m - rest), column, rest, columns);
  }

  void write_call(const std::string& row, const std::string& column, int rows,
                  const Columns& columns) {
    const std::string block = name_ + "_block_" + number(rows) + "x" + number(columns.count());
    if (known_blocks_.insert(block).second) {
      blocks_ += BlockWriter(shape_, unit_, target_, rows, columns).write(block);
    }
    const std::string above = "%o" + number(body_.next++);
    const std::string a = "%p" + number(body_.next++);
    body_.text += "  " + above + " = mul i64 " + row + ", %a_step\n  " + a +
                  " = getelementptr i8, ptr %a, i64 " + above + "\n";
    const std::string b = element_pointer(body_, "%b", column);
    const std::string c =
        element_pointer(body_, element_pointer(body_, "%c", product(row, shape_.n)), column);
    body_.text += "  call void @" + block + "(ptr " + a + ", i64 %a_step, ptr " + b + ", ptr " + c +
                  ", i64 %k_end)\n";
  }

  std::string product(const std::string& value, int factor) {
    const std::string name = "%o" + number(body_.next++);
    body_.text += "  " + name + " = mul nuw nsw i64 " + value + ", " + number(factor) + "\n";
    return name;
  }

  const DotShape shape_;
  const Unit unit_;
  const Target& target_;
  const std::string name_;
  Body body_;
  std::string blocks_;
  std::set<std::string> known_blocks_;
};

std::string function_name(const DotShape& shape, const char* kind) {
  return "tw_dot_" + number(shape.m) + "x" + number(shape.n) + "x" + number(shape.k) + kind +
         (shape.few_columns ? "_few_columns" : "");
}

}  // namespace

std::string dot_function(const DotShape& shape, const Target& target, std::string& name) {
  name = function_name(shape, "_f32");
  return DotWriter(shape, Unit::f32, target, name).write();
}

bool has_bf16_dot_function(const DotShape& shape, const Target& target) {
  return target.has_bf16_dot && shape.n % 4 == 0 && shape.k % 2 == 0;
}

std::string bf16_dot_function(const DotShape& shape, const Target& target, std::string& name) {
  TILEWISE_ASSERT(has_bf16_dot_function(shape, target), target.name);
  name = function_name(shape, "_bf16");
  DotShape units = shape;
  units.k /= 2;
  return DotWriter(units, Unit::bf16_pair, target, name).write();
}

}  // namespace tilewise::compiler
