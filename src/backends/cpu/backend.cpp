// SPDX-License-Identifier: Apache-2.0
#include "runtime/backend.h"

#include <thread>

#include "backends/cpu/cpu_kernel.h"
#include "backends/cpu/cpu_target.h"
#include "base/settings.h"
#include "compiler/target.h"

namespace tilewise::backends {
namespace {

class CpuBackend final : public runtime::Backend {
 public:
  std::string target_name(int) override { return "cpu:" + cpu_target(); }

  runtime::DeviceProperties properties(int) override {
    return {.multiprocessors = static_cast<int>(std::thread::hardware_concurrency())};
  }

  std::unique_ptr<runtime::LoadedKernel> load(const runtime::Artifact& artifact, int) override {
    if (artifact.kind != runtime::PayloadKind::elf_object) {
      throw runtime::DeviceError("the artifact of " + artifact.entry + " is not for a CPU");
    }
    return std::make_unique<CpuKernel>(artifact.payload, artifact.entry, artifact.scratch_bytes);
  }
};

[[maybe_unused]] const bool kRegistered = [] {
  runtime::register_backend(runtime::DeviceKind::cpu, new CpuBackend);
  return true;
}();

}  // namespace

namespace {

std::string choose_target() {
  const std::string& asked = settings().cpu_target;
  if (asked.empty()) return compiler::host_target_name();
  if (!compiler::host_runs(compiler::target_from_name(asked))) {
    throw compiler::UnknownTarget("TILEWISE_CPU_TARGET=" + asked +
                                  " names a target that this machine does not run; its best is " +
                                  compiler::host_target_name());
  }
  return asked;
}

}  // namespace

const std::string& cpu_target() {
  static const std::string name = choose_target();
  return name;
}

}  // namespace tilewise::backends
