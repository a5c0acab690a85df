// SPDX-License-Identifier: Apache-2.0
// SHA-256 of the sources of the CPU compiler (src/compiler and the Python that drives it), computed
// by the build: an artifact of another compiler is never loaded.
#pragma once

namespace tilewise::runtime {

extern const char* const kCompilerDigest;

}  // namespace tilewise::runtime
