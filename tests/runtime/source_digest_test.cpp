// SPDX-License-Identifier: Apache-2.0
#include "runtime/source_digest.h"

#include <gtest/gtest.h>

#include "runtime/compile_request.h"
#include "temporary_folder.h"

namespace tilewise::runtime {
namespace {

TEST(SourceDigest, FollowsImportsOfKernelFiles) {
  const TemporaryFolder folder;
  folder.write("family/kernel.py", "import triton\nfrom common.shared import x  # why\n");
  folder.write("common/shared.py", "import triton.language as tl\n    import common.deep\n");
  folder.write("common/deep.py", "a = 1\n");
  folder.write("common/unrelated.py", "a = 1\n");
  const KernelIdentity kernel{0, "family/kernel", "f", ""};
  const std::string before = source_digest(kernel, folder.path());
  EXPECT_EQ(before, source_digest(kernel, folder.path()));
  folder.write("common/unrelated.py", "a = 2\n");
  EXPECT_EQ(before, source_digest(kernel, folder.path()));
  folder.write("common/deep.py", "a = 2\n");
  EXPECT_NE(before, source_digest(kernel, folder.path()));
  folder.write("common/deep.py", "a = 1\n");
  EXPECT_EQ(before, source_digest(kernel, folder.path()));
}

TEST(SourceDigest, AnImportedFolderIsAllItsFiles) {
  const TemporaryFolder folder;
  folder.write("family/kernel.py", "from common import (\n    one,\n)\n");
  folder.write("common/one.py", "from . import two\n");
  folder.write("common/two.py", "a = 1\n");
  const KernelIdentity kernel{0, "family/kernel", "f", ""};
  const std::string before = source_digest(kernel, folder.path());
  folder.write("common/two.py", "a = 2\n");
  EXPECT_NE(before, source_digest(kernel, folder.path()));
}

TEST(SourceDigest, AGeneratedSourceCountsWithWhatItImports) {
  const TemporaryFolder folder;
  folder.write("pointwise/scalar.py", "a = 1\n");
  const KernelIdentity kernel{0, "generated", "f", "from pointwise.scalar import a\n"};
  const KernelIdentity other{0, "generated", "f", "from pointwise.scalar import a \n"};
  const std::string before = source_digest(kernel, folder.path());
  EXPECT_NE(before, source_digest(other, folder.path()));
  folder.write("pointwise/scalar.py", "a = 2\n");
  EXPECT_NE(before, source_digest(kernel, folder.path()));
}

TEST(SourceDigest, AMissingFileIsNamed) {
  try {
    source_digest(KernelIdentity{0, "family/absent", "f", ""}, "/nonexistent");
    FAIL();
  } catch (const std::runtime_error& error) {
    EXPECT_NE(std::string(error.what()).find("family/absent.py"), std::string::npos);
  }
}

TEST(CompileRequest, NamesEveryParameter) {
  const Kernel kernel("generated", "f", "pass\n");
  ArgumentPack arguments;
  arguments.pointer(nullptr, DType::bf16);
  arguments.pointer(reinterpret_cast<void*>(8), DType::i1);
  arguments.integer(int64_t{1} << 40);
  arguments.stride(32);
  arguments.stride(1);
  arguments.floating(0.5);
  arguments.constant(-7);
  arguments.constant_float(0.1);
  arguments.constant_dtype(DType::fp8e5);
  arguments.constant_bool(true);
  arguments.none();
  const CompileRequest request =
      make_request(kernel.identity(), arguments, {.num_warps = 8}, DeviceKind::cuda, "cuda:90");
  EXPECT_NE(request.text.find("num_warps=8\nnum_stages=2\nfp_fusion=1\nlibdevice_ftz=0\n"
                              "parameter=*bf16 aligned\nparameter=*i1\nparameter=i64\n"
                              "parameter=i32 divisible\nparameter=constexpr one\nparameter=fp32\n"
                              "parameter=constexpr int -7\n"
                              "parameter=constexpr float 0x1.999999999999ap-4\n"
                              "parameter=constexpr dtype fp8e5\nparameter=constexpr bool 1\n"
                              "parameter=constexpr none\nsource=\npass\n"),
            std::string::npos)
      << request.text;
  EXPECT_NE(request.text.find("target=cuda:90\ncompiler=triton=3.6.0\n"), std::string::npos);
  const CompileRequest cpu =
      make_request(kernel.identity(), arguments, {.num_warps = 8}, DeviceKind::cpu, "cpu:riscv64");
  EXPECT_NE(cpu.text.find("\ncpu_compiler="), std::string::npos);
  EXPECT_EQ(cpu.text.find("num_warps"), std::string::npos);
}

}  // namespace
}  // namespace tilewise::runtime
