# SPDX-License-Identifier: Apache-2.0
# Run at build time: cmake -DOUTPUT=... -DSOURCES=a|b|c -P CompilerDigest.cmake
# Writes the definition of kCompilerDigest, the SHA-256 of all the files' contents.
string(REPLACE "|" ";" files "${SOURCES}")
set(digests "")
foreach(file IN LISTS files)
  file(SHA256 "${file}" digest)
  get_filename_component(name "${file}" NAME)
  string(APPEND digests "${name} ${digest}\n")
endforeach()
string(SHA256 digest "${digests}")
file(WRITE "${OUTPUT}" "#include \"runtime/compiler_digest.h\"\n
const char* const tilewise::runtime::kCompilerDigest = \"${digest}\";\n")
