// SPDX-License-Identifier: Apache-2.0
#include "compiler/ttir/lexer.h"

#include <algorithm>

namespace tilewise::compiler {
namespace {

bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_name_start(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; }
bool is_name(char c) { return is_name_start(c) || is_digit(c) || c == '.' || c == '$'; }
int hex_digit(char c) {
  if (is_digit(c)) return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

}  // namespace

void Lexer::fail(const std::string& reason) const {
  const size_t end = std::min(token_.begin, text_.size());
  SourceLocation location{"<ttir>", 1, 1};
  for (size_t i = 0; i < end; ++i) {
    location.column++;
    if (text_[i] == '\n') {
      location.line++;
      location.column = 1;
    }
  }
  const std::string near = token_.kind == TokenKind::end ? "the end" : "\"" + token_.text + "\"";
  throw CompileError(location, "malformed Triton IR near " + near + ": " + reason);
}

void Lexer::skip_space() {
  while (position_ < text_.size()) {
    const char c = text_[position_];
    if (c == '\n') {
      line_start_ = true;
    } else if (c == '/' && text_.substr(position_, 2) == "//") {
      while (position_ < text_.size() && text_[position_] != '\n') ++position_;
      continue;
    } else if (c != ' ' && c != '\t' && c != '\r') {
      return;
    }
    ++position_;
  }
}

void Lexer::lex_name(TokenKind kind, size_t prefix) {
  token_.kind = kind;
  size_t end = position_ + prefix;
  // Values may carry a result number, %x#1, and constants are called %c-1_i32.
  const std::string_view more = kind == TokenKind::value ? "#-" : "";
  while (end < text_.size() &&
         (is_name(text_[end]) || more.find(text_[end]) != std::string_view::npos)) {
    ++end;
  }
  token_.text = text_.substr(position_ + prefix, end - position_ - prefix);
  position_ = end;
  if (token_.text.empty()) fail("a name is missing");
}

void Lexer::lex_number() {
  token_.kind = TokenKind::number;
  size_t end = position_;
  if (text_[end] == '-') ++end;
  if (text_.substr(end, 2) == "0x") {
    end += 2;
    while (end < text_.size() && hex_digit(text_[end]) >= 0) ++end;
  } else {
    while (end < text_.size() && is_digit(text_[end])) ++end;
    if (end < text_.size() && text_[end] == '.') {
      ++end;
      while (end < text_.size() && is_digit(text_[end])) ++end;
      if (end < text_.size() && (text_[end] == 'e' || text_[end] == 'E')) {
        ++end;
        if (end < text_.size() && (text_[end] == '+' || text_[end] == '-')) ++end;
        while (end < text_.size() && is_digit(text_[end])) ++end;
      }
    }
  }
  token_.text = text_.substr(position_, end - position_);
  position_ = end;
}

void Lexer::lex_string() {
  token_.kind = TokenKind::string;
  token_.text.clear();
  size_t i = position_ + 1;
  while (i < text_.size() && text_[i] != '"') {
    if (text_[i] != '\\') {
      token_.text += text_[i++];
      continue;
    }
    const std::string_view escape = text_.substr(i + 1, 2);
    if (escape.size() == 2 && hex_digit(escape[0]) >= 0 && hex_digit(escape[1]) >= 0) {
      token_.text += static_cast<char>(hex_digit(escape[0]) * 16 + hex_digit(escape[1]));
      i += 3;
    } else if (!escape.empty()) {
      token_.text += escape[0] == 'n' ? '\n' : escape[0] == 't' ? '\t' : escape[0];
      i += 2;
    } else {
      fail("a string without an end");
    }
  }
  if (i >= text_.size()) fail("a string without an end");
  position_ = i + 1;
}

void Lexer::advance() {
  line_start_ = position_ == 0;
  skip_space();
  token_ = {TokenKind::end, "", line_start_, position_};
  if (position_ >= text_.size()) return;
  const char c = text_[position_];
  const char next = position_ + 1 < text_.size() ? text_[position_ + 1] : '\0';
  if (c == '%') return lex_name(TokenKind::value, 1);
  if (c == '^') return lex_name(TokenKind::block, 1);
  if (c == '#') return lex_name(TokenKind::alias, 1);
  if (c == '!') return lex_name(TokenKind::type_alias, 1);
  if (c == '@') {
    if (next != '"') return lex_name(TokenKind::symbol, 1);
    ++position_;
    lex_string();
    token_.kind = TokenKind::symbol;
    return;
  }
  if (c == '"') return lex_string();
  if (is_name_start(c)) return lex_name(TokenKind::word, 0);
  if (is_digit(c) || (c == '-' && is_digit(next))) return lex_number();
  token_.kind = TokenKind::punctuation;
  token_.text = c == '-' && next == '>' ? "->" : std::string(1, c);
  if (token_.text.size() == 1 &&
      std::string_view("(){}[]<>,:=*?|+-/").find(c) == std::string_view::npos) {
    fail("an unexpected character");
  }
  position_ += token_.text.size();
}

std::vector<int64_t> Lexer::read_dimensions() {
  std::vector<int64_t> shape;
  size_t i = position_;
  while (i < text_.size() && is_digit(text_[i])) {
    int64_t extent = 0;
    while (i < text_.size() && is_digit(text_[i])) {
      extent = extent * 10 + (text_[i++] - '0');
      if (extent > (int64_t{1} << 31)) fail("a tensor dimension is too large");
    }
    if (i >= text_.size() || text_[i] != 'x') fail("a tensor dimension must end in x");
    if (extent == 0) fail("a tensor dimension is 0");
    shape.push_back(extent);
    ++i;
  }
  position_ = i;
  advance();
  return shape;
}

}  // namespace tilewise::compiler
