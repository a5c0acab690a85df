# SPDX-License-Identifier: Apache-2.0
"""What one core multiplies and adds at most: independent chains of one instruction in registers.

    python benchmarks/peak_rate.py

No matrix product can be faster, whoever wrote it.
"""

from __future__ import annotations

import ctypes
import time

CHAINS = 16  # Of 32 registers; covers a latency of 8 cycles at two instructions a cycle.
TURNS = 250_000

# Name: (the call for the sum %a, what it takes, operations of one call). 64-byte vectors.
_INSTRUCTIONS = {
    "float32": ("@llvm.fma.v16f32(<16 x float> %x, <16 x float> %y, <16 x float> {sum})", 32),
    "bfloat16": (
        "@llvm.x86.avx512bf16.dpbf16ps.512(<16 x float> {sum}, <32 x bfloat> %px, "
        "<32 x bfloat> %py)",
        64,
    ),
}


def _loop(call: str) -> str:
    start = "".join(
        f"  %a{i} = phi <16 x float> [zeroinitializer, %entry], [%b{i}, %loop]\n"
        for i in range(CHAINS)
    )
    body = "".join(
        f"  %b{i} = call <16 x float> {call.format(sum=f'%a{i}')}\n" for i in range(CHAINS)
    )
    store = "".join(
        f"  %p{i} = getelementptr <16 x float>, ptr %p, i64 {i}\n"
        f"  store <16 x float> %b{i}, ptr %p{i}, align 4\n"
        for i in range(CHAINS)
    )
    return (
        "define void @run(ptr %p, i64 %turns) {\nentry:\n"
        "  %x = load <16 x float>, ptr %p, align 4\n  %y = fadd <16 x float> %x, %x\n"
        "  %px = bitcast <16 x float> %x to <32 x bfloat>\n"
        "  %py = bitcast <16 x float> %y to <32 x bfloat>\n  br label %loop\nloop:\n"
        "  %turn = phi i64 [0, %entry], [%next, %loop]\n"
        f"{start}{body}  %next = add i64 %turn, 1\n  %more = icmp ult i64 %next, %turns\n"
        f"  br i1 %more, label %loop, label %end\nend:\n{store}  ret void\n}}\n"
    )


def peak_gflops(dtype: str) -> float | None:
    """The best of 20 runs on this thread; None where the chip lacks the instruction."""
    import llvmlite.binding as llvm

    from tilewise.triton_backend import native, object_file

    target = native.cpu_target()
    if not target.startswith("x86-64-v4") or (dtype == "bfloat16" and "bf16" not in target):
        return None
    call, operations = _INSTRUCTIONS[dtype]
    object_file._llvm()
    described = native.describe_cpu_target(target)
    machine = llvm.Target.from_triple(described["triple"]).create_target_machine(
        cpu=described["cpu"], features=described["features"], opt=3, jit=True
    )
    engine = llvm.create_mcjit_compiler(llvm.parse_assembly(_loop(call)), machine)
    engine.finalize_object()
    run = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_int64)(
        engine.get_function_address("run")
    )
    memory = (ctypes.c_float * (16 * CHAINS))()
    times = []
    for _ in range(20):
        begin = time.perf_counter()
        run(ctypes.addressof(memory), TURNS)
        times.append(time.perf_counter() - begin)
    return TURNS * CHAINS * operations / min(times) / 1e9


if __name__ == "__main__":
    for name in _INSTRUCTIONS:
        print(f"{name}: {peak_gflops(name) or 0:.0f} GFLOP/s a core")
