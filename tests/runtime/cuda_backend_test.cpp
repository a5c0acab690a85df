// SPDX-License-Identifier: Apache-2.0
// The CUDA backend on a real device; skipped where there is none. The driver takes PTX text where
// it takes a cubin, so no compiler is needed.
#include <gtest/gtest.h>

#include <thread>

#include "backends/cuda/driver_api.h"
#include "backends/gpu_common/gpu_backend.h"
#include "runtime/backend.h"

namespace tilewise::backends {
namespace {

using runtime::Artifact;
using runtime::DeviceError;
using runtime::DeviceKind;

// x[i] += shared_word + 1 for i < n, with Triton's two trailing pointers. Each thread writes its
// word of dynamic shared memory at offset 100000 first, which faults if that memory is not there.
constexpr char kAddOne[] = R"(
.version 7.0
.target sm_70
.address_size 64
.extern .shared .align 16 .b8 smem[];
.visible .entry add_one(.param .u64 x, .param .u32 n, .param .u64 g, .param .u64 p)
{
  .reg .pred %q;
  .reg .b32 %r<8>;
  .reg .b64 %d<4>;
  .reg .f32 %f<4>;
  mov.u32 %r1, %ctaid.x;
  mov.u32 %r2, %ntid.x;
  mov.u32 %r3, %tid.x;
  mad.lo.u32 %r4, %r1, %r2, %r3;
  ld.param.u32 %r5, [n];
  setp.ge.u32 %q, %r4, %r5;
  @%q bra DONE;
  mov.u32 %r6, smem;
  mad.lo.u32 %r6, %r3, 4, %r6;
  mov.f32 %f2, 0f00000000;
  st.shared.f32 [%r6+100000], %f2;
  ld.shared.f32 %f3, [%r6+100000];
  ld.param.u64 %d1, [x];
  cvta.to.global.u64 %d1, %d1;
  mul.wide.u32 %d2, %r4, 4;
  add.s64 %d1, %d1, %d2;
  ld.global.f32 %f1, [%d1];
  add.f32 %f1, %f1, 0f3F800000;
  add.f32 %f1, %f1, %f3;
  st.global.f32 [%d1], %f1;
DONE:
  ret;
}
)";

Artifact sample_artifact() {
  Artifact artifact;
  artifact.kind = runtime::PayloadKind::cubin;
  artifact.entry = "add_one";
  artifact.payload = kAddOne;
  artifact.num_warps = 4;
  artifact.shared_bytes = 100000 + 512;  // More than a kernel gets without asking (48 KiB).
  return artifact;
}

class CudaBackendTest : public testing::Test {
 protected:
  void SetUp() override {
    try {
      backend_.target_name(0);
    } catch (const DeviceError& error) {
      GTEST_SKIP() << error.what();
    }
    if (backend_.properties(0).shared_bytes_per_program < 100512) GTEST_SKIP() << "small device";
    const DriverLibrary library({"libcuda.so.1"}, "test");
    int (*allocate)(uint64_t*, size_t, unsigned) = nullptr;
    library.find("cuMemAllocManaged", allocate);
    library.find("cuCtxSynchronize", synchronize_);
    CudaApi::instance().enter(0);
    uint64_t address = 0;
    ASSERT_EQ(allocate(&address, kCount * sizeof(float), 1), 0);
    data_ = reinterpret_cast<float*>(address);
    std::fill(data_, data_ + kCount, 1.0f);
  }

  void launch(const runtime::LoadedKernel& kernel) const {
    const uint64_t slots[] = {reinterpret_cast<uint64_t>(data_), kCount};
    kernel.launch(slots, 2, {(kCount + 127) / 128}, {}, nullptr);
  }

  static constexpr int kCount = 1000;
  GpuBackend<CudaApi> backend_;
  float* data_ = nullptr;
  int (*synchronize_)() = nullptr;
};

TEST_F(CudaBackendTest, LaunchesFromThreadsWithAndWithoutAContext) {
  const auto kernel = backend_.load(sample_artifact(), 0);
  launch(*kernel);
  std::thread([&] { launch(*kernel); }).join();
  ASSERT_EQ(synchronize_(), 0);
  for (int i = 0; i < kCount; ++i) ASSERT_EQ(data_[i], 3.0f) << i;
}

TEST_F(CudaBackendTest, NamesTheTarget) {
  EXPECT_EQ(backend_.target_name(0), "cuda:" + std::to_string(backend_.properties(0).capability));
  EXPECT_EQ(backend_.properties(0).warp_size, 32);
}

TEST_F(CudaBackendTest, RefusesWithTheDriversReason) {
  Artifact artifact = sample_artifact();
  artifact.payload = "no code";
  EXPECT_THROW(backend_.load(artifact, 0), DeviceError);
  artifact = sample_artifact();
  artifact.entry = "absent";
  EXPECT_THROW(backend_.load(artifact, 0), DeviceError);
  artifact = sample_artifact();
  artifact.shared_bytes = 10 << 20;
  EXPECT_THROW(backend_.load(artifact, 0), DeviceError);
  artifact = sample_artifact();
  artifact.global_scratch_bytes = 16;
  EXPECT_THROW(backend_.load(artifact, 0), DeviceError);
  EXPECT_THROW(backend_.target_name(1000), DeviceError);
}

TEST(HipBackend, SaysWhatIsMissing) {
  runtime::Backend* const backend = runtime::find_backend(DeviceKind::hip);
  ASSERT_NE(backend, nullptr);
  try {
    GTEST_SKIP() << "an AMD GPU is here: " << backend->target_name(0);
  } catch (const DeviceError& error) {
    EXPECT_NE(std::string(error.what()).find("driver"), std::string::npos);
  }
}

}  // namespace
}  // namespace tilewise::backends
