// SPDX-License-Identifier: Apache-2.0
// Types, attributes and locations.
#include "compiler/ttir/parser_state.h"

namespace tilewise::compiler {

ScalarKind Parser::parse_scalar_kind(const std::string& word) {
  for (int i = static_cast<int>(ScalarKind::i1); i < static_cast<int>(ScalarKind::pointer); ++i) {
    if (word == kind_name(static_cast<ScalarKind>(i))) return static_cast<ScalarKind>(i);
  }
  lexer_.fail("\"" + word + "\" is no type that this compiler knows");
}

Type Parser::parse_type() {
  Type type;
  if (token().kind == TokenKind::type_alias) {
    const std::string name = token().text;
    if (name != "tt.ptr") lexer_.fail("the type !" + name + " is not supported");
    lexer_.advance();
    expect("<");
    type.kind = ScalarKind::pointer;
    type.pointee = parse_type().kind;
    if (accept(",")) take(TokenKind::number, "an address space");
    expect(">");
    return type;
  }
  const std::string word = take(TokenKind::word, "a type");
  if (word != "tensor") {
    type.kind = parse_scalar_kind(word);
    return type;
  }
  if (!at("<")) lexer_.fail("tensor needs a shape");
  std::vector<int64_t> shape = lexer_.read_dimensions();
  type = parse_type();
  if (type.is_tensor) lexer_.fail("a tensor of tensors");
  if (accept(",")) lexer_.fail("tensor encodings belong to GPU dialects");
  expect(">");
  type.is_tensor = true;
  type.shape = std::move(shape);
  constexpr int64_t kMaxElements = int64_t{1} << 24;
  int64_t elements = 1;
  for (int64_t extent : type.shape) {
    elements *= extent;
    if (elements > kMaxElements) lexer_.fail("a tile of more than 2^24 elements");
  }
  return type;
}

std::vector<Type> Parser::parse_type_list() {
  std::vector<Type> types;
  if (accept("(")) {
    while (!accept(")")) {
      if (!types.empty()) expect(",");
      types.push_back(parse_type());
    }
    return types;
  }
  types.push_back(parse_type());
  while (accept(",") || accept("*")) types.push_back(parse_type());
  return types;
}

Parser::Signature Parser::parse_signature() {
  Signature signature;
  signature.present = true;
  signature.operands = parse_type_list();
  if (accept("->") || accept("to")) {
    signature.has_results = true;
    signature.results = parse_type_list();
  }
  return signature;
}

// Skips `<...>`, `[...]`, `(...)` or `{...}` with the opening bracket as the current token.
void Parser::skip_balanced() {
  int open = 0;
  do {
    if (token().kind == TokenKind::end) lexer_.fail("a bracket is not closed");
    if (token().kind == TokenKind::punctuation) {
      const std::string& text = token().text;
      if (text == "<" || text == "(" || text == "[" || text == "{") ++open;
      if (text == ">" || text == ")" || text == "]" || text == "}") --open;
    }
    lexer_.advance();
  } while (open > 0);
}

std::vector<std::string> Parser::parse_element_list(const char* close) {
  std::vector<std::string> elements;
  int open = 0;
  while (open > 0 || !at(close)) {
    if (token().kind == TokenKind::end) lexer_.fail("a list is not closed");
    if (at("[")) {
      ++open;
    } else if (at("]")) {
      if (--open < 0) lexer_.fail("a bracket too many");
    } else if (!at(",")) {
      elements.push_back(token().text);
    }
    lexer_.advance();
  }
  expect(close);
  return elements;
}

Attribute Parser::parse_attribute() {
  DepthGuard guard(*this);
  Attribute attribute;
  const Token first = token();
  switch (first.kind) {
    case TokenKind::string:
      attribute.kind = Attribute::Kind::string;
      attribute.text = first.text;
      lexer_.advance();
      return attribute;
    case TokenKind::number:
      attribute.kind = Attribute::Kind::literal;
      attribute.text = first.text;
      lexer_.advance();
      break;
    case TokenKind::word:
      lexer_.advance();
      if (first.text == "true" || first.text == "false") {
        attribute.kind = Attribute::Kind::literal;
        attribute.text = first.text;
      } else if (first.text == "dense" || first.text == "array") {
        attribute.kind = Attribute::Kind::list;
        attribute.prefix = first.text;
        expect("<");
        if (first.text == "array") {
          attribute.type = parse_type();
          if (!accept(":")) {
            expect(">");
            return attribute;
          }
        }
        attribute.elements = parse_element_list(">");
        if (first.text == "array") return attribute;
      } else {
        attribute.kind = Attribute::Kind::word;
        attribute.text = first.text;
        if (at("<")) skip_balanced();
        return attribute;
      }
      break;
    case TokenKind::symbol:
    case TokenKind::alias:
      attribute.kind = Attribute::Kind::word;
      attribute.text = first.text;
      lexer_.advance();
      if (at("<")) skip_balanced();
      return attribute;
    default:
      if (accept("[")) {
        attribute.kind = Attribute::Kind::list;
        attribute.elements = parse_element_list("]");
        return attribute;
      }
      if (at("{")) {
        skip_balanced();
        return attribute;
      }
      lexer_.fail("an attribute is expected");
  }
  if (accept(":")) attribute.type = parse_type();
  return attribute;
}

void Parser::parse_attribute_entries(std::map<std::string, Attribute>& attributes) {
  expect("{");
  while (!accept("}")) {
    if (token().kind != TokenKind::word && token().kind != TokenKind::string) {
      lexer_.fail("the name of an attribute is expected");
    }
    const std::string name = token().text;
    lexer_.advance();
    attributes[name] = accept("=") ? parse_attribute() : Attribute{};
    if (!at("}")) expect(",");
  }
}

std::shared_ptr<LocationNode> Parser::parse_location_expression() {
  DepthGuard guard(*this);
  auto node = std::make_shared<LocationNode>();
  if (token().kind == TokenKind::alias) {
    node->alias = token().text;
    lexer_.advance();
    return node;
  }
  if (token().kind == TokenKind::string) {
    const std::string name = token().text;
    lexer_.advance();
    if (accept(":")) {
      node->position.file = name;
      node->position.line = std::atoi(take(TokenKind::number, "a line").c_str());
      expect(":");
      node->position.column = std::atoi(take(TokenKind::number, "a column").c_str());
      if (accept("to")) {  // A range: `"f":1:2 to :3:4`.
        while (accept(":")) take(TokenKind::number, "a line or column");
      }
    } else if (accept("(")) {
      node->children.push_back(parse_location_expression());
      expect(")");
    }
    return node;
  }
  const std::string kind = take(TokenKind::word, "a location");
  if (kind == "loc") {
    expect("(");
    node->children.push_back(parse_location_expression());
    expect(")");
  } else if (kind == "callsite") {
    expect("(");
    node->children.push_back(parse_location_expression());
    expect("at");
    node->children.push_back(parse_location_expression());
    expect(")");
  } else if (kind == "fused") {
    if (at("<")) skip_balanced();
    expect("[");
    while (!accept("]")) {
      if (!node->children.empty()) expect(",");
      node->children.push_back(parse_location_expression());
    }
  } else if (kind != "unknown") {
    lexer_.fail("an unknown kind of location");
  }
  return node;
}

std::shared_ptr<LocationNode> Parser::parse_optional_location() {
  if (!accept("loc")) return nullptr;
  expect("(");
  auto node = parse_location_expression();
  expect(")");
  return node;
}

}  // namespace tilewise::compiler
