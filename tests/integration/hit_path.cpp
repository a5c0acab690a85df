// SPDX-License-Identifier: Apache-2.0
// Calls operators from C++, with no Python in the process, and counts heap allocations a call.
//
//   TILEWISE_COMPILE=cached TILEWISE_CACHE_DIR=warmed hit_path add 1000 [stock]
//
// prints "OPERATOR CALLS ALLOCATIONS". The store must hold the kernels (test_hit_path.py warms it).
// The difference of two runs under `valgrind --tool=callgrind` is the instructions of a call.
#include <ATen/Parallel.h>
#include <ATen/ops/add.h>
#include <ATen/ops/gelu.h>
#include <ATen/ops/mul.h>
#include <ATen/ops/native_layer_norm.h>
#include <ATen/ops/randn.h>
#include <ATen/ops/softmax.h>
#include <ATen/ops/sum.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <map>
#include <string>

// glibc's own allocator under its second name; ours count and pass on.
extern "C" void* __libc_malloc(size_t);
extern "C" void* __libc_memalign(size_t, size_t);

namespace {
bool counting = false;
long allocations = 0;
}  // namespace

extern "C" void* malloc(size_t bytes) {
  allocations += counting;
  return __libc_malloc(bytes);
}
extern "C" int posix_memalign(void** result, size_t alignment, size_t bytes) {
  allocations += counting;
  *result = __libc_memalign(alignment, bytes);
  return *result == nullptr ? 12 /* ENOMEM */ : 0;
}

extern "C" int tilewise_install(char** error);
extern "C" int tilewise_make_scope(const char* include, const char* exclude, int strict,
                                   void** scope, char** error);
extern "C" void tilewise_set_process_scope(void* scope);

int main(int argc, char** argv) {
  if (argc < 3) {
    std::fprintf(stderr, "usage: hit_path OPERATOR CALLS [stock]\n");
    return 2;
  }
  at::set_num_threads(1);
  const at::Tensor x = at::randn({1, 4096}).to(at::kBFloat16);
  const at::Tensor weight = at::randn({4096}).to(at::kBFloat16);
  const std::map<std::string, std::function<void()>> calls = {
      {"add", [&] { at::add(x, x); }},
      {"mul", [&] { at::mul(x, x); }},
      {"gelu", [&] { at::gelu(x); }},
      {"softmax", [&] { at::softmax(x, -1); }},
      {"layer_norm", [&] { at::native_layer_norm(x, {4096}, weight, weight, 1e-5); }},
      {"sum", [&] { at::sum(x, {-1}); }},
  };
  const auto& call = calls.at(argv[1]);
  const long count = std::atol(argv[2]);
  if (argc < 4 || std::strcmp(argv[3], "stock") != 0) {
    char* error = nullptr;
    void* scope = nullptr;
    if (tilewise_install(&error) != 0 || tilewise_make_scope("", "", 1, &scope, &error) != 0) {
      std::fprintf(stderr, "%s\n", error);
      return 1;
    }
    tilewise_set_process_scope(scope);
  }
  for (int i = 0; i < 3; ++i) call();  // loads the kernel
  counting = true;
  for (long i = 0; i < count; ++i) call();
  counting = false;
  std::printf("%s %ld %ld\n", argv[1], count, allocations);
}
