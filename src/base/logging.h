// SPDX-License-Identifier: Apache-2.0
// Messages for a person. warn() is for what the user must know (an unwritable store); it goes to
// the hook if one is set (Python sets warnings.warn) and to stderr otherwise. log() is printed only
// for the topics named in TILEWISE_LOG. Neither is called on a launch that hits.
#pragma once

#include <string>
#include <string_view>

namespace tilewise {

using LogHook = void (*)(const char* message);

void set_log_hook(LogHook hook);  // nullptr: stderr again.
void warn(const std::string& message);

enum class LogTopic : unsigned { fallback = 1, cache = 2, launch = 4, compile = 8 };

bool log_enabled(LogTopic topic);
void log(LogTopic topic, std::string_view message);

}  // namespace tilewise
