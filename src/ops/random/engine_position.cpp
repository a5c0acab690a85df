// SPDX-License-Identifier: Apache-2.0
#include "ops/random/engine_position.h"

#include <algorithm>
#include <list>
#include <mutex>

namespace tilewise::ops {
namespace {

constexpr int64_t kBlock = at::MERSENNE_STATE_N;
constexpr size_t kKeptEngines = 8;  // generators in use at once, and states that are gone back to

// An engine at the start of a block. Blocks are counted from 1: an engine that has given no number
// holds what its seed was expanded to.
struct Follower {
  at::mt19937_data_pod data;
  int64_t block;  // kMaxBlock + 1: beyond, or nowhere

  bool is_lost() const { return block > kMaxBlock; }
  bool holds(const at::mt19937_data_pod& other) const { return data.state_ == other.state_; }

  void advance() {
    at::mt19937 engine;
    engine.set_data(data);
    for (int64_t i = 0; i < kBlock; ++i) engine();
    data = engine.data();
    if (!is_lost()) ++block;
  }
};

// Runs `follower` forward until it holds the block; false if it does not within `limit` blocks.
bool reach(Follower& follower, const at::mt19937_data_pod& wanted, int64_t limit) {
  for (int64_t steps = 0; steps <= limit; ++steps) {
    if (follower.holds(wanted)) return true;
    follower.advance();
  }
  return false;
}

Follower find(std::list<Follower>& kept, const at::mt19937_data_pod& wanted) {
  for (const Follower& follower : kept)
    if (follower.data.seed_ == wanted.seed_ && follower.holds(wanted)) return follower;
  // Behind a new seed, which may be the old one again.
  Follower start{at::mt19937(wanted.seed_).data(), 0};
  start.advance();
  if (start.holds(wanted)) return start;
  // A generator usually has moved on from where it was seen last, by little if we alone use it;
  // one that cannot be counted, by as much as stock PyTorch has just drawn.
  constexpr int64_t kNear = 64;
  for (const int64_t limit : {kNear, kMaxBlock})
    for (const Follower& follower : kept) {
      if (follower.data.seed_ != wanted.seed_ || (limit != kNear && !follower.is_lost())) continue;
      Follower ahead = follower;
      if (reach(ahead, wanted, limit)) return ahead;
    }
  // From the seed, and beside it from where this seed's engine was seen last: what lies behind a
  // large tensor of stock PyTorch's is then found at the cost of drawing it.
  std::optional<Follower> latest;
  for (const Follower& follower : kept)
    if (follower.data.seed_ == wanted.seed_ && !follower.is_lost()) {
      latest = follower;
      break;
    }
  for (int64_t steps = 0; steps <= kMaxBlock; ++steps) {
    if (latest.has_value()) {
      if (latest->holds(wanted)) return *latest;
      latest->advance();
    }
    if (start.holds(wanted)) return start;
    start.advance();
  }
  return {wanted, kMaxBlock + 1};
}

}  // namespace

std::optional<int64_t> engine_position(const at::mt19937& engine) {
  const at::mt19937_data_pod data = engine.data();
  const bool is_unused = data.left_ == 1 && data.next_ == 0;
  if (is_unused) {
    if (data.state_ == at::mt19937(data.seed_).data().state_) return 0;
    return std::nullopt;
  }
  static std::mutex mutex;
  static auto* const kept = new std::list<Follower>;
  const std::lock_guard lock(mutex);
  if (kept->empty() || !kept->front().holds(data)) {
    const Follower found = find(*kept, data);
    // The most recent first; an older block of the same engine is dropped with the oldest.
    kept->remove_if([&](const Follower& f) { return f.holds(found.data); });
    kept->push_front(found);
    if (kept->size() > kKeptEngines) kept->pop_back();
  }
  const Follower& latest = kept->front();
  if (latest.is_lost()) return std::nullopt;
  return (latest.block - 1) * kBlock + data.next_;
}

}  // namespace tilewise::ops
