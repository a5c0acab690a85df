// SPDX-License-Identifier: Apache-2.0
// Compiles damaged Triton IR: it may be refused with a CompileError or be accepted, and nothing
// else. A crash, another exception or more than ten seconds is a failure, whose text is kept.
//
//   fuzz_ttir FOLDER [SEED [ROUNDS [SECONDS]]]
//
// FOLDER holds the undamaged texts, *.ttir. Failures go there as failure-SEED-ROUND.txt, and a few
// of the accepted texts' LLVM IR as accepted-ROUND.ll for others to check. Equal arguments give
// equal texts, whatever fails. Build it with the preset core-asan.
#include <sys/mman.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <random>
#include <string>
#include <vector>

#include "compiler/compiler.h"

namespace {

using tilewise::compiler::CompileError;
using Random = std::mt19937_64;

constexpr int kSecondsPerText = 10;  // Of this process's time: the machine may be busy.
constexpr int64_t kKeptEvery = 4;    // Of the accepted texts.

// What a round did, in memory that outlives its process.
struct Progress {
  int64_t round;
  int64_t accepted;
};

size_t below(Random& random, size_t limit) { return limit == 0 ? 0 : random() % limit; }

std::string read(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

void write(const std::filesystem::path& path, const std::string& text) {
  std::ofstream(path, std::ios::binary) << text;
}

bool is_word(char c) {
  return std::isalnum(static_cast<unsigned char>(c)) != 0 || std::strchr("_.%#@!^-", c) != nullptr;
}

struct Token {
  size_t begin, length;
};

// Any token but white space.
Token pick_token(const std::string& text, Random& random) {
  if (text.empty()) return {0, 0};
  size_t at = below(random, text.size());
  while (at < text.size() && std::isspace(static_cast<unsigned char>(text[at]))) ++at;
  if (at == text.size()) return {at, 0};
  if (!is_word(text[at])) return {at, 1};
  while (at > 0 && is_word(text[at - 1])) --at;
  size_t end = at;
  while (end < text.size() && is_word(text[end])) ++end;
  return {at, end - at};
}

Token pick_line(const std::string& text, Random& random) {
  if (text.empty()) return {0, 0};
  const size_t at = below(random, text.size());
  const size_t before = text.rfind('\n', at);
  const size_t begin = before == std::string::npos || before == at ? at : before + 1;
  const size_t end = text.find('\n', at);
  return {begin, (end == std::string::npos ? text.size() : end + 1) - begin};
}

const char* const kNumbers[] = {"0",  "-1", "1",  "3", "7", "2147483648", "9223372036854775807",
                                "64", "0x", "1e", ".", "",  "4294967296", "-9223372036854775809"};
const char* const kWords[] = {"i1",        "i8",     "i64",     "f16",        "bf16",
                              "f64",       "tensor", "dense",   "true",       "tt.reduce",
                              "scf.yield", "loc",    "!tt.ptr", "arith.addf", "arith.addi",
                              "tt.load",   "%0",     "^bb1",    "tt.trans",   "tt.return"};

// `other` is a text to take tokens from.
void damage(std::string& text, const std::string& other, Random& random) {
  const Token token = pick_token(text, random);
  switch (below(random, 12)) {
    case 0:
      text.resize(below(random, text.size() + 1));
      return;
    case 1:
      if (!text.empty())
        text[below(random, text.size())] ^= static_cast<char>(1 << below(random, 8));
      return;
    case 2:
      text.erase(token.begin, token.length);
      return;
    case 3: {
      const std::string copy = text.substr(token.begin, token.length);
      text.insert(token.begin, copy + " ");
      return;
    }
    case 4: {
      const Token second = pick_token(text, random);
      const Token& a = token.begin <= second.begin ? token : second;
      const Token& b = token.begin <= second.begin ? second : token;
      const std::string first_text = text.substr(a.begin, a.length);
      const std::string second_text = text.substr(b.begin, b.length);
      text.replace(b.begin, b.length, first_text);
      text.replace(a.begin, a.length, second_text);
      return;
    }
    case 5: {
      const Token taken = pick_token(other, random);
      text.replace(token.begin, token.length, other, taken.begin, taken.length);
      return;
    }
    case 6: {
      const Token line = pick_line(text, random);
      text.erase(line.begin, line.length);
      return;
    }
    case 7: {
      const Token line = pick_line(text, random);
      text.insert(line.begin, text.substr(line.begin, line.length));
      return;
    }
    case 8: {
      const Token line = pick_line(other, random);
      text.insert(pick_line(text, random).begin, other.substr(line.begin, line.length));
      return;
    }
    case 9:
      text.replace(token.begin, token.length, kWords[below(random, std::size(kWords))]);
      return;
    default: {
      // A number, which is where sizes, axes and positions stand.
      const size_t from = below(random, text.size() + 1);
      const size_t digit = text.find_first_of("0123456789", from);
      if (digit == std::string::npos) return;
      size_t end = digit;
      while (end < text.size() && std::isdigit(static_cast<unsigned char>(text[end]))) ++end;
      text.replace(digit, end - digit, kNumbers[below(random, std::size(kNumbers))]);
      return;
    }
  }
}

std::string text_of_round(const std::vector<std::string>& corpus, uint64_t seed, int64_t round) {
  Random random(seed * 1000003 + static_cast<uint64_t>(round));
  std::string text = corpus[below(random, corpus.size())];
  const std::string& other = corpus[below(random, corpus.size())];
  for (size_t changes = 1 + below(random, 3); changes > 0; --changes) damage(text, other, random);
  return text;
}

const char* const kTargets[] = {"x86-64-v4+avx512bf16", "x86-64-v2", "riscv64-scalar"};

// Ends the process by SIGPROF when it has computed for that long; 0: never.
void limit_time(int seconds) {
  const itimerval limit = {{0, 0}, {seconds, 0}};
  setitimer(ITIMER_PROF, &limit, nullptr);
}

// One process: rounds until `last` or the deadline. Exits with 1 at an exception.
[[noreturn]] void run_rounds(const std::vector<std::string>& corpus,
                             const std::filesystem::path& folder, uint64_t seed, int64_t first,
                             int64_t last, std::chrono::steady_clock::time_point deadline,
                             Progress& progress) {
  using namespace tilewise::compiler;
  for (int64_t round = first; round < last; ++round) {
    if (std::chrono::steady_clock::now() > deadline) std::_Exit(0);
    progress.round = round;
    const std::string text = text_of_round(corpus, seed, round);
    limit_time(kSecondsPerText);
    try {
      const Target target =
          target_from_name(kTargets[static_cast<size_t>(round) % std::size(kTargets)]);
      const CompiledKernel kernel = compile(text, target, "damaged");
      if (progress.accepted++ % kKeptEvery == 0) {
        write(folder / ("accepted-" + std::to_string(round) + ".ll"), kernel.llvm_ir);
      }
    } catch (const CompileError& error) {
      if (error.reason.empty()) std::_Exit(1);
    } catch (const std::exception& error) {
      std::fprintf(stderr, "%s\n", error.what());
      std::_Exit(1);
    }
    limit_time(0);
  }
  progress.round = last;
  std::_Exit(0);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 2) {
    std::fprintf(stderr, "usage: fuzz_ttir FOLDER [SEED [ROUNDS [SECONDS]]]\n");
    return 2;
  }
  const std::filesystem::path folder = argv[1];
  const uint64_t seed = argc > 2 ? std::strtoull(argv[2], nullptr, 10) : 1;
  const int64_t rounds = argc > 3 ? std::strtoll(argv[3], nullptr, 10) : 10000;
  const int64_t seconds = argc > 4 ? std::strtoll(argv[4], nullptr, 10) : 1 << 20;
  std::vector<std::filesystem::path> paths;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    if (entry.path().extension() == ".ttir") paths.push_back(entry.path());
  }
  std::sort(paths.begin(), paths.end());
  std::vector<std::string> corpus;
  for (const auto& path : paths) corpus.push_back(read(path));
  if (corpus.empty()) {
    std::fprintf(stderr, "fuzz_ttir: no *.ttir in %s\n", argv[1]);
    return 2;
  }

  auto* const progress = static_cast<Progress*>(
      mmap(nullptr, sizeof(Progress), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0));
  *progress = {0, 0};
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(seconds);
  int64_t next = 0;
  int failures = 0;
  while (next < rounds && failures < 20) {
    const pid_t child = fork();
    if (child == 0) run_rounds(corpus, folder, seed, next, rounds, deadline, *progress);
    int status = 0;
    waitpid(child, &status, 0);
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0) break;
    const int64_t round = progress->round;
    const auto path =
        folder / ("failure-" + std::to_string(seed) + "-" + std::to_string(round) + ".txt");
    write(path, text_of_round(corpus, seed, round));
    std::printf("round %lld of seed %llu %s: %s\n", static_cast<long long>(round),
                static_cast<unsigned long long>(seed),
                WIFSIGNALED(status) ? (WTERMSIG(status) == SIGPROF ? "hangs" : "crashes")
                                    : "ends in an error",
                path.c_str());
    std::fflush(stdout);
    ++failures;
    next = round + 1;
  }
  std::printf("%zu texts, %lld rounds, %lld accepted, %d failures\n", corpus.size(),
              static_cast<long long>(progress->round), static_cast<long long>(progress->accepted),
              failures);
  return failures == 0 ? 0 : 1;
}
