// SPDX-License-Identifier: Apache-2.0
#include "ops/random/philox_state.h"

#include <ATen/CPUGeneratorImpl.h>
#include <ATen/Context.h>

#include <mutex>

#include "dispatch/refusal.h"
#include "ops/framework/gpu_symbols.h"

namespace tilewise::ops {
namespace {

// at::PhiloxCudaState, whose header needs CUDA's. While a graph is captured the first two are
// addresses.
struct CudaState {
  uint64_t seed;
  uint64_t offset;
  uint64_t offset_in_graph;
  bool is_captured;
};

CudaState take_cuda_state(at::GeneratorImpl* generator, uint64_t increment) {
  // PhiloxCudaState at::CUDAGeneratorImpl::philox_cuda_state(uint64_t): a class of 32 bytes is
  // returned through a hidden first argument.
  using Take = CudaState (*)(at::GeneratorImpl*, uint64_t);
  static const auto take =
      reinterpret_cast<Take>(find_gpu_symbol("_ZN2at17CUDAGeneratorImpl17philox_cuda_stateEm"));
  if (take == nullptr) throw dispatch::Refusal{"PyTorch's GPU generator is not accessible"};
  return take(generator, increment);
}

}  // namespace

PhiloxState take_random_numbers(const std::optional<at::Generator>& generator, c10::Device device,
                                int64_t count) {
  at::Generator source = generator.has_value() && generator->defined()
                             ? *generator
                             : at::globalContext().defaultGenerator(device);
  const std::scoped_lock lock(source.mutex());
  if (device.is_cpu()) {
    auto* cpu = at::check_generator<at::CPUGeneratorImpl>(source);
    return {static_cast<int64_t>(cpu->random64()), 0};
  }
  const int64_t taken = (count + 1023) / 1024 * 1024;
  const CudaState state =
      take_cuda_state(source.unsafeGetGeneratorImpl(), static_cast<uint64_t>(taken));
  if (state.is_captured) throw dispatch::Refusal{"random numbers in a captured graph"};
  return {static_cast<int64_t>(state.seed), static_cast<int64_t>(state.offset)};
}

}  // namespace tilewise::ops
