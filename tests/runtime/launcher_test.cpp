// SPDX-License-Identifier: Apache-2.0
// The launch path with a compiler and a device that are not there.
#include "runtime/launcher.h"

#include <gtest/gtest.h>

#include <chrono>
#include <cstdlib>
#include <mutex>
#include <thread>

#include "counted_allocations.h"
#include "runtime/backend.h"
#include "runtime/compiler_client.h"
#include "runtime/disk_cache.h"
#include "runtime/statistics.h"
#include "temporary_folder.h"

namespace tilewise::runtime {
namespace {

std::atomic<int> compilations{0};
std::atomic<int> launches{0};
std::atomic<uint64_t> last_slot{0};
std::atomic<bool> driver_fails{false};

class FakeKernel final : public LoadedKernel {
 public:
  void launch(const uint64_t* slots, int slot_count, const Grid&, const LaunchOptions&,
              void*) const override {
    if (driver_fails) throw DeviceError("launch refused");
    ++launches;
    if (slot_count > 0) last_slot = slots[0];
  }
};

class FakeBackend final : public Backend {
 public:
  std::string target_name(int) override { return "cuda:90"; }
  DeviceProperties properties(int) override { return {}; }
  std::unique_ptr<LoadedKernel> load(const Artifact& artifact, int) override {
    if (artifact.payload == "unloadable") throw DeviceError("too much shared memory");
    return std::make_unique<FakeKernel>();
  }
};

int fill(CompileResult* result, const char* payload = "payload") {
  result->artifact.kind = PayloadKind::cubin;
  result->artifact.entry = "function";
  result->artifact.payload = payload;
  result->artifact.frontend_seconds = 0.5;
  result->finished = true;
  return 0;
}

int compile_at_once(const char*, CompileResult* result) {
  ++compilations;
  return fill(result);
}

int compile_slowly(const char*, CompileResult* result) {
  ++compilations;
  std::this_thread::sleep_for(std::chrono::milliseconds(50));
  return fill(result);
}

int compile_badly(const char*, CompileResult* result) {
  ++compilations;
  result->error = "line 3: unknown operation";
  return 1;
}

int compile_what_cannot_load(const char*, CompileResult* result) {
  ++compilations;
  return fill(result, "unloadable");
}

class LauncherTest : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    static const TemporaryFolder folder;
    setenv("TILEWISE_CACHE_DIR", folder.path().c_str(), 1);
    static FakeBackend backend;
    register_backend(DeviceKind::cuda, &backend);
  }
  void SetUp() override {
    set_compile_mode(CompileMode::wait);
    set_compiler(compile_at_once);
    compilations = launches = 0;
    driver_fails = false;
  }

  // A kernel of its own for each test: the cache lives for the process.
  static Kernel fresh_kernel() {
    static int count = 0;
    return Kernel("generated", "function", "# " + std::to_string(++count));
  }
  static bool launch_on_device(const Kernel& kernel, int64_t value = 3, Grid grid = {}) {
    ArgumentPack arguments;
    arguments.integer(value);
    arguments.constant(1024);
    return launch(kernel, arguments, {}, grid, DeviceKind::cuda, 0, nullptr);
  }
};

TEST_F(LauncherTest, CompilesOnceAndLaunchesEachTime) {
  const Kernel kernel = fresh_kernel();
  EXPECT_TRUE(launch_on_device(kernel, 3));
  EXPECT_TRUE(launch_on_device(kernel, 4));
  EXPECT_EQ(compilations, 1);
  EXPECT_EQ(launches, 2);
  EXPECT_EQ(last_slot, 4u);
  EXPECT_TRUE(launch_on_device(kernel, int64_t{1} << 40));  // i64: another specialization.
  EXPECT_EQ(compilations, 2);
}

TEST_F(LauncherTest, AnEmptyGridIsASuccessWithoutALaunch) {
  EXPECT_TRUE(launch_on_device(fresh_kernel(), 3, {0, 1, 1}));
  EXPECT_EQ(compilations + launches, 0);
}

