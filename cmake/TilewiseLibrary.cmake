# SPDX-License-Identifier: Apache-2.0
# One helper for every target, so that warnings and sanitizers are the same everywhere.

set(TILEWISE_WARNINGS -Wall -Wextra -Werror)
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU" AND CMAKE_CXX_COMPILER_VERSION VERSION_LESS 13)
  # GCC 12 reports every `"text" + std::string` as an overlapping copy (its bug 105651).
  list(APPEND TILEWISE_WARNINGS -Wno-restrict)
endif()
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU" AND CMAKE_CXX_COMPILER_VERSION VERSION_GREATER_EQUAL 13)
  # GCC 13 sees std::vector<bool>::reserve write past its end in torch::autograd::Function::apply,
  # inlined from PyTorch's headers into ours, and an empty optional tensor's pointer used there.
  list(APPEND TILEWISE_WARNINGS -Wno-array-bounds -Wno-stringop-overflow -Wno-maybe-uninitialized)
endif()

# tilewise_options(TARGET): warnings, include root and sanitizers for our own code.
function(tilewise_options target)
  target_compile_options(${target} PRIVATE ${TILEWISE_WARNINGS})
  target_include_directories(${target} PRIVATE "${PROJECT_SOURCE_DIR}/src")
  if(TILEWISE_SANITIZE)
    target_compile_options(${target} PRIVATE -fsanitize=address,undefined -fno-omit-frame-pointer)
    target_link_options(${target} PRIVATE -fsanitize=address,undefined)
  endif()
endfunction()

# add_tilewise_library(NAME SRCS file... [DEPS target...] [TORCH])
# An object library: every layer ends up whole in libtilewise.so, registrations included.
function(add_tilewise_library name)
  cmake_parse_arguments(ARG "TORCH" "" "SRCS;DEPS" ${ARGN})
  add_library(${name} OBJECT ${ARG_SRCS})
  tilewise_options(${name})
  if(ARG_TORCH)
    target_link_libraries(${name} PRIVATE tilewise_pytorch)
  endif()
  foreach(dep IN LISTS ARG_DEPS)
    target_link_libraries(${name} PUBLIC ${dep})
  endforeach()
endfunction()

# add_tilewise_test(NAME SRCS file... DEPS target...): one GoogleTest program, every case a ctest.
function(add_tilewise_test name)
  cmake_parse_arguments(ARG "" "" "SRCS;DEPS" ${ARGN})
  add_executable(${name} ${ARG_SRCS})
  tilewise_options(${name})
  target_link_libraries(${name} PRIVATE ${ARG_DEPS} GTest::gtest_main ${CMAKE_DL_LIBS})
  gtest_discover_tests(${name})
endfunction()
