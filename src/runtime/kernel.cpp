// SPDX-License-Identifier: Apache-2.0
#include "runtime/kernel.h"

#include <map>
#include <memory>
#include <mutex>
#include <tuple>

#include "runtime/kernel_registry.h"

namespace tilewise::runtime {
namespace {

struct Registry {
  std::mutex mutex;
  std::map<std::tuple<std::string, std::string, std::string>, std::unique_ptr<KernelIdentity>>
      known;
  std::vector<const KernelIdentity*> by_id;
};

// Never destroyed: static Kernels of other files outlive any order of destruction.
Registry& registry() {
  static auto* const instance = new Registry;
  return *instance;
}

const KernelIdentity* intern(std::string_view module, std::string_view function,
                             std::string source) {
  Registry& all = registry();
  const std::lock_guard lock(all.mutex);
  auto& identity = all.known[{std::string(module), std::string(function), source}];
  if (!identity) {
    const auto id = static_cast<uint32_t>(all.by_id.size());
    identity = std::make_unique<KernelIdentity>(
        KernelIdentity{id, std::string(module), std::string(function), std::move(source)});
    all.by_id.push_back(identity.get());
  }
  return identity.get();
}

}  // namespace

Kernel::Kernel(std::string_view module, std::string_view function)
    : identity_(intern(module, function, "")) {}

Kernel::Kernel(std::string_view name, std::string_view function, std::string source)
    : identity_(intern(name, function, std::move(source))) {}

const KernelIdentity& kernel_identity(uint32_t id) {
  Registry& all = registry();
  const std::lock_guard lock(all.mutex);
  return *all.by_id.at(id);
}

}  // namespace tilewise::runtime
