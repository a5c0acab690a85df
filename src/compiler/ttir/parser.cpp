// SPDX-License-Identifier: Apache-2.0
#include "compiler/ttir/parser.h"

#include "compiler/ttir/parser_state.h"

namespace tilewise::compiler {

bool Parser::at(const char* text) const {
  return (token().kind == TokenKind::punctuation || token().kind == TokenKind::word) &&
         token().text == text;
}

bool Parser::accept(const char* text) {
  if (!at(text)) return false;
  lexer_.advance();
  return true;
}

void Parser::expect(const char* text) {
  if (!accept(text)) lexer_.fail(std::string("\"") + text + "\" is expected");
}

std::string Parser::take(TokenKind kind, const char* what) {
  if (token().kind != kind) lexer_.fail(std::string(what) + " is expected");
  std::string text = token().text;
  lexer_.advance();
  return text;
}

Value* Parser::use_value() {
  const std::string name = take(TokenKind::value, "a value");
  auto found = values_.find(name);
  if (found == values_.end()) lexer_.fail("%" + name + " is not defined");
  return found->second;
}

void Parser::define_value(const std::string& name, Value* value) {
  value->name = name;
  values_[name] = value;
}

void Parser::locate(SourceLocation& target, std::shared_ptr<LocationNode> location) {
  if (location) pending_locations_.emplace_back(&target, std::move(location));
}

std::unique_ptr<Value> Parser::parse_typed_argument() {
  auto value = std::make_unique<Value>();
  define_value(take(TokenKind::value, "an argument"), value.get());
  expect(":");
  value->type = parse_type();
  if (at("{")) {
    std::map<std::string, Attribute> ignored;  // tt.divisibility and the like: nothing is assumed.
    parse_attribute_entries(ignored);
  }
  parse_optional_location();
  return value;
}

void Parser::parse_block_arguments(Block& block) {
  if (!accept("(")) return;
  while (!accept(")")) {
    if (!block.arguments.empty()) expect(",");
    auto value = parse_typed_argument();
    value->block = &block;
    value->index = static_cast<int>(block.arguments.size());
    block.arguments.push_back(std::move(value));
  }
}

Block* Parser::block_named(const std::string& label) {
  auto found = blocks_.known.find(label);
  if (found != blocks_.known.end()) return found->second;
  auto block = std::make_unique<Block>();
  block->label = label;
  Block* result = block.get();
  blocks_.known[label] = result;
  blocks_.forward[label] = std::move(block);
  return result;
}

void Parser::parse_block(Block& block) {
  while (!at("}") && token().kind != TokenKind::block) {
    if (token().kind == TokenKind::end) lexer_.fail("a region is not closed");
    block.operations.push_back(parse_operation(block));
  }
}

// Reads `{ ... }`. `entry` are arguments that the parent operation's own syntax has named.
void Parser::parse_region(Region& region, Operation* parent,
                          std::vector<std::unique_ptr<Value>> entry) {
  DepthGuard guard(*this);
  // Labels belong to their region: an operation cannot branch out of the one that it is in.
  BlockScope outer = std::move(blocks_);
  blocks_ = {};
  const std::map<std::string, Value*> outside = values_;
  expect("{");
  if (token().kind != TokenKind::block || !entry.empty()) {
    region.blocks.push_back(std::make_unique<Block>());
    Block& block = *region.blocks.back();
    block.parent = parent;
    for (auto& value : entry) {
      value->block = &block;
      value->index = static_cast<int>(block.arguments.size());
      block.arguments.push_back(std::move(value));
    }
    parse_block(block);
  }
  while (token().kind == TokenKind::block) {
    const std::string label = token().text;
    lexer_.advance();
    std::unique_ptr<Block> block;
    if (blocks_.forward.contains(label)) {
      block = std::move(blocks_.forward[label]);
      blocks_.forward.erase(label);
    } else {
      if (blocks_.known.contains(label)) lexer_.fail("the block ^" + label + " is there twice");
      block = std::make_unique<Block>();
      block->label = label;
      blocks_.known[label] = block.get();
    }
    block->parent = parent;
    region.blocks.push_back(std::move(block));
    Block& current = *region.blocks.back();
    parse_block_arguments(current);
    expect(":");
    parse_block(current);
  }
  expect("}");
  if (!blocks_.forward.empty()) {
    lexer_.fail("the block ^" + blocks_.forward.begin()->first + " is not defined");
  }
  blocks_ = std::move(outer);
  values_ = outside;  // What a region defines is not visible behind it.
}

void Parser::parse_function(Module& module) {
  auto function = std::make_unique<Function>();
  values_.clear();
  if (accept("private")) function->is_public = false;
  accept("public");
  function->name = take(TokenKind::symbol, "the name of a function");
  std::vector<std::unique_ptr<Value>> arguments;
  expect("(");
  while (!accept(")")) {
    if (!arguments.empty()) expect(",");
    arguments.push_back(parse_typed_argument());
  }
  if (accept("->")) function->results = parse_type_list();
  if (accept("attributes")) {
    std::map<std::string, Attribute> ignored;
    parse_attribute_entries(ignored);
  }
  parse_region(function->body, nullptr, std::move(arguments));
  if (function->body.blocks.empty()) lexer_.fail("a function without a body");
  locate(function->location, parse_optional_location());
  number_operations(*function);
  module.functions.push_back(std::move(function));
}

void Parser::parse_module_body(Module& module) {
  while (!accept("}")) {
    if (at("tt.func")) {
      lexer_.advance();
      parse_function(module);
    } else {
      lexer_.fail("only tt.func may stand in a module");
    }
  }
}

std::unique_ptr<Module> Parser::parse() {
  auto module = std::make_unique<Module>();
  while (token().kind != TokenKind::end) {
    if (token().kind == TokenKind::alias) {
      const std::string name = token().text;
      lexer_.advance();
      expect("=");
      if (at("loc")) {
        aliases_[name] = parse_optional_location();
      } else {
        parse_attribute();
      }
    } else if (at("{")) {  // {-# dialect_resources #-}
      skip_balanced();
    } else if (accept("tt.func")) {
      parse_function(*module);
    } else {
      expect("module");
      if (token().kind == TokenKind::symbol) lexer_.advance();
      if (accept("attributes")) {
        std::map<std::string, Attribute> ignored;
        parse_attribute_entries(ignored);
      }
      expect("{");
      parse_module_body(*module);
      parse_optional_location();
    }
  }
  for (auto& [target, node] : pending_locations_) *target = resolve_location(*node, aliases_);
  if (module->functions.empty()) lexer_.fail("the module has no function");
  return module;
}

std::unique_ptr<Module> parse_module(std::string_view text) { return Parser(text).parse(); }

}  // namespace tilewise::compiler
