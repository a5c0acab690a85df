// SPDX-License-Identifier: Apache-2.0
// Loops written by hand for operators that memory bounds: what a kernel for them can reach at most.
// A library for benchmarks/memory_loops.py. Each thread takes one part of the rows, as
// at::parallel_for divides them; the thread pool is PyTorch's where that is in the process.
//
// A family has its loops in all widths, and with all stores or all numbers of accumulators and ways
// of prefetching: loop_name(family, i) is null behind the last, run_loop(family, i, ...) runs one.
#include <immintrin.h>

#include <array>
#include <cstddef>

namespace {

struct Narrow {
  using Register = __m256;
  static constexpr size_t lanes = 8;
  static Register splat(float x) { return _mm256_set1_ps(x); }
  static Register load(const float* p) { return _mm256_loadu_ps(p); }
  static void store(float* p, Register x) { _mm256_storeu_ps(p, x); }
  static void store_past_cache(float* p, Register x) { _mm256_stream_ps(p, x); }
  static Register add(Register a, Register b) { return _mm256_add_ps(a, b); }
  static Register mul(Register a, Register b) { return _mm256_mul_ps(a, b); }
  static Register max(Register a, Register b) { return _mm256_max_ps(a, b); }
};

struct Wide {
  using Register = __m512;
  static constexpr size_t lanes = 16;
  static Register splat(float x) { return _mm512_set1_ps(x); }
  static Register load(const float* p) { return _mm512_loadu_ps(p); }
  static void store(float* p, Register x) { _mm512_storeu_ps(p, x); }
  static void store_past_cache(float* p, Register x) { _mm512_stream_ps(p, x); }
  static Register add(Register a, Register b) { return _mm512_add_ps(a, b); }
  static Register mul(Register a, Register b) { return _mm512_mul_ps(a, b); }
  static Register max(Register a, Register b) { return _mm512_max_ps(a, b); }
};

constexpr size_t kPage = 1024;  // In floats.
constexpr size_t kAhead = 4 * kPage;

// The rows that one thread takes.
struct Part {
  const float* in;
  float* out;
  size_t rows;
  size_t columns;  // A multiple of kPage.
};

enum class Store { ordinary, past_cache };
enum class Prefetch { none, second_cache, first_cache };

struct Relu {
  template <class V>
  static auto apply(typename V::Register x) {
    return V::max(x, V::splat(0));
  }
};
struct Half {
  template <class V>
  static auto apply(typename V::Register x) {
    return V::mul(x, V::splat(0.5F));
  }
};

struct Sum {
  static constexpr float identity = 0;
  template <class V>
  static auto combine(typename V::Register a, typename V::Register b) {
    return V::add(a, b);
  }
  static float combine(float a, float b) { return a + b; }
};
// Without regard to NaN, which is one instruction an element instead of three.
struct Max {
  static constexpr float identity = -__builtin_inff();
  template <class V>
  static auto combine(typename V::Register a, typename V::Register b) {
    return V::max(a, b);
  }
  static float combine(float a, float b) { return a > b ? a : b; }
};

template <Prefetch prefetch>
void prefetch_line(const float* in) {
  if constexpr (prefetch == Prefetch::first_cache) _mm_prefetch(in + kAhead, _MM_HINT_T0);
  if constexpr (prefetch == Prefetch::second_cache) _mm_prefetch(in + kAhead, _MM_HINT_T1);
}

template <class Function, class V, Store store, Prefetch prefetch>
void map(const Part& part) {
  constexpr size_t unroll = 64 / V::lanes;
  const size_t count = part.rows * part.columns;
  for (size_t page = 0; page < count; page += kPage) {
    prefetch_line<prefetch>(part.in + page);
    for (size_t i = page; i < page + kPage; i += 64) {
      typename V::Register x[unroll];
      for (size_t u = 0; u < unroll; ++u) x[u] = V::load(part.in + i + u * V::lanes);
      for (size_t u = 0; u < unroll; ++u) {
        const auto y = Function::template apply<V>(x[u]);
        float* const to = part.out + i + u * V::lanes;
        if constexpr (store == Store::past_cache)
          V::store_past_cache(to, y);
        else
          V::store(to, y);
      }
    }
  }
  _mm_sfence();
}

// Halves with halves, into the first.
template <size_t count, class T, class Combine>
void fold(T* values, Combine combine) {
  constexpr size_t half = count / 2;
  if constexpr (half > 0) {
#pragma GCC unroll 16
    for (size_t i = 0; i < half; ++i) values[i] = combine(values[i], values[i + half]);
    fold<half>(values, combine);
  }
}

template <class Function, class V, size_t accumulators, Prefetch prefetch>
void reduce(const Part& part) {
  for (size_t row = 0; row < part.rows; ++row) {
    const float* const in = part.in + row * part.columns;
    typename V::Register a[accumulators];
    for (auto& accumulator : a) accumulator = V::splat(Function::identity);
    for (size_t page = 0; page < part.columns; page += kPage) {
      prefetch_line<prefetch>(in + page);
      for (size_t i = page; i < page + kPage; i += accumulators * V::lanes)
        for (size_t u = 0; u < accumulators; ++u)
          a[u] = Function::template combine<V>(a[u], V::load(in + i + u * V::lanes));
    }
    fold<accumulators>(a, [](auto x, auto y) { return Function::template combine<V>(x, y); });
    float lanes[V::lanes];
    V::store(lanes, a[0]);
    fold<V::lanes>(lanes, [](float x, float y) { return Function::combine(x, y); });
    part.out[row] = lanes[0];
  }
}

struct Loop {
  const char* name;
  void (*run)(const Part&);
};

template <class Function>
constexpr std::array kMaps{
    Loop{"32 bytes", map<Function, Narrow, Store::ordinary, Prefetch::none>},
    Loop{"64 bytes", map<Function, Wide, Store::ordinary, Prefetch::none>},
    Loop{"32 bytes, prefetch L1", map<Function, Narrow, Store::ordinary, Prefetch::first_cache>},
    Loop{"32 bytes, prefetch L2", map<Function, Narrow, Store::ordinary, Prefetch::second_cache>},
    Loop{"64 bytes, prefetch L2", map<Function, Wide, Store::ordinary, Prefetch::second_cache>},
    Loop{"32 bytes, past the cache", map<Function, Narrow, Store::past_cache, Prefetch::none>},
    Loop{"64 bytes, past the cache", map<Function, Wide, Store::past_cache, Prefetch::none>},
    Loop{"32 bytes, past the cache, prefetch L2",
         map<Function, Narrow, Store::past_cache, Prefetch::second_cache>},
};

template <class Function>
constexpr std::array kReductions{
    Loop{"32 bytes x 4", reduce<Function, Narrow, 4, Prefetch::none>},
    Loop{"32 bytes x 8", reduce<Function, Narrow, 8, Prefetch::none>},
    Loop{"32 bytes x 16", reduce<Function, Narrow, 16, Prefetch::none>},
    Loop{"64 bytes x 4", reduce<Function, Wide, 4, Prefetch::none>},
    Loop{"64 bytes x 8", reduce<Function, Wide, 8, Prefetch::none>},
    Loop{"32 bytes x 8, prefetch L1", reduce<Function, Narrow, 8, Prefetch::first_cache>},
    Loop{"32 bytes x 8, prefetch L2", reduce<Function, Narrow, 8, Prefetch::second_cache>},
    Loop{"64 bytes x 8, prefetch L2", reduce<Function, Wide, 8, Prefetch::second_cache>},
};

// A null name behind the last.
Loop find_loop(int family, size_t i) {
  const auto at = [i](const auto& loops) { return i < loops.size() ? loops[i] : Loop{}; };
  switch (family) {
    case 0:
      return at(kMaps<Relu>);
    case 1:
      return at(kMaps<Half>);
    case 2:
      return at(kReductions<Sum>);
    case 3:
      return at(kReductions<Max>);
    default:
      return {};
  }
}

}  // namespace

#define EXPORTED extern "C" __attribute__((visibility("default")))

EXPORTED const char* loop_name(int family, size_t i) { return find_loop(family, i).name; }

// `out` is of the size of `in` for maps, and aligned for vectors; a number a row for reductions.
EXPORTED void run_loop(int family, size_t i, const float* in, float* out, size_t rows,
                       size_t columns, int threads) {
  const Loop loop = find_loop(family, i);
  const bool is_map = family < 2;
  const size_t parts = static_cast<size_t>(threads);
#pragma omp parallel for schedule(static) num_threads(threads)
  for (size_t t = 0; t < parts; ++t) {
    const size_t first = rows * t / parts;
    const size_t last = rows * (t + 1) / parts;
    loop.run({in + first * columns, out + first * (is_map ? columns : 1), last - first, columns});
  }
}