TEST_F(LauncherTest, AHitAllocatesNothing) {
  const Kernel kernel = fresh_kernel();
  ASSERT_TRUE(launch_on_device(kernel));
  const uint64_t before = allocation_count();
  for (int i = 0; i < 1000; ++i) launch_on_device(kernel, i);
  EXPECT_EQ(allocation_count() - before, 0u);
  EXPECT_EQ(launches, 1001);
}

TEST_F(LauncherTest, ThreadsThatMissTogetherCompileOnce) {
  set_compiler(compile_slowly);
  const Kernel kernel = fresh_kernel();
  std::vector<std::thread> threads;
  std::atomic<int> good{0};
  for (int i = 0; i < 8; ++i) threads.emplace_back([&] { good += launch_on_device(kernel); });
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(good, 8);
  EXPECT_EQ(compilations, 1);
  EXPECT_EQ(launches, 8);
}

TEST_F(LauncherTest, AFailureIsRememberedUntilTheCompilerChanges) {
  set_compiler(compile_badly);
  const Kernel kernel = fresh_kernel();
  EXPECT_FALSE(launch_on_device(kernel));
  EXPECT_FALSE(launch_on_device(kernel));
  EXPECT_EQ(compilations, 1);
  EXPECT_EQ(last_refusal(), "generated:function for cuda:90: line 3: unknown operation");
  const uint64_t before = allocation_count();
  EXPECT_FALSE(launch_on_device(kernel));
  EXPECT_EQ(allocation_count(), before);  // A refused operator falls back on every call.
  set_compiler(compile_at_once);
  EXPECT_TRUE(launch_on_device(kernel));
  EXPECT_EQ(compilations, 2);
}

TEST_F(LauncherTest, ABinaryThatDoesNotLoadIsRefusedWithTheReason) {
  set_compiler(compile_what_cannot_load);
  const Kernel kernel = fresh_kernel();
  EXPECT_FALSE(launch_on_device(kernel));
  EXPECT_NE(last_refusal().find("too much shared memory"), std::string_view::npos);
  EXPECT_FALSE(launch_on_device(kernel));
  EXPECT_EQ(compilations, 1);
}

TEST_F(LauncherTest, CachedModeServesFromTheStoreAndNeverCompiles) {
  const Kernel kernel = fresh_kernel();
  set_compile_mode(CompileMode::cached);
  EXPECT_FALSE(launch_on_device(kernel));
  EXPECT_EQ(compilations, 0);
  EXPECT_NE(last_refusal().find("cached"), std::string_view::npos);
  // Another device of the same kind finds what the first one compiled.
  set_compile_mode(CompileMode::wait);
  EXPECT_TRUE(launch_on_device(kernel));
  EXPECT_EQ(compilations, 1);
  set_compile_mode(CompileMode::cached);
  ArgumentPack arguments;
  arguments.integer(3);
  arguments.constant(1024);
  EXPECT_TRUE(launch(kernel, arguments, {}, {}, DeviceKind::cuda, 1, nullptr));
  EXPECT_EQ(compilations, 1);
}

TEST_F(LauncherTest, WithoutACompilerTheReasonSaysSo) {
  set_compiler(nullptr);
  EXPECT_FALSE(launch_on_device(fresh_kernel()));
  EXPECT_NE(last_refusal().find("no compiler is set"), std::string_view::npos);
}

TEST_F(LauncherTest, ADeviceWithoutABackendIsRefused) {
  ArgumentPack arguments;
  EXPECT_FALSE(launch(fresh_kernel(), arguments, {}, {}, DeviceKind::hip, 0, nullptr));
  EXPECT_NE(last_refusal().find("no backend"), std::string_view::npos);
}

TEST_F(LauncherTest, AnErrorOfTheDriverReachesTheCaller) {
  const Kernel kernel = fresh_kernel();
  ASSERT_TRUE(launch_on_device(kernel));
  driver_fails = true;
  EXPECT_THROW(launch_on_device(kernel), DeviceError);
}

