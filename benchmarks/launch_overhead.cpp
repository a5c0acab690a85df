// SPDX-License-Identifier: Apache-2.0
// The runtime's hit path without a device: packs the arguments of a typical kernel, builds the key,
// probes the launch cache and calls a backend that does nothing.
//
//   launch_overhead 1000000                              prints nanoseconds a launch
//   launch_overhead 1000000 FILE.o ENTRY SCRATCH_BYTES   the same of a kernel that runs on the CPU
//
// Under `valgrind --tool=callgrind` the difference of two runs is the instructions of a launch;
// benchmarks/launch_overhead.py does that and writes the result.
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <sstream>

#include "runtime/backend.h"
#include "runtime/compiler_client.h"
#include "runtime/launcher.h"

namespace {

using namespace tilewise::runtime;  // NOLINT: a program of one page about that namespace

class IdleKernel final : public LoadedKernel {
 public:
  void launch(const uint64_t*, int, const Grid&, const LaunchOptions&, void*) const override {}
};

class IdleBackend final : public Backend {
 public:
  std::string target_name(int) override { return "cuda:90"; }
  DeviceProperties properties(int) override { return {}; }
  std::unique_ptr<LoadedKernel> load(const Artifact&, int) override {
    return std::make_unique<IdleKernel>();
  }
};

Artifact artifact{.kind = PayloadKind::cubin, .payload = "none", .entry = "kernel"};

int compile(const char*, CompileResult* result) {
  result->artifact = artifact;
  result->finished = true;
  return 0;
}

Artifact read_object(char** arguments) {
  std::ostringstream payload;
  payload << std::ifstream(arguments[0], std::ios::binary).rdbuf();
  return {.kind = PayloadKind::elf_object,
          .payload = payload.str(),
          .entry = arguments[1],
          .scratch_bytes = std::atol(arguments[2])};
}

}  // namespace

int main(int argc, char** argv) {
  const long count = argc > 1 ? std::atol(argv[1]) : 1000000;
  const bool runs = argc > 4;
  if (runs) artifact = read_object(argv + 2);
  const DeviceKind device = runs ? DeviceKind::cpu : DeviceKind::cuda;
  static IdleBackend backend;
  register_backend(DeviceKind::cuda, &backend);
  set_compile_mode(CompileMode::wait);
  set_compiler(compile);
  const Kernel kernel("launch_overhead", "kernel", "# no source");
  alignas(64) static float memory[3][1024];
  const auto launch_once = [&] {
    ArgumentPack arguments;
    for (auto& part : memory) arguments.pointer(part, DType::fp32);
    arguments.stride(1024);
    arguments.constant(1024);
    const Grid grid = {.x = runs ? 1 : 4, .y = 1, .z = 1};
    if (!launch(kernel, arguments, {}, grid, device, 0, nullptr)) std::abort();
  };
  launch_once();
  const auto start = std::chrono::steady_clock::now();
  for (long i = 0; i < count; ++i) launch_once();
  const std::chrono::duration<double, std::nano> spent = std::chrono::steady_clock::now() - start;
  std::printf("%.2f\n", spent.count() / static_cast<double>(count));
}
