// SPDX-License-Identifier: Apache-2.0
// Writes one JSON value, front to back; enough for reports.
//
//   JsonWriter json;
//   json.begin_object().field("hits", 3).begin_array("kernels") ... .end_array().end_object();
//   json.text();
#pragma once

#include <cstdio>
#include <string>
#include <string_view>
#include <type_traits>

namespace tilewise::runtime {

class JsonWriter {
 public:
  JsonWriter& begin_object(std::string_view name = {}) { return open(name, '{'); }
  JsonWriter& begin_array(std::string_view name = {}) { return open(name, '['); }
  JsonWriter& end_object() { return close('}'); }
  JsonWriter& end_array() { return close(']'); }

  JsonWriter& field(std::string_view name, std::string_view value) {
    prefix(name);
    quote(value);
    return *this;
  }
  JsonWriter& field(std::string_view name, const char* value) {
    return field(name, std::string_view(value));
  }
  template <class Number>
    requires std::is_arithmetic_v<Number>
  JsonWriter& field(std::string_view name, Number value) {
    prefix(name);
    if constexpr (std::is_same_v<Number, bool>) {
      text_ += value ? "true" : "false";
    } else if constexpr (std::is_floating_point_v<Number>) {
      char digits[32];  // Finite: seconds. Six decimals are microseconds.
      std::snprintf(digits, sizeof digits, "%.6f", static_cast<double>(value));
      text_ += digits;
    } else {
      text_ += std::to_string(value);
    }
    return *this;
  }

  const std::string& text() const { return text_; }

 private:
  JsonWriter& open(std::string_view name, char bracket) {
    prefix(name);
    text_ += bracket;
    first_ = true;
    return *this;
  }
  JsonWriter& close(char bracket) {
    text_ += bracket;
    first_ = false;
    return *this;
  }
  void prefix(std::string_view name) {
    if (!first_) text_ += ',';
    first_ = false;
    if (!name.empty()) {
      quote(name);
      text_ += ':';
    }
  }
  void quote(std::string_view value) {
    text_ += '"';
    for (const char c : value) {
      const auto byte = static_cast<unsigned char>(c);
      if (c == '"' || c == '\\') {
        text_ += '\\';
        text_ += c;
      } else if (byte < 0x20) {
        char escaped[8];
        std::snprintf(escaped, sizeof escaped, "\\u%04x", byte);
        text_ += escaped;
      } else {
        text_ += c;
      }
    }
    text_ += '"';
  }

  std::string text_;
  bool first_ = true;
};

}  // namespace tilewise::runtime
