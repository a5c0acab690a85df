// SPDX-License-Identifier: Apache-2.0
// Loading and launching binaries through a GPU driver, the same for CUDA and HIP. `Api` is a class
// that holds the driver's functions, found with dlopen, behind the names below (DriverApi); it
// differs per vendor, this does not.
#pragma once

#include <concepts>
#include <mutex>
#include <string>

#include "runtime/argument_pack.h"
#include "runtime/backend.h"

namespace tilewise::backends {

template <class Api>
concept DriverApi = requires(const Api& api, int device, const std::string& image,
                             typename Api::Module module, typename Api::Function function,
                             unsigned size, void** parameters, void* stream, int status) {
  // Loads the driver at the first call. Throws DeviceError with a sentence if there is none.
  { Api::instance() } -> std::same_as<const Api&>;
  { api.target_name(device) } -> std::same_as<std::string>;
  { api.properties(device) } -> std::same_as<runtime::DeviceProperties>;
  // Makes the device's primary context the calling thread's; returns what leave() takes.
  { api.enter(device) } -> std::same_as<typename Api::Context>;
  api.leave(typename Api::Context());
  { api.load_module(image) } -> std::same_as<typename Api::Module>;
  { api.find_function(module, "entry") } -> std::same_as<typename Api::Function>;
  api.allow_shared(function, size);
  // Returns the driver's status; 0 is success.
  { api.launch(function, runtime::Grid(), size, size, stream, parameters) } -> std::same_as<int>;
  { api.is_wrong_context(status) } -> std::same_as<bool>;
  { api.error_text(status) } -> std::same_as<std::string>;
  { Api::kPayload } -> std::convertible_to<runtime::PayloadKind>;
};

template <DriverApi Api>
class GpuKernel final : public runtime::LoadedKernel {
 public:
  GpuKernel(const Api& api, typename Api::Function function, int device, unsigned threads,
            unsigned shared_bytes, std::string entry)
      : api_(api),
        function_(function),
        device_(device),
        threads_(threads),
        shared_bytes_(shared_bytes),
        entry_(std::move(entry)) {}

  void launch(const uint64_t* slots, int slot_count, const runtime::Grid& grid,
              const runtime::LaunchOptions&, void* stream) const override {
    // Triton appends two pointers to every kernel: global scratch and profile scratch. Kernels that
    // use them are refused in load(), so both are null.
    static constexpr uint64_t kNull = 0;
    void* parameters[runtime::kMaxArguments + 2];
    for (int i = 0; i < slot_count; ++i) parameters[i] = const_cast<uint64_t*>(slots + i);
    parameters[slot_count] = parameters[slot_count + 1] = const_cast<uint64_t*>(&kNull);
    int status = api_.launch(function_, grid, threads_, shared_bytes_, stream, parameters);
    if (status != 0 && api_.is_wrong_context(status)) [[unlikely]] {
      // A thread that never touched the device has no context, and PyTorch may be on another
      // device. Asking first would cost every launch a driver call.
      const auto previous = api_.enter(device_);
      status = api_.launch(function_, grid, threads_, shared_bytes_, stream, parameters);
      api_.leave(previous);
    }
    if (status != 0) [[unlikely]]
      throw_refused(status, grid);
  }

 private:
  [[noreturn]] void throw_refused(int status, const runtime::Grid& grid) const {
    throw runtime::DeviceError("launching " + entry_ + " on a grid of " + std::to_string(grid.x) +
                               " x " + std::to_string(grid.y) + " x " + std::to_string(grid.z) +
                               " failed: " + api_.error_text(status));
  }

  const Api& api_;
  const typename Api::Function function_;
  const int device_;
  const unsigned threads_;
  const unsigned shared_bytes_;
  const std::string entry_;
};

template <DriverApi Api>
class GpuBackend final : public runtime::Backend {
 public:
  std::string target_name(int device) override { return Api::instance().target_name(device); }

  runtime::DeviceProperties properties(int device) override {
    return Api::instance().properties(device);
  }

  std::unique_ptr<runtime::LoadedKernel> load(const runtime::Artifact& artifact,
                                              int device) override {
    if (artifact.kind != Api::kPayload) {
      throw runtime::DeviceError("the artifact of " + artifact.entry + " is not for this device");
    }
    if (artifact.global_scratch_bytes > 0 || artifact.profile_scratch_bytes > 0) {
      throw runtime::DeviceError(artifact.entry +
                                 " needs global scratch memory, which Tilewise "
                                 "does not provide");
    }
    const Api& api = Api::instance();
    const runtime::DeviceProperties limits = api.properties(device);
    if (artifact.shared_bytes > limits.shared_bytes_per_program) {
      throw runtime::DeviceError(
          artifact.entry + " needs " + std::to_string(artifact.shared_bytes) +
          " bytes of shared memory and the device has " +
          std::to_string(limits.shared_bytes_per_program) + " for one program");
    }
    const ContextScope scope(api, device);
    // Modules live for the process, as the kernels in the cache do.
    const auto module = api.load_module(artifact.payload);
    const auto function = api.find_function(module, artifact.entry.c_str());
    const auto shared = static_cast<unsigned>(artifact.shared_bytes);
    constexpr unsigned kSharedWithoutAsking = 48 * 1024;
    if (shared > kSharedWithoutAsking) api.allow_shared(function, shared);
    const auto threads = static_cast<unsigned>(artifact.num_warps * limits.warp_size);
    return std::make_unique<GpuKernel<Api>>(api, function, device, threads, shared, artifact.entry);
  }

 private:
  struct ContextScope {
    ContextScope(const Api& driver, int device) : api(driver), previous(driver.enter(device)) {}
    ~ContextScope() { api.leave(previous); }
    ContextScope(const ContextScope&) = delete;
    ContextScope& operator=(const ContextScope&) = delete;
    const Api& api;
    const typename Api::Context previous;
  };
};

}  // namespace tilewise::backends
