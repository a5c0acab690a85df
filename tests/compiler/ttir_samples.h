// SPDX-License-Identifier: Apache-2.0
// Triton IR as Triton prints it, shortened, for the parser's and the schedule's tests.
#pragma once

namespace tilewise::compiler {

inline constexpr const char* kAddKernel = R"(#loc = loc("add.py":4:0)
#loc1 = loc(unknown)
#loc2 = loc("x_ptr"(#loc))
module {
  tt.func public @add(%x_ptr: !tt.ptr<bf16> {tt.divisibility = 16 : i32} loc("x_ptr"(#loc)), %n: i32 loc(#loc2)) attributes {noinline = false} {
    %c-1_i32 = arith.constant -1 : i32 loc(#loc1)
    %c1024_i32 = arith.constant 1024 : i32 loc(#loc1)
    %cst = arith.constant dense<0xFF80> : tensor<1024xbf16> loc(#loc1)
    %pid = tt.get_program_id x : i32 loc(#loc3)
    %first = arith.muli %pid, %c1024_i32 overflow<nsw> : i32 loc(#loc3)
    %range = tt.make_range {end = 1024 : i32, start = 0 : i32} : tensor<1024xi32> loc(#loc3)
    %splat = tt.splat %first : i32 -> tensor<1024xi32> loc(#loc3)
    %offs = arith.addi %splat, %range : tensor<1024xi32> loc(#loc3)
    %end = tt.splat %n : i32 -> tensor<1024xi32> loc(#loc3)
    %mask = arith.cmpi slt, %offs, %end : tensor<1024xi32> loc(#loc3)
    %base = tt.splat %x_ptr : !tt.ptr<bf16> -> tensor<1024x!tt.ptr<bf16>> loc(#loc3)
    %p = tt.addptr %base, %offs : tensor<1024x!tt.ptr<bf16>>, tensor<1024xi32> loc(#loc3)
    %x = tt.load %p, %mask, %cst evictionPolicy = evict_last {isVolatile = false} : tensor<1024x!tt.ptr<bf16>> loc(#loc4)
    %y = arith.addf %x, %x : tensor<1024xbf16> loc(#loc4)
    tt.store %p, %y, %mask : tensor<1024x!tt.ptr<bf16>> loc(#loc4)
    tt.return loc(#loc4)
  } loc(#loc)
} loc(#loc)
#loc3 = loc("pid"("add.py":5:10))
#loc4 = loc(callsite("standard.py":7:1 at "add.py":9:8))
)";

inline constexpr const char* kLoopKernel = R"(module {
  tt.func public @loop(%o: !tt.ptr<f32>, %n: i32) {
    %c0 = arith.constant 0 : i32
    %c1 = arith.constant 1 : i32
    %zero = arith.constant dense<0.000000e+00> : tensor<64xf32>
    %range = tt.make_range {end = 64 : i32, start = 0 : i32} : tensor<64xi32>
    %sum:2 = scf.for %i = %c0 to %n step %c1 iter_args(%a = %zero, %k = %c0) -> (tensor<64xf32>, i32)  : i32 {
      %even = arith.cmpi eq, %k, %c0 : i32
      %r = scf.if %even -> (tensor<64xf32>) {
        %b = arith.addf %a, %a : tensor<64xf32>
        scf.yield %b : tensor<64xf32>
      } else {
        scf.yield %a : tensor<64xf32>
      }
      %k1 = arith.addi %k, %c1 : i32
      scf.yield %r, %k1 : tensor<64xf32>, i32
    }
    %w:2 = scf.while (%c = %sum#1, %d = %sum#0) : (i32, tensor<64xf32>) -> (i32, tensor<64xf32>) {
      %more = arith.cmpi slt, %c, %n : i32
      scf.condition(%more) %c, %d : i32, tensor<64xf32>
    } do {
    ^bb0(%c: i32, %d: tensor<64xf32>):
      %c2 = arith.addi %c, %c1 : i32
      scf.yield %c2, %d : i32, tensor<64xf32>
    }
    %max = "tt.reduce"(%w#1) <{axis = 0 : i32}> ({
    ^bb0(%x: f32, %y: f32):
      %m = arith.maxnumf %x, %y : f32
      tt.reduce.return %m : f32
    }) : (tensor<64xf32>) -> f32
    %done = arith.cmpi sgt, %w#0, %c0 : i32
    cf.cond_br %done, ^bb1, ^bb2(%max : f32)
  ^bb1:
    tt.return
  ^bb2(%v: f32):
    tt.store %o, %v : !tt.ptr<f32>
    tt.return
  }
}
)";

}  // namespace tilewise::compiler
