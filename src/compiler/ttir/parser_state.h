// SPDX-License-Identifier: Apache-2.0
// The recursive-descent parser behind parser.h, one file per part of the grammar: parser.cpp
// (modules, functions, regions), parse_operation.cpp, parse_type.cpp (types, attributes,
// locations).
#pragma once

#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "compiler/ttir/ir.h"
#include "compiler/ttir/lexer.h"
#include "compiler/ttir/locations.h"

namespace tilewise::compiler {

class Parser {
 public:
  explicit Parser(std::string_view text) : lexer_(text) {}
  std::unique_ptr<Module> parse();

 private:
  // What follows the colon of an operation.
  struct Signature {
    bool present = false;
    std::vector<Type> operands;
    std::vector<Type> results;
    bool has_results = false;
  };
  struct ResultName {
    std::string name;
    int count;
  };

  // parser.cpp
  void parse_module_body(Module& module);
  void parse_function(Module& module);
  void parse_region(Region& region, Operation* parent, std::vector<std::unique_ptr<Value>> entry);
  void parse_block(Block& block);
  void parse_block_arguments(Block& block);
  std::unique_ptr<Value> parse_typed_argument();
  Block* block_named(const std::string& label);

  // parse_operation.cpp
  std::unique_ptr<Operation> parse_operation(Block& block);
  void parse_generic(Operation& op);
  void parse_pretty(Operation& op);
  void parse_pretty_item(Operation& op, std::vector<std::string>& words);
  void parse_for(Operation& op);
  void parse_if(Operation& op);
  void parse_while(Operation& op);
  void parse_carried(Operation& op, std::vector<std::unique_ptr<Value>>& arguments);
  void parse_branch(Operation& op);
  void parse_print(Operation& op);
  void parse_successor(Operation& op, bool generic);
  void name_words(Operation& op, const std::vector<std::string>& words);
  void set_result_types(Operation& op, const Signature& signature, int results);
  void declare_results(Operation& op, const std::vector<ResultName>& names);
  std::vector<Type> parse_result_arrow();

  // parse_type.cpp
  Type parse_type();
  ScalarKind parse_scalar_kind(const std::string& word);
  std::vector<Type> parse_type_list();  // "T, T" or "(T, T)"
  Signature parse_signature();
  Attribute parse_attribute();
  void parse_attribute_entries(std::map<std::string, Attribute>& attributes);  // {a = 1, b}
  std::vector<std::string> parse_element_list(const char* close);
  void skip_balanced();
  std::shared_ptr<LocationNode> parse_location_expression();
  std::shared_ptr<LocationNode> parse_optional_location();  // null if there is none

  // Tokens.
  const Token& token() const { return lexer_.current(); }
  bool at(const char* punctuation_or_word) const;
  bool accept(const char* punctuation_or_word);
  void expect(const char* punctuation_or_word);
  std::string take(TokenKind kind, const char* what);
  Value* use_value();
  void define_value(const std::string& name, Value* value);
  void locate(SourceLocation& target, std::shared_ptr<LocationNode> location);

  // Bounds the recursion on damaged text.
  class DepthGuard {
   public:
    explicit DepthGuard(Parser& parser) : parser_(parser) {
      if (++parser_.depth_ > 200) parser_.lexer_.fail("nesting is too deep");
    }
    ~DepthGuard() { --parser_.depth_; }

   private:
    Parser& parser_;
  };

  Lexer lexer_;
  int depth_ = 0;
  std::map<std::string, Value*> values_;
  // Blocks of the region being read, by label; `forward` are branched to but not yet read.
  struct BlockScope {
    std::map<std::string, Block*> known;
    std::map<std::string, std::unique_ptr<Block>> forward;
  };
  BlockScope blocks_;
  LocationAliases aliases_;
  std::vector<std::pair<SourceLocation*, std::shared_ptr<LocationNode>>> pending_locations_;
};

}  // namespace tilewise::compiler
