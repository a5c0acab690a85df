// SPDX-License-Identifier: Apache-2.0
// Tokens of MLIR text. One token of look-ahead; `at_line_start` lets the parser find the end of an
// operation, since MLIR's printer puts everything of it but its regions on one line.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "compiler/compile_error.h"

namespace tilewise::compiler {

enum class TokenKind : uint8_t {
  end,
  word,         // module, tt.load, f32
  value,        // %x, %x#1 (text without the %)
  block,        // ^bb0 (text without the ^)
  symbol,       // @name (text without the @)
  alias,        // #loc3 (text without the #)
  type_alias,   // !tt.ptr (text without the !)
  number,       // 1, -2.5e+00, 0xFF800000
  string,       // text without quotes, escapes resolved
  punctuation,  // ( ) { } [ ] < > , : = * ? | + - / ->
};

struct Token {
  TokenKind kind = TokenKind::end;
  std::string text;
  bool at_line_start = true;
  size_t begin = 0;  // Offset in the text.
};

class Lexer {
 public:
  explicit Lexer(std::string_view text) : text_(text) { advance(); }

  const Token& current() const { return token_; }
  void advance();

  // With `<` of "tensor<4x8xf32>" as the current token: reads "4x8x" and makes f32 current. The
  // tokens of a shape are not those of other text ("4x8xf32" would be a number and a word).
  std::vector<int64_t> read_dimensions();

  [[noreturn]] void fail(const std::string& reason) const;

 private:
  void skip_space();
  void lex_name(TokenKind kind, size_t prefix);
  void lex_number();
  void lex_string();

  std::string_view text_;
  size_t position_ = 0;
  bool line_start_ = true;
  Token token_;
};

}  // namespace tilewise::compiler
