// SPDX-License-Identifier: Apache-2.0
#include "runtime/disk_cache.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <bit>
#include <cerrno>
#include <cstring>
#include <filesystem>

#include "base/hash.h"
#include "base/logging.h"
#include "base/settings.h"

namespace tilewise::runtime {
namespace {

static_assert(std::endian::native == std::endian::little, "the store's files are little endian");

constexpr uint32_t kFormatVersion = 1;

struct Header {
  char magic[8];
  uint32_t version;
  uint32_t header_bytes;
  uint64_t request_bytes;
  uint64_t metadata_bytes;
  uint64_t payload_bytes;
  uint8_t checksum[32];
};
static_assert(sizeof(Header) == 72);

constexpr char kMagic[8] = {'T', 'I', 'L', 'E', 'W', 'I', 'S', 'E'};

Sha256::Digest checksum(const Header& header, std::string_view body) {
  Sha256 hash;
  hash.update(&header, offsetof(Header, checksum));
  hash.update(body);
  return hash.finish();
}

class File {
 public:
  File(const std::string& path, int flags) : descriptor_(::open(path.c_str(), flags, 0644)) {}
  ~File() {
    if (descriptor_ >= 0) ::close(descriptor_);
  }
  File(const File&) = delete;
  File& operator=(const File&) = delete;

  bool is_open() const { return descriptor_ >= 0; }

  bool read_all(std::string& content) const {
    struct stat status;
    if (::fstat(descriptor_, &status) != 0 || !S_ISREG(status.st_mode)) return false;
    content.resize(static_cast<size_t>(status.st_size));
    for (size_t done = 0; done < content.size();) {
      const ssize_t got = ::read(descriptor_, content.data() + done, content.size() - done);
      if (got < 0 && errno == EINTR) continue;
      if (got <= 0) return false;
      done += static_cast<size_t>(got);
    }
    return true;
  }

  bool write_all(std::string_view content) const {
    while (!content.empty()) {
      const ssize_t put = ::write(descriptor_, content.data(), content.size());
      if (put < 0 && errno == EINTR) continue;
      if (put < 0) return false;
      content.remove_prefix(static_cast<size_t>(put));
    }
    return ::fsync(descriptor_) == 0;
  }

 private:
  const int descriptor_;
};

std::string serialize(const CompileRequest& request, const Artifact& artifact) {
  const std::string metadata = metadata_text(artifact);
  const std::string body = request.text + metadata + artifact.payload;
  Header header = {};
  std::memcpy(header.magic, kMagic, sizeof kMagic);
  header.version = kFormatVersion;
  header.header_bytes = sizeof header;
  header.request_bytes = request.text.size();
  header.metadata_bytes = metadata.size();
  header.payload_bytes = artifact.payload.size();
  const auto digest = checksum(header, body);
  std::memcpy(header.checksum, digest.data(), digest.size());
  return std::string(reinterpret_cast<const char*>(&header), sizeof header) + body;
}

// nullopt for anything that serialize() did not write for this very request.
std::optional<Artifact> deserialize(const CompileRequest& request, std::string_view file) {
  Header header;
  if (file.size() < sizeof header) return std::nullopt;
  std::memcpy(&header, file.data(), sizeof header);
  const std::string_view body = file.substr(sizeof header);
  // Lengths are compared one by one: their sum could wrap around.
  if (std::memcmp(header.magic, kMagic, sizeof kMagic) != 0 || header.version != kFormatVersion ||
      header.header_bytes != sizeof header || header.request_bytes > body.size() ||
      header.metadata_bytes > body.size() - header.request_bytes ||
      header.payload_bytes != body.size() - header.request_bytes - header.metadata_bytes) {
    return std::nullopt;
  }
  const auto digest = checksum(header, body);
  if (std::memcmp(header.checksum, digest.data(), digest.size()) != 0) return std::nullopt;
  if (body.substr(0, header.request_bytes) != request.text) return std::nullopt;
  Artifact artifact;
  if (!parse_metadata(body.substr(header.request_bytes, header.metadata_bytes), artifact)) {
    return std::nullopt;
  }
  artifact.payload = body.substr(header.request_bytes + header.metadata_bytes);
  return artifact;
}

// Empty on success, else what failed.
std::string write_atomically(const std::string& path, std::string_view content) {
  static std::atomic<uint64_t> counter{0};
  std::error_code error;
  std::filesystem::create_directories(std::filesystem::path(path).parent_path(), error);
  if (error) return error.message();
  const std::string temporary =
      path + "." + std::to_string(::getpid()) + "." + std::to_string(counter++) + ".part";
  {
    const File file(temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC);
    if (!file.is_open()) return std::strerror(errno);
    if (!file.write_all(content)) {
      const std::string reason = std::strerror(errno);
      ::unlink(temporary.c_str());
      return reason;
    }
  }
  if (::rename(temporary.c_str(), path.c_str()) != 0) {
    const std::string reason = std::strerror(errno);
    ::unlink(temporary.c_str());
    return reason;
  }
  return "";
}

}  // namespace

ArtifactStore::ArtifactStore(std::string dir) : dir_(std::move(dir)) {}

std::string ArtifactStore::path_of(const CompileRequest& request) const {
  // 256 folders: a store of every kernel for several chips has tens of thousands of files.
  return dir_ + "/artifacts/" + request.key.substr(0, 2) + "/" + request.key;
}

std::optional<Artifact> ArtifactStore::get(const CompileRequest& request) {
  if (!dir_.empty()) {
    const std::string path = path_of(request);
    const File file(path, O_RDONLY | O_CLOEXEC);
    if (file.is_open()) {
      std::string content;
      if (file.read_all(content)) {
        if (auto artifact = deserialize(request, content)) {
          ++hits_;
          return artifact;
        }
      }
      ++damaged_;
      log(LogTopic::cache, "damaged file in the store, compiling again: " + path);
    }
  }
  ++misses_;
  return std::nullopt;
}

void ArtifactStore::put(const CompileRequest& request, const Artifact& artifact) {
  if (dir_.empty()) return report_problem("neither TILEWISE_CACHE_DIR nor HOME is set");
  const std::string reason = write_atomically(path_of(request), serialize(request, artifact));
  if (!reason.empty()) return report_problem(reason);
  ++written_;
  log(LogTopic::cache, "stored " + request.key);
}

std::string ArtifactStore::probe() {
  if (dir_.empty()) {
    report_problem("neither TILEWISE_CACHE_DIR nor HOME is set");
  } else {
    const std::string path = dir_ + "/artifacts/probe." + std::to_string(::getpid());
    const std::string reason = write_atomically(path, "probe");
    ::unlink(path.c_str());
    if (!reason.empty()) report_problem(reason);
  }
  return problem();
}

void ArtifactStore::report_problem(const std::string& what) {
  const std::string sentence =
      "compiled kernels cannot be kept in '" + dir_ + "' (" + what +
      "), so every process compiles them again: set TILEWISE_CACHE_DIR to a writable folder";
  {
    const std::lock_guard lock(mutex_);
    if (!problem_.empty()) return;
    problem_ = sentence;
  }
  warn(sentence);
}

StoreCounts ArtifactStore::counts() const {
  return {hits_.load(), misses_.load(), damaged_.load(), written_.load()};
}

std::string ArtifactStore::problem() const {
  const std::lock_guard lock(mutex_);
  return problem_;
}

ArtifactStore& artifact_store() {
  static auto* const store = new ArtifactStore(settings().cache_dir);
  return *store;
}

}  // namespace tilewise::runtime
