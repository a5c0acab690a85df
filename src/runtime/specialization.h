// SPDX-License-Identifier: Apache-2.0
// The key of a loaded kernel: every compile input of a launch and the device it is loaded on, as
// words on the stack. Keys are compared in full; the hash only chooses where to look.
#pragma once

#include <algorithm>
#include <cstring>

#include "base/hash.h"
#include "runtime/argument_pack.h"
#include "runtime/kernel.h"
#include "runtime/launch_options.h"

namespace tilewise::runtime {

struct SpecializationKey {
  // Kernel and device; options and counts; tags; constants.
  static constexpr int kMaxWords = 2 + ArgumentPack::kTagWords + kMaxArguments;

  SpecializationKey(const Kernel& kernel, const ArgumentPack& arguments,
                    const LaunchOptions& options, DeviceKind device, int device_index) {
    // The CPU has one device, whatever index its tensors carry, and no warps or stages.
    const bool cpu = device == DeviceKind::cpu;
    const auto index = static_cast<uint16_t>(cpu ? 0 : device_index);
    const auto warps = static_cast<uint16_t>(cpu ? 0 : options.num_warps);
    const auto stages = static_cast<uint16_t>(cpu ? 0 : options.num_stages);
    words[0] = uint64_t{kernel.id()} << 32 | uint64_t{static_cast<uint8_t>(device)} << 16 | index;
    words[1] = uint64_t{warps} << 48 | uint64_t{stages} << 32 |
               static_cast<uint64_t>(arguments.size()) << 16 |
               static_cast<uint64_t>(arguments.constant_count()) << 8 | (options.fp_fusion ? 1 : 0);
    count = 2;
    for (int i = 0; i < arguments.tag_word_count(); ++i) words[count++] = arguments.tag_words()[i];
    for (int i = 0; i < arguments.constant_count(); ++i) words[count++] = arguments.constants()[i];
    hash = hash_words(words, count);
  }

  bool operator==(const SpecializationKey& other) const {
    return count == other.count && std::equal(words, words + count, other.words);
  }

  uint64_t hash;
  int count;
  uint64_t words[kMaxWords];  // Only the first `count` are set.
};

}  // namespace tilewise::runtime
