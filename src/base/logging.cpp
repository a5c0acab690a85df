// SPDX-License-Identifier: Apache-2.0
#include "base/logging.h"

#include <atomic>
#include <cstdio>

#include "base/settings.h"

namespace tilewise {
namespace {

std::atomic<LogHook> hook_now{nullptr};

void print(std::string_view prefix, std::string_view message) {
  // One call, so that lines of several threads do not mix.
  std::fprintf(stderr, "%.*s%.*s\n", static_cast<int>(prefix.size()), prefix.data(),
               static_cast<int>(message.size()), message.data());
}

unsigned enabled_topics() {
  static const unsigned topics = [] {
    constexpr struct {
      std::string_view name;
      LogTopic topic;
    } kTopics[] = {{"fallback", LogTopic::fallback},
                   {"cache", LogTopic::cache},
                   {"launch", LogTopic::launch},
                   {"compile", LogTopic::compile}};
    unsigned mask = 0;
    std::string_view rest = settings().log;
    while (!rest.empty()) {
      const size_t comma = rest.find(',');
      const std::string_view name = rest.substr(0, comma);
      for (const auto& entry : kTopics) {
        if (name == entry.name) mask |= static_cast<unsigned>(entry.topic);
      }
      rest = comma == std::string_view::npos ? "" : rest.substr(comma + 1);
    }
    return mask;
  }();
  return topics;
}

}  // namespace

void set_log_hook(LogHook hook) { hook_now.store(hook); }

void warn(const std::string& message) {
  if (const LogHook hook = hook_now.load()) {
    hook(message.c_str());
  } else {
    print("tilewise: ", message);
  }
}

bool log_enabled(LogTopic topic) { return enabled_topics() & static_cast<unsigned>(topic); }

void log(LogTopic topic, std::string_view message) {
  if (log_enabled(topic)) print("tilewise: ", message);
}

}  // namespace tilewise
