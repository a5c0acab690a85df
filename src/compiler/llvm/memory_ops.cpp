// SPDX-License-Identifier: Apache-2.0
#include "compiler/llvm/memory_ops.h"

#include <algorithm>
#include <numeric>

namespace tilewise::compiler {

std::string step_constant(ScalarKind kind, int lanes) {
  if (lanes == 1) return "0";
  const std::string scalar = llvm_type(kind, 1);
  std::string text = "<";
  for (int lane = 0; lane < lanes; ++lane) {
    text += (lane ? ", " : "") + scalar + " " + std::to_string(lane);
  }
  return text + ">";
}

std::string MemoryOps::to_storage(const std::string& value, ScalarKind kind, int lanes) {
  if (kind != ScalarKind::i1) return value;
  return b_.assign("zext " + llvm_type(kind, lanes) + " " + value + " to " +
                   llvm_storage_type(kind, lanes));
}

std::string MemoryOps::from_storage(const std::string& value, ScalarKind kind, int lanes) {
  if (kind != ScalarKind::i1) return value;
  return b_.assign("icmp ne " + llvm_storage_type(kind, lanes) + " " + value + ", " +
                   integer_constant(0, ScalarKind::i8, lanes));
}

std::string MemoryOps::storage_suffix(ScalarKind kind, int lanes) {
  const std::string scalar = llvm_storage_type(kind, 1);
  std::string name = scalar == "half"     ? "f16"
                     : scalar == "float"  ? "f32"
                     : scalar == "double" ? "f64"
                     : scalar == "ptr"    ? "p0"
                                          : scalar;
  return "v" + std::to_string(lanes) + name;
}

// Note [Narrowed lanes under a mask]
// LLVM 22 joins a truncation and the masked store of its result into one store that narrows. Where
// the mask is a constant of one lane, it then makes an ordinary store of that, of the lane as it
// was before: an i32 for an i16, over whatever lies behind. An arithmetic fence, which is no
// instruction, keeps the two apart; the vector passes it as floats, which every machine with such
// stores has.
std::string MemoryOps::fenced(const std::string& value, ScalarKind kind, int lanes) {
  const int bytes = lanes * storage_bytes(kind);
  const std::string type = llvm_storage_type(kind, lanes);
  const std::string word = "i" + std::to_string(8 * bytes);
  const std::string floats = "<" + std::to_string(std::max(1, bytes / 4)) + " x float>";
  std::string bits = value;
  if (bytes < 4) {
    bits = b_.assign("bitcast " + type + " " + bits + " to " + word);
    bits = b_.assign("zext " + word + " " + bits + " to i32");
  }
  bits = b_.assign("bitcast " + (bytes < 4 ? "i32" : type) + " " + bits + " to " + floats);
  const std::string name =
      "@llvm.arithmetic.fence.v" + std::to_string(std::max(1, bytes / 4)) + "f32";
  module_.declare("declare " + floats + " " + name + "(" + floats + ")");
  bits = b_.assign("call " + floats + " " + name + "(" + floats + " " + bits + ")");
  if (bytes >= 4) return b_.assign("bitcast " + floats + " " + bits + " to " + type);
  bits = b_.assign("bitcast " + floats + " " + bits + " to i32");
  bits = b_.assign("trunc i32 " + bits + " to " + word);
  return b_.assign("bitcast " + word + " " + bits + " to " + type);
}

// A vector with every lane's pointer.
std::string MemoryOps::pointers(const LaneAddress& address, ScalarKind kind, int lanes) {
  if (address.form == LaneAddress::Form::scattered) return address.base;
  std::string steps = step_constant(ScalarKind::i64, lanes);
  if (address.form == LaneAddress::Form::strided) {
    const std::string type = llvm_type(ScalarKind::i64, lanes);
    steps = b_.assign("mul " + type + " " + steps + ", " +
                      ops_.splat(address.stride, ScalarKind::i64, lanes));
  }
  return b_.assign("getelementptr " + llvm_storage_type(kind, 1) + ", ptr " + address.base + ", " +
                   llvm_type(ScalarKind::i64, lanes) + " " + steps);
}

bool MemoryOps::is_backward(const LaneAddress& address, int lanes) {
  return lanes > 1 && address.form == LaneAddress::Form::strided && address.stride == "-1";
}

LaneAddress MemoryOps::forward(const LaneAddress& address, ScalarKind kind, int lanes) {
  const std::string first = b_.assign("getelementptr " + llvm_storage_type(kind, 1) + ", ptr " +
                                      address.base + ", i64 " + std::to_string(1 - lanes));
  return {LaneAddress::Form::contiguous, first, ""};
}

std::string MemoryOps::reversed(const std::string& value, ScalarKind kind, int lanes) {
  if (value.empty()) return value;
  std::vector<int> from(static_cast<size_t>(lanes));
  std::iota(from.rbegin(), from.rend(), 0);
  return ops_.shuffle(value, kind, lanes, from);
}

std::string MemoryOps::load(const LaneAddress& address, ScalarKind kind, const std::string& mask,
                            const std::string& other, int lanes, int alignment) {
  if (is_backward(address, lanes)) {
    const std::string value =
        load(forward(address, kind, lanes), kind, reversed(mask, ScalarKind::i1, lanes),
             reversed(other, kind, lanes), lanes);
    return reversed(value, kind, lanes);
  }
  const std::string type = llvm_storage_type(kind, lanes);
  if (alignment == 0) alignment = storage_bytes(kind);
  const std::string align = "align " + std::to_string(alignment);
  const bool contiguous = lanes == 1 || address.form == LaneAddress::Form::contiguous;
  if (contiguous && mask.empty()) {
    return from_storage(b_.assign("load " + type + ", ptr " + address.base + ", " + align), kind,
                        lanes);
  }
  // At constant distances, as in scratch, loads of single lanes beat gathers (Zen 4: a cycle a lane
  // against two), which there are none of below 32 bits.
  if (mask.empty() && address.form == LaneAddress::Form::strided &&
      is_constant_text(address.stride)) {
    const std::string scalar = llvm_storage_type(kind, 1);
    const int64_t stride = std::stoll(address.stride);
    std::string vector = "poison";
    for (int lane = 0; lane < lanes; ++lane) {
      const std::string at = b_.assign("getelementptr inbounds " + scalar + ", ptr " +
                                       address.base + ", i64 " + std::to_string(stride * lane));
      const std::string value = b_.assign("load " + scalar + ", ptr " + at + ", " + align);
      vector = b_.assign("insertelement " + type + " " + vector + ", " + scalar + " " + value +
                         ", i64 " + std::to_string(lane));
    }
    return from_storage(vector, kind, lanes);
  }
  // Masked loads and gathers are vector instructions; one lane is a vector of one.
  const std::string vector = lanes == 1 ? "<1 x " + type + ">" : type;
  std::string flags = "<" + std::to_string(lanes) + " x i1>";
  std::string flag = mask.empty() ? "splat (i1 true)" : mask;
  std::string fill = other.empty() ? "zeroinitializer" : to_storage(other, kind, lanes);
  if (lanes == 1) {
    flag = b_.assign("insertelement <1 x i1> poison, i1 " + flag + ", i64 0");
    if (!other.empty()) {
      fill = b_.assign("insertelement " + vector + " poison, " + type + " " + fill + ", i64 0");
    }
  }
  const std::string suffix = storage_suffix(kind, lanes);
  const std::string pointer_type = contiguous ? "ptr" : "<" + std::to_string(lanes) + " x ptr>";
  const std::string name =
      contiguous ? "@llvm.masked.load." + suffix + ".p0"
                 : "@llvm.masked.gather." + suffix + ".v" + std::to_string(lanes) + "p0";
  module_.declare("declare " + vector + " " + name + "(" + pointer_type + ", " + flags + ", " +
                  vector + ")");
  const std::string from = contiguous ? address.base : pointers(address, kind, lanes);
  std::string value =
      b_.assign("call " + vector + " " + name + "(" + pointer_type + " " + align + " " + from +
                ", " + flags + " " + flag + ", " + vector + " " + fill + ")");
  if (lanes == 1) value = b_.assign("extractelement " + vector + " " + value + ", i64 0");
  return from_storage(value, kind, lanes);
}

void MemoryOps::store(const LaneAddress& address, ScalarKind kind, const std::string& value,
                      const std::string& mask, int lanes, int alignment) {
  if (is_backward(address, lanes)) {
    return store(forward(address, kind, lanes), kind, reversed(value, kind, lanes),
                 reversed(mask, ScalarKind::i1, lanes), lanes);
  }
  const std::string type = llvm_storage_type(kind, lanes);
  if (alignment == 0) alignment = storage_bytes(kind);
  const std::string align = "align " + std::to_string(alignment);
  const bool contiguous = lanes == 1 || address.form == LaneAddress::Form::contiguous;
  std::string stored = to_storage(value, kind, lanes);
  if (contiguous && mask.empty()) {
    b_.line("store " + type + " " + stored + ", ptr " + address.base + ", " + align);
    return;
  }
  const std::string vector = lanes == 1 ? "<1 x " + type + ">" : type;
  const std::string flags = "<" + std::to_string(lanes) + " x i1>";
  std::string flag = mask.empty() ? "splat (i1 true)" : mask;
  if (contiguous && lanes > 1 && storage_bytes(kind) < 8 && kind != ScalarKind::f32 &&
      module_.target().has_narrowing_stores())
    stored = fenced(stored, kind, lanes);
  if (lanes == 1) {
    flag = b_.assign("insertelement <1 x i1> poison, i1 " + flag + ", i64 0");
    stored = b_.assign("insertelement " + vector + " poison, " + type + " " + stored + ", i64 0");
  }
  const std::string pointer_type = contiguous ? "ptr" : "<" + std::to_string(lanes) + " x ptr>";
  const std::string suffix = storage_suffix(kind, lanes);
  const std::string name =
      contiguous ? "@llvm.masked.store." + suffix + ".p0"
                 : "@llvm.masked.scatter." + suffix + ".v" + std::to_string(lanes) + "p0";
  module_.declare("declare void " + name + "(" + vector + ", " + pointer_type + ", " + flags + ")");
  const std::string to = contiguous ? address.base : pointers(address, kind, lanes);
  b_.line("call void " + name + "(" + vector + " " + stored + ", " + pointer_type + " " + align +
          " " + to + ", " + flags + " " + flag + ")");
}

void MemoryOps::prefetch(const LaneAddress& address, ScalarKind kind, int lanes, bool writes) {
  constexpr int kLine = 64;
  // gelu of (960, 4096) f32, one core: 2750 us without, 1710 with 2048, 1770 with 4096.
  constexpr int kAhead = 2048;
  if (lanes == 1 || address.form != LaneAddress::Form::contiguous) return;
  module_.declare("declare void @llvm.prefetch.p0(ptr, i32, i32, i32)");
  for (int byte = 0; byte < lanes * storage_bytes(kind); byte += kLine) {
    const std::string line = b_.assign("getelementptr i8, ptr " + address.base + ", i64 " +
                                       std::to_string(kAhead + byte));
    b_.line("call void @llvm.prefetch.p0(ptr " + line + ", i32 " + (writes ? "1" : "0") +
            ", i32 3, i32 1)");
  }
}

void MemoryOps::prefetch_page(const LaneAddress& address, ScalarKind kind, int lanes,
                              bool into_first_cache) {
  constexpr int kPage = 4096;
  constexpr int kAhead = 4 * kPage;
  const int bytes = lanes * storage_bytes(kind);
  if (lanes == 1 || bytes >= kPage || address.form != LaneAddress::Form::contiguous) return;
  module_.declare("declare void @llvm.prefetch.p0(ptr, i32, i32, i32)");
  const std::string head = b_.fresh_label("head_of_page");
  const std::string next = b_.fresh_label("in_page");
  const std::string number = b_.assign("ptrtoint ptr " + address.base + " to i64");
  const std::string offset = b_.assign("and i64 " + number + ", " + std::to_string(kPage - 1));
  const std::string is_head = b_.assign("icmp ult i64 " + offset + ", " + std::to_string(bytes));
  b_.line("br i1 " + is_head + ", label %" + head + ", label %" + next);
  b_.label(head);
  const std::string line =
      b_.assign("getelementptr i8, ptr " + address.base + ", i64 " + std::to_string(kAhead));
  b_.line("call void @llvm.prefetch.p0(ptr " + line + ", i32 0, i32 " +
          (into_first_cache ? "3" : "2") + ", i32 1)");
  b_.line("br label %" + next);
  b_.label(next);
}

void MemoryOps::store_streaming(const LaneAddress& address, ScalarKind kind,
                                const std::string& value, int lanes) {
  const int vector_bytes = module_.target().vector_bytes;
  if (address.form != LaneAddress::Form::contiguous ||
      lanes * storage_bytes(kind) % vector_bytes != 0) {
    return store(address, kind, value, "", lanes);
  }
  has_streaming_stores_ = true;
  const std::string streaming = b_.fresh_label("streaming");
  const std::string ordinary = b_.fresh_label("ordinary");
  const std::string stored = b_.fresh_label("stored");
  const std::string number = b_.assign("ptrtoint ptr " + address.base + " to i64");
  const std::string rest = b_.assign("and i64 " + number + ", " + std::to_string(vector_bytes - 1));
  const std::string aligned = b_.assign("icmp eq i64 " + rest + ", 0");
  b_.line("br i1 " + aligned + ", label %" + streaming + ", label %" + ordinary);
  b_.label(streaming);
  b_.line("store " + llvm_storage_type(kind, lanes) + " " + to_storage(value, kind, lanes) +
          ", ptr " + address.base + ", align " + std::to_string(vector_bytes) +
          ", !nontemporal !{i32 1}");
  b_.line("br label %" + stored);
  b_.label(ordinary);
  store(address, kind, value, "", lanes);
  b_.line("br label %" + stored);
  b_.label(stored);
}

}  // namespace tilewise::compiler
