// SPDX-License-Identifier: Apache-2.0
#include "backends/cpu/cpu_kernel.h"

#include <gtest/gtest.h>

#include <fstream>
#include <sstream>
#include <thread>

#include "backends/cpu/parallel_for.h"

namespace tilewise::backends {
namespace {

const std::string& object() {
  static const std::string content = [] {
    std::ostringstream text;
    text << std::ifstream(TILEWISE_CPU_SAMPLE, std::ios::binary).rdbuf();
    return text.str();
  }();
  return content;
}

std::vector<int32_t> run(const runtime::Grid& grid, int64_t grain = 1) {
  const CpuKernel kernel(object(), "sample_kernel", 10000);
  std::vector<int32_t> out(static_cast<size_t>(grid.programs()));
  const uint64_t slots[] = {reinterpret_cast<uint64_t>(out.data()), 5};
  kernel.launch(slots, 2, grid, {.grain = grain}, nullptr);
  return out;
}

int tasks = 0;

void two_threads(int64_t begin, int64_t end, int64_t, void (*body)(void*, int64_t, int64_t),
                 void* context) {
  const int64_t middle = (begin + end) / 2;
  tasks += 2;
  std::thread other([=] { body(context, begin, middle); });
  body(context, middle, end);
  other.join();
}

TEST(CpuKernel, RunsEveryProgramOnce) { EXPECT_EQ(run({2, 3, 4}), std::vector<int32_t>(24, 10)); }

TEST(CpuKernel, RunsTasksWhereParallelForPutsThem) {
  set_parallel_for(two_threads);
  tasks = 0;
  EXPECT_EQ(run({3, 5, 1}), std::vector<int32_t>(15, 15));
  EXPECT_EQ(tasks, 2);
  EXPECT_EQ(run({3, 5, 1}, 15), std::vector<int32_t>(15, 15));
  EXPECT_EQ(tasks, 2);  // Within one grain: on the calling thread.
  set_parallel_for(nullptr);
}

TEST(CpuKernel, RefusesWhatIsNoObjectOrHasNoSuchFunction) {
  EXPECT_THROW(CpuKernel("not an object", "sample_kernel", 0), runtime::DeviceError);
  EXPECT_THROW(CpuKernel(object(), "absent", 0), runtime::DeviceError);
}

}  // namespace
}  // namespace tilewise::backends
