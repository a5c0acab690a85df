// SPDX-License-Identifier: Apache-2.0
#include "ops/random/philox_state.h"

#include <ATen/CPUGeneratorImpl.h>
#include <ATen/Context.h>

#include <mutex>

#include "dispatch/refusal.h"
#include "ops/framework/gpu_symbols.h"
#include "ops/random/engine_position.h"

namespace tilewise::ops {
namespace {

constexpr int64_t kChunk = 1024;

// PhiloxState is laid out as at::PhiloxCudaState, whose header needs CUDA's.
static_assert(sizeof(PhiloxState) == 32 && offsetof(PhiloxState, is_captured) == 24);

PhiloxState take_cuda_state(at::GeneratorImpl* generator, uint64_t increment) {
  // PhiloxCudaState at::CUDAGeneratorImpl::philox_cuda_state(uint64_t): a class of 32 bytes is
  // returned through a hidden first argument.
  using Take = PhiloxState (*)(at::GeneratorImpl*, uint64_t);
  static const auto take =
      reinterpret_cast<Take>(find_gpu_symbol("_ZN2at17CUDAGeneratorImpl17philox_cuda_stateEm"));
  if (take == nullptr) throw dispatch::Refusal{"PyTorch's GPU generator is not accessible"};
  return take(generator, increment);
}

PhiloxState take_cpu_state(at::CPUGeneratorImpl& generator, int64_t chunks) {
  at::mt19937 engine = generator.engine();
  const std::optional<int64_t> position = engine_position(engine);
  if (!position.has_value()) return {generator.random64(), 0, 0, false};
  for (int64_t i = 0; i < chunks; ++i) engine();
  generator.set_engine(engine);
  return {generator.current_seed(), static_cast<uint64_t>(*position * kChunk), 0, false};
}

}  // namespace

void PhiloxState::add_to(runtime::ArgumentPack& pack) const {
  using runtime::DType;
  if (is_captured) {
    pack.pointer(reinterpret_cast<const void*>(seed), DType::i64);
    pack.pointer(reinterpret_cast<const void*>(offset), DType::i64);
    pack.typed_integer(static_cast<int64_t>(offset_in_graph), DType::i64);
  } else {
    pack.typed_integer(static_cast<int64_t>(seed), DType::i64);
    pack.typed_integer(static_cast<int64_t>(offset), DType::i64);
    pack.none();
  }
}

PhiloxState take_random_numbers(const std::optional<at::Generator>& generator, c10::Device device,
                                int64_t count) {
  at::Generator source = generator.has_value() && generator->defined()
                             ? *generator
                             : at::globalContext().defaultGenerator(device);
  const std::scoped_lock lock(source.mutex());
  const int64_t chunks = (count + kChunk - 1) / kChunk;
  if (device.is_cpu())
    return take_cpu_state(*at::check_generator<at::CPUGeneratorImpl>(source), chunks);
  return take_cuda_state(source.unsafeGetGeneratorImpl(), static_cast<uint64_t>(chunks * kChunk));
}

}  // namespace tilewise::ops
