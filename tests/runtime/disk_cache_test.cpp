// SPDX-License-Identifier: Apache-2.0
#include "runtime/disk_cache.h"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <sstream>

#include "base/hash.h"
#include "base/logging.h"
#include "temporary_folder.h"

namespace tilewise::runtime {
namespace {

CompileRequest request_of(const std::string& text) { return {text, sha256_hex(text)}; }

Artifact sample_artifact() {
  Artifact artifact;
  artifact.kind = PayloadKind::cubin;
  artifact.entry = "softmax";
  artifact.payload = std::string(
      "\x7f"
      "ELF\0 payload",
      13);
  artifact.payload.append(5000, 'x');
  artifact.num_warps = 8;
  artifact.shared_bytes = 65536;
  artifact.frontend_seconds = 0.25;
  return artifact;
}

std::string read(const std::string& path) {
  std::ostringstream text;
  text << std::ifstream(path, std::ios::binary).rdbuf();
  return text.str();
}

void overwrite(const std::string& path, const std::string& content) {
  std::ofstream(path, std::ios::binary | std::ios::trunc) << content;
}

int warnings = 0;
void count_warning(const char*) { ++warnings; }

TEST(Sha256, MatchesThePublishedVectors) {
  EXPECT_EQ(sha256_hex(""), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  EXPECT_EQ(sha256_hex("abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  EXPECT_EQ(sha256_hex(std::string(1000000, 'a')),
            "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
}

TEST(ArtifactStore, ReturnsWhatWasPut) {
  const TemporaryFolder folder;
  ArtifactStore store(folder.path());
  const CompileRequest request = request_of("kernel=a\n");
  EXPECT_FALSE(store.get(request));
  store.put(request, sample_artifact());
  const auto found = store.get(request);
  ASSERT_TRUE(found);
  EXPECT_EQ(found->payload, sample_artifact().payload);
  EXPECT_EQ(metadata_text(*found), metadata_text(sample_artifact()));
  EXPECT_FALSE(store.get(request_of("kernel=b\n")));
  EXPECT_EQ(store.counts().hits, 1u);
  EXPECT_EQ(store.counts().misses, 2u);
  EXPECT_EQ(store.counts().damaged, 0u);
  EXPECT_EQ(store.counts().written, 1u);
}

TEST(ArtifactStore, EveryTruncationIsDamage) {
  const TemporaryFolder folder;
  ArtifactStore store(folder.path());
  const CompileRequest request = request_of("kernel=a\n");
  store.put(request, sample_artifact());
  const std::string whole = read(store.path_of(request));
  uint64_t tried = 0;
  for (size_t length = 0; length < whole.size(); length += length < 300 ? 1 : 97, ++tried) {
    overwrite(store.path_of(request), whole.substr(0, length));
    ASSERT_FALSE(store.get(request)) << length;
  }
  overwrite(store.path_of(request), whole + "x");
  EXPECT_FALSE(store.get(request));
  EXPECT_EQ(store.counts().damaged, tried + 1);
  store.put(request, sample_artifact());  // Overwrites what is damaged.
  EXPECT_TRUE(store.get(request));
}

TEST(ArtifactStore, EveryBitFlipIsDamage) {
  const TemporaryFolder folder;
  ArtifactStore store(folder.path());
  const CompileRequest request = request_of("kernel=a\n");
  store.put(request, sample_artifact());
  const std::string whole = read(store.path_of(request));
  for (size_t at = 0; at < whole.size(); at += at < 400 ? 1 : 61) {
    std::string damaged = whole;
    damaged[at] = static_cast<char>(damaged[at] ^ (1 << at % 8));
    overwrite(store.path_of(request), damaged);
    ASSERT_FALSE(store.get(request)) << "byte " << at;
  }
}

TEST(ArtifactStore, ForeignFilesAreNotLoaded) {
  const TemporaryFolder folder;
  ArtifactStore store(folder.path());
  const CompileRequest mine = request_of("kernel=a\n"), other = request_of("kernel=b\n");
  store.put(other, sample_artifact());
  store.put(mine, sample_artifact());
  // A valid file of another request under this one's name.
  overwrite(store.path_of(mine), read(store.path_of(other)));
  EXPECT_FALSE(store.get(mine));
  overwrite(store.path_of(mine), std::string(100000, '\xff'));
  EXPECT_FALSE(store.get(mine));
  // A folder where the file should be.
  std::filesystem::remove(store.path_of(mine));
  std::filesystem::create_directory(store.path_of(mine));
  EXPECT_FALSE(store.get(mine));
  EXPECT_EQ(store.counts().damaged, 3u);
}

TEST(ArtifactStore, AFileLeftHalfWrittenByAKilledProcessIsIgnored) {
  const TemporaryFolder folder;
  ArtifactStore store(folder.path());
  const CompileRequest request = request_of("kernel=a\n");
  store.put(request, sample_artifact());
  const std::string path = store.path_of(request), whole = read(path);
  std::filesystem::remove(path);
  overwrite(path + ".1234.0.part", whole.substr(0, whole.size() / 2));
  EXPECT_FALSE(store.get(request));
  EXPECT_EQ(store.counts().damaged, 0u);
  store.put(request, sample_artifact());
  EXPECT_TRUE(store.get(request));
}

TEST(ArtifactStore, AnUnwritableStoreWarnsOnceAndGoesOn) {
  const TemporaryFolder folder;
  // A file where the folder should be: fails for root too, whom permissions do not stop.
  folder.write("blocked", "");
  ArtifactStore store(folder.path() + "/blocked");
  set_log_hook(count_warning);
  warnings = 0;
  store.put(request_of("kernel=a\n"), sample_artifact());
  store.put(request_of("kernel=b\n"), sample_artifact());
  EXPECT_FALSE(store.get(request_of("kernel=a\n")));
  set_log_hook(nullptr);
  EXPECT_EQ(warnings, 1);
  EXPECT_NE(store.problem().find("TILEWISE_CACHE_DIR"), std::string::npos);
  EXPECT_EQ(store.counts().written, 0u);
}

TEST(ArtifactStore, AReadOnlyStoreStillServes) {
  if (geteuid() == 0) GTEST_SKIP() << "permissions do not stop root";
  const TemporaryFolder folder;
  const CompileRequest request = request_of("kernel=a\n");
  ArtifactStore(folder.path()).put(request, sample_artifact());
  const auto inner =
      std::filesystem::path(ArtifactStore(folder.path()).path_of(request)).parent_path();
  using std::filesystem::perms;
  std::filesystem::permissions(inner, perms::owner_read | perms::owner_exec);
  ArtifactStore store(folder.path());
  EXPECT_TRUE(store.get(request));
  std::filesystem::permissions(inner, perms::owner_all);
}

TEST(ArtifactStore, ProcessesAtOnceNeverSeeATornFile) {
  const TemporaryFolder folder;
  const CompileRequest request = request_of("kernel=a\n");
  constexpr int kProcesses = 3;
  for (int process = 0; process < kProcesses; ++process) {
    if (fork() == 0) {
      ArtifactStore store(folder.path());
      for (int i = 0; i < 100; ++i) {
        Artifact artifact = sample_artifact();
        artifact.payload.assign(static_cast<size_t>(1000 + 4000 * process), 'a');
        store.put(request, artifact);
        const auto found = store.get(request);
        if (!found || found->payload.find_first_not_of('a') != std::string::npos) _exit(1);
      }
      _exit(store.counts().damaged == 0 && store.counts().written == 100 ? 0 : 2);
    }
  }
  for (int process = 0; process < kProcesses; ++process) {
    int status = 0;
    wait(&status);
    EXPECT_EQ(WEXITSTATUS(status), 0);
  }
  int files = 0;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(folder.path())) {
    files += entry.is_regular_file();
  }
  EXPECT_EQ(files, 1);
}

}  // namespace
}  // namespace tilewise::runtime
