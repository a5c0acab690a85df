# SPDX-License-Identifier: Apache-2.0
# Finds the PyTorch that ${Python3_EXECUTABLE} imports and offers it as the target
# `tilewise_pytorch`: headers (as SYSTEM), libtorch_cpu and libc10, and the C++ ABI it was built
# with. torch's own TorchConfig.cmake is not used: for a CUDA build it demands a CUDA toolkit, which
# Tilewise does not need. TILEWISE_TORCH_DIR names an unpacked wheel's `torch` folder instead, for
# building against a PyTorch that this Python cannot import.

find_package(Python3 REQUIRED COMPONENTS Interpreter)
if(NOT TILEWISE_TORCH_DIR)
  execute_process(
    COMMAND "${Python3_EXECUTABLE}" -c
            "import importlib.util as u; print(u.find_spec('torch').submodule_search_locations[0])"
    OUTPUT_VARIABLE TILEWISE_TORCH_DIR
    OUTPUT_STRIP_TRAILING_WHITESPACE
    RESULT_VARIABLE torch_missing
    ERROR_QUIET)
  if(torch_missing)
    message(FATAL_ERROR "${Python3_EXECUTABLE} cannot import torch: run `make setup`, or pass "
                        "-DPython3_EXECUTABLE=... or -DTILEWISE_TORCH_DIR=...")
  endif()
endif()

add_library(tilewise_pytorch INTERFACE)
target_include_directories(
  tilewise_pytorch SYSTEM INTERFACE "${TILEWISE_TORCH_DIR}/include"
                                    "${TILEWISE_TORCH_DIR}/include/torch/csrc/api/include")
target_link_libraries(tilewise_pytorch INTERFACE "${TILEWISE_TORCH_DIR}/lib/libtorch_cpu.so"
                                                 "${TILEWISE_TORCH_DIR}/lib/libc10.so")
# Since 2.6 the wheels use the new string ABI; older ones are not supported.
target_compile_definitions(tilewise_pytorch INTERFACE _GLIBCXX_USE_CXX11_ABI=1)
message(STATUS "PyTorch: ${TILEWISE_TORCH_DIR}")
