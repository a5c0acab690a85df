// SPDX-License-Identifier: Apache-2.0
// Source locations of MLIR: expressions that may name aliases which are defined further down in the
// text, so they are kept until the whole module has been read.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "compiler/compile_error.h"

namespace tilewise::compiler {

struct LocationNode {
  SourceLocation position;                              // Of `"file":line:column`.
  std::string alias;                                    // Of `#loc3`.
  std::vector<std::shared_ptr<LocationNode>> children;  // Of named, fused and call-site locations.
};

using LocationAliases = std::map<std::string, std::shared_ptr<LocationNode>>;

// The position in the user's source: of a call site it is the caller's, because the callee is
// mostly a function of Triton's own standard library.
SourceLocation resolve_location(const LocationNode& node, const LocationAliases& aliases,
                                int depth = 0);

}  // namespace tilewise::compiler