TEST_F(LauncherTest, ACompilerThatLaunchesIsRefusedAndDoesNotDeadlock) {
  static const Kernel* self = nullptr;
  static std::string inner_reason;
  const Kernel kernel = fresh_kernel();
  self = &kernel;
  set_compiler(+[](const char*, CompileResult* result) {
    EXPECT_FALSE(launch_on_device(*self));
    inner_reason = last_refusal();
    return fill(result);
  });
  EXPECT_TRUE(launch_on_device(kernel));
  EXPECT_NE(inner_reason.find("by the compiler"), std::string::npos);
}

// A lock like CPython's: the compiler needs it, and the waiting thread comes with it held.
std::mutex host_mutex;
thread_local bool holds_host_lock = false;

TEST_F(LauncherTest, AWaitingThreadGivesUpTheLockThatTheCompilerNeeds) {
  static std::atomic<bool> compiling{false};
  static std::atomic<bool> got_lock{false};
  set_host_lock({.held = [] { return holds_host_lock ? 1 : 0; },
                 .release = []() -> void* {
                   holds_host_lock = false;
                   host_mutex.unlock();
                   return &host_mutex;
                 },
                 .restore =
                     [](void* state) {
                       static_cast<std::mutex*>(state)->lock();
                       holds_host_lock = true;
                     }});
  set_compiler(+[](const char*, CompileResult* result) {
    compiling = true;
    // Not a timed mutex: ThreadSanitizer does not know how libstdc++ waits for one.
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(5);
    while (!(got_lock = host_mutex.try_lock()) && std::chrono::steady_clock::now() < deadline) {
      std::this_thread::yield();
    }
    if (got_lock) host_mutex.unlock();
    return fill(result);
  });
  const Kernel kernel = fresh_kernel();
  host_mutex.lock();
  holds_host_lock = true;
  std::thread compiler([&] { EXPECT_TRUE(launch_on_device(kernel)); });
  while (!compiling) std::this_thread::yield();
  EXPECT_TRUE(launch_on_device(kernel));
  EXPECT_TRUE(holds_host_lock);
  host_mutex.unlock();
  compiler.join();
  EXPECT_TRUE(got_lock);
  set_host_lock({});
}

TEST_F(LauncherTest, StatisticsCountEachSpecialization) {
  const Kernel kernel("generated \"quoted\"\n", "function", "# statistics");
  ASSERT_TRUE(launch_on_device(kernel));
  ASSERT_TRUE(launch_on_device(kernel));
  const std::vector<KernelRecord> records = kernel_records();
  const KernelRecord& record = records.back();
  EXPECT_TRUE(record.compiled);
  EXPECT_EQ(record.frontend_seconds, 0.5);
  EXPECT_EQ(record.entry->launches, 2u);
  const std::string json = statistics_json();
  EXPECT_NE(json.find(R"("name":"generated \"quoted\"\u000a:function")"), std::string::npos);
  EXPECT_NE(store_json().find(R"("writable":true)"), std::string::npos);
}

// Not an assertion: the figure goes to the record of measurements.
TEST_F(LauncherTest, ReportsTheCostOfAHit) {
  const Kernel kernel = fresh_kernel();
  char* const data = nullptr;
  const auto once = [&](int64_t n) {
    ArgumentPack arguments;
    arguments.pointer(data, DType::bf16);
    arguments.pointer(data, DType::bf16);
    arguments.pointer(data, DType::bf16);
    arguments.integer(n);
    arguments.constant(1024);
    return launch(kernel, arguments, {}, {4}, DeviceKind::cuda, 0, nullptr);
  };
  ASSERT_TRUE(once(1));
  constexpr int kCalls = 1000000;
  const auto begin = std::chrono::steady_clock::now();
  for (int i = 0; i < kCalls; ++i) once(i);
  const std::chrono::duration<double, std::nano> spent = std::chrono::steady_clock::now() - begin;
  RecordProperty("nanoseconds_per_hit", std::to_string(spent.count() / kCalls));
  std::printf("launch that hits, 5 parameters: %.1f ns\n", spent.count() / kCalls);
}

}  // namespace
}  // namespace tilewise::runtime
