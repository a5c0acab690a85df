// SPDX-License-Identifier: Apache-2.0
// The arguments of one launch, in the order of the kernel's parameters: what the binary receives
// (slots) and what it is specialized on (tags and constants). Fixed size, on the stack, no
// allocation.
//
//   ArgumentPack arguments;
//   arguments.pointer(self.const_data_ptr(), DType::fp32);
//   arguments.integer(self.numel());
//   arguments.constant(1024);
//
// An argument has only the traits that its call names: integer() never specializes on a value,
// stride() does (== 1, divisible by 16). A constexpr parameter takes no slot, and neither does a
// stride of 1, which Triton compiles as constexpr 1.
#pragma once

#include <bit>
#include <cstdint>
#include <limits>

#include "base/check.h"
#include "runtime/dtype.h"

namespace tilewise::runtime {

inline constexpr int kMaxArguments = 64;

// High four bits of a tag; the low four are the DType (or 0/1 for constant_bool).
enum class ArgumentKind : uint8_t {
  absent,  // 0: no such argument
  pointer,
  aligned_pointer,  // address divisible by 16
  scalar,
  divisible_scalar,  // value divisible by 16
  one,               // value 1, compiled as constexpr
  constant_int,
  constant_float,
  constant_dtype,
  constant_bool,
  constant_none,
};

class ArgumentPack {
 public:
  void pointer(const void* address, DType element) {
    const auto bits = reinterpret_cast<uintptr_t>(address);
    add_slot(bits, bits % 16 == 0 ? ArgumentKind::aligned_pointer : ArgumentKind::pointer, element);
  }

  // i32 if the value fits, else i64. No other trait.
  void integer(int64_t value) {
    add_slot(static_cast<uint64_t>(value), ArgumentKind::scalar, integer_type(value));
  }

  // Strides and sizes whose divisibility lets the compiler vectorize.
  void stride(int64_t value) {
    if (value == 1) {
      add_tag(ArgumentKind::one, 0);
    } else {
      add_slot(static_cast<uint64_t>(value),
               value % 16 == 0 ? ArgumentKind::divisible_scalar : ArgumentKind::scalar,
               integer_type(value));
    }
  }

  // An integer of a given type, for parameters whose width must not depend on the value (a seed).
  void typed_integer(int64_t value, DType type) {
    add_slot(static_cast<uint64_t>(value), ArgumentKind::scalar, type);
  }

  void boolean(bool value) { add_slot(value ? 1 : 0, ArgumentKind::scalar, DType::i1); }

  void floating(double value) {
    add_slot(std::bit_cast<uint32_t>(static_cast<float>(value)), ArgumentKind::scalar, DType::fp32);
  }
  void floating64(double value) {
    add_slot(std::bit_cast<uint64_t>(value), ArgumentKind::scalar, DType::fp64);
  }

  // tl.constexpr parameters; the value is part of the key.
  void constant(int64_t value) {
    add_constant(static_cast<uint64_t>(value), ArgumentKind::constant_int);
  }
  void constant_float(double value) {
    add_constant(std::bit_cast<uint64_t>(value), ArgumentKind::constant_float);
  }
  void constant_dtype(DType value) {
    add_tag(ArgumentKind::constant_dtype, static_cast<unsigned>(value));
  }
  void constant_bool(bool value) { add_tag(ArgumentKind::constant_bool, value ? 1 : 0); }
  // None: an optional pointer that is not there. Valid for constexpr and for ordinary parameters.
  void none() { add_tag(ArgumentKind::constant_none, 0); }

  int size() const { return size_; }
  int slot_count() const { return slot_count_; }
  int constant_count() const { return constant_count_; }
  const uint64_t* slots() const { return slots_; }
  const uint64_t* constants() const { return constants_; }
  const uint64_t* tag_words() const { return tag_words_; }  // Eight tags a word, the rest zero.
  int tag_word_count() const { return (size_ + 7) / 8; }

  static constexpr int kTagWords = kMaxArguments / 8;

 private:
  static DType integer_type(int64_t value) {
    return value == static_cast<int32_t>(value) ? DType::i32 : DType::i64;
  }

  void add_tag(ArgumentKind kind, unsigned detail) {
    TILEWISE_ASSERT(size_ < kMaxArguments, "a kernel has more than 64 parameters");
    const uint64_t tag = static_cast<uint64_t>(kind) << 4 | detail;
    tag_words_[size_ / 8] |= tag << (size_ % 8 * 8);
    ++size_;
  }
  void add_slot(uint64_t bits, ArgumentKind kind, DType type) {
    add_tag(kind, static_cast<unsigned>(type));
    slots_[slot_count_++] = bits;
  }
  void add_constant(uint64_t bits, ArgumentKind kind) {
    add_tag(kind, 0);
    constants_[constant_count_++] = bits;
  }

  int size_ = 0;
  int slot_count_ = 0;
  int constant_count_ = 0;
  uint64_t tag_words_[kTagWords] = {};
  uint64_t slots_[kMaxArguments];      // Only the first slot_count_ are set.
  uint64_t constants_[kMaxArguments];  // Only the first constant_count_ are set.
};

}  // namespace tilewise::runtime
