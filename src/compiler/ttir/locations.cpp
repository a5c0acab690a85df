// SPDX-License-Identifier: Apache-2.0
#include "compiler/ttir/locations.h"

namespace tilewise::compiler {

SourceLocation resolve_location(const LocationNode& node, const LocationAliases& aliases,
                                int depth) {
  constexpr int kMaxDepth = 32;  // Damaged text may define aliases in a circle.
  if (node.position.known() || depth > kMaxDepth) return node.position;
  if (!node.alias.empty()) {
    auto found = aliases.find(node.alias);
    return found == aliases.end() ? SourceLocation{}
                                  : resolve_location(*found->second, aliases, depth + 1);
  }
  // The last child of a call site is the caller.
  for (auto child = node.children.rbegin(); child != node.children.rend(); ++child) {
    SourceLocation location = resolve_location(**child, aliases, depth + 1);
    if (location.known()) return location;
  }
  return {};
}

}  // namespace tilewise::compiler
