// SPDX-License-Identifier: Apache-2.0
// Two hashes: a fast one of 64-bit words for tables in memory (hash_words), and SHA-256 for keys
// that outlive the process (Sha256, sha256_hex), where a collision would load a wrong kernel.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace tilewise {

// Folds the 128-bit product, as wyhash does: every input bit reaches every output bit.
inline uint64_t mix(uint64_t a, uint64_t b) {
  const auto product = static_cast<unsigned __int128>(a) * b;
  return static_cast<uint64_t>(product) ^ static_cast<uint64_t>(product >> 64);
}

inline uint64_t hash_words(const uint64_t* words, int count) {
  // Odd constants of wyhash; any pair of dense odd numbers serves.
  constexpr uint64_t kFirst = 0xa0761d6478bd642fULL;
  constexpr uint64_t kSecond = 0xe7037ed1a0b428dbULL;
  uint64_t state = kFirst ^ static_cast<uint64_t>(count);
  for (int i = 0; i < count; ++i) state = mix(state ^ words[i], kSecond);
  return mix(state, kFirst);
}

// FIPS 180-4. Incremental, so that a file and its dependencies need not be joined first.
class Sha256 {
 public:
  using Digest = std::array<uint8_t, 32>;

  Sha256();
  void update(const void* data, size_t bytes);
  void update(std::string_view text) { update(text.data(), text.size()); }
  Digest finish();  // Once; the object is spent afterwards.

 private:
  void block(const uint8_t* data);

  std::array<uint32_t, 8> state_;
  std::array<uint8_t, 64> pending_;
  size_t pending_bytes_ = 0;
  uint64_t total_bytes_ = 0;
};

std::string to_hex(std::span<const uint8_t> bytes);
std::string sha256_hex(std::string_view text);

}  // namespace tilewise
