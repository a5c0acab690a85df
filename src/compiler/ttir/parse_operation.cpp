// SPDX-License-Identifier: Apache-2.0
// Operations. Triton's pretty forms are many, but all are a sequence of operands, words, literals
// and attribute dictionaries, then `: types`; so one loose rule reads them all, and only the
// operations with regions or successors have rules of their own. The verifier rejects what makes no
// sense.
#include "compiler/ttir/parser_state.h"

namespace tilewise::compiler {

void Parser::declare_results(Operation& op, const std::vector<ResultName>& names) {
  size_t next = 0;
  for (const ResultName& result : names) {
    for (int i = 0; i < result.count; ++i, ++next) {
      if (next >= op.results.size()) lexer_.fail(op.name + " has fewer results than names");
      Value* value = op.results[next].get();
      define_value(result.count == 1 ? result.name : result.name + "#" + std::to_string(i), value);
      if (result.count == 1) values_[result.name + "#0"] = value;
    }
  }
}

std::unique_ptr<Operation> Parser::parse_operation(Block& block) {
  DepthGuard guard(*this);
  std::vector<ResultName> names;
  int results = 0;
  while (token().kind == TokenKind::value) {
    ResultName name{token().text, 1};
    lexer_.advance();
    if (accept(":")) name.count = std::atoi(take(TokenKind::number, "a count").c_str());
    if (name.count < 1 || name.count > 1000) lexer_.fail("a wrong number of results");
    results += name.count;
    names.push_back(name);
    if (!accept(",")) break;
  }
  if (!names.empty()) expect("=");

  auto op = std::make_unique<Operation>();
  op->parent = &block;
  const bool generic = token().kind == TokenKind::string;
  if (!generic && token().kind != TokenKind::word) lexer_.fail("an operation is expected");
  op->name = token().text;
  lexer_.advance();

  Signature signature;
  if (generic) {
    parse_generic(*op);
    expect(":");
    signature = parse_signature();
  } else if (op->is("scf.for")) {
    parse_for(*op);
  } else if (op->is("scf.if")) {
    parse_if(*op);
  } else if (op->is("scf.while")) {
    parse_while(*op);
  } else if (op->is("cf.br") || op->is("cf.cond_br")) {
    parse_branch(*op);
  } else {
    parse_pretty(*op);
    if (op->is("tt.print")) parse_print(*op);
    if (accept(":")) signature = parse_signature();
  }
  if (op->results.empty()) set_result_types(*op, signature, results);
  if (static_cast<int>(op->results.size()) < results) lexer_.fail("too many result names");
  declare_results(*op, names);
  locate(op->location, parse_optional_location());
  return op;
}

// "name"(%a, %b)[^bb1] <{properties}> ({regions}) {attributes}
void Parser::parse_generic(Operation& op) {
  expect("(");
  while (!accept(")")) {
    if (!op.operands.empty()) expect(",");
    op.operands.push_back(use_value());
  }
  if (accept("[")) {
    while (!accept("]")) {
      if (!op.successors.empty()) expect(",");
      parse_successor(op, true);
    }
    // The generic form does not say how operands divide among successors but by a property.
    op.successor_operands.assign(op.successors.size(), 0);
  }
  if (accept("<")) {
    parse_attribute_entries(op.attributes);
    expect(">");
  }
  if (accept("(")) {
    while (!accept(")")) {
      if (!op.regions.empty()) expect(",");
      op.regions.emplace_back();
      parse_region(op.regions.back(), &op, {});
    }
  }
  if (at("{")) parse_attribute_entries(op.attributes);
  if (op.successors.size() == 1) op.successor_operands[0] = op.operand_count();
  if (op.successors.size() == 2) {
    const Attribute* sizes = op.attribute("operandSegmentSizes");
    if (!sizes || sizes->elements.size() != 3) lexer_.fail("operandSegmentSizes is missing");
    for (int i = 0; i < 2; ++i) {
      op.successor_operands[i] = std::atoi(sizes->elements[i + 1].c_str());
    }
  }
}

void Parser::parse_pretty_item(Operation& op, std::vector<std::string>& words) {
  switch (token().kind) {
    case TokenKind::value:
      op.operands.push_back(use_value());
      return;
    case TokenKind::symbol:
      op.attributes["callee"] = {Attribute::Kind::word, token().text, {}, {}, ""};
      lexer_.advance();
      return;
    case TokenKind::string:
      op.attributes["message"] = {Attribute::Kind::string, token().text, {}, {}, ""};
      lexer_.advance();
      return;
    case TokenKind::alias:
      lexer_.advance();
      return;
    case TokenKind::number:
      op.attributes["value"] = parse_attribute();
      return;
    default:
      break;
  }
  if (at("{")) return parse_attribute_entries(op.attributes);
  if (accept("<")) {
    parse_attribute_entries(op.attributes);
    return expect(">");
  }
  if (token().kind != TokenKind::word) return lexer_.advance();  // ( ) [ ] , and the like
  if (at("true") || at("false") || at("dense")) {
    op.attributes["value"] = parse_attribute();
    return;
  }
  const std::string word = token().text;
  lexer_.advance();
  if (accept("=")) {
    op.attributes[word] = parse_attribute();
  } else if (at("<")) {  // overflow<nsw>, fastmath<contract>: not used.
    skip_balanced();
  } else {
    words.push_back(word);
  }
}

void Parser::parse_pretty(Operation& op) {
  std::vector<std::string> words;
  while (!token().at_line_start && token().kind != TokenKind::end && !at(":") && !at("loc")) {
    parse_pretty_item(op, words);
  }
  name_words(op, words);
}

// Bare words stand for an attribute by their position.
void Parser::name_words(Operation& op, const std::vector<std::string>& words) {
  const char* first = op.is("arith.cmpi") || op.is("arith.cmpf")                   ? "predicate"
                      : op.is("tt.get_program_id") || op.is("tt.get_num_programs") ? "axis"
                      : op.is("tt.atomic_rmw")                                     ? "atomic_rmw_op"
                                                                                   : "word0";
  for (size_t i = 0; i < words.size(); ++i) {
    const std::string key = i == 0 ? first : "word" + std::to_string(i);
    op.attributes[key] = {Attribute::Kind::word, words[i], {}, {}, ""};
  }
}

void Parser::set_result_types(Operation& op, const Signature& signature, int results) {
  std::vector<Type> types = signature.results;
  if (!signature.has_results && results > 0) {
    Type type;
    if (signature.present) {
      if (signature.operands.empty()) lexer_.fail("the type of " + op.name + " is missing");
      type = signature.operands.back();
      if (op.is("tt.addptr")) type = signature.operands.front();
    } else if (const Attribute* value = op.attribute("value")) {
      type.kind =
          value->text == "true" || value->text == "false" ? ScalarKind::i1 : ScalarKind::i64;
    } else {
      lexer_.fail("the type of " + op.name + " is missing");
    }
    if (op.is("arith.constant") && op.attribute("value")) {
      if (op.attribute("value")->type.kind != ScalarKind::none) {
        type = op.attribute("value")->type;
      }
    }
    if (op.is("tt.load")) {
      type.kind = type.pointee;
      type.pointee = ScalarKind::none;
    }
    if (op.is("arith.cmpi") || op.is("arith.cmpf")) type = type.with_kind(ScalarKind::i1);
    types.push_back(type);
  }
  // tt.split and arith.mulsi_extended state the common type of their results once.
  while (!types.empty() && static_cast<int>(types.size()) < results) types.push_back(types.back());
  for (size_t i = 0; i < types.size(); ++i) {
    auto value = std::make_unique<Value>();
    value->type = types[i];
    value->definition = &op;
    value->index = static_cast<int>(i);
    op.results.push_back(std::move(value));
  }
}

std::vector<Type> Parser::parse_result_arrow() {
  return accept("->") ? parse_type_list() : std::vector<Type>{};
}

// (%a = %x, %b = %y): operands of the operation, arguments of its region.
void Parser::parse_carried(Operation& op, std::vector<std::unique_ptr<Value>>& arguments) {
  expect("(");
  std::vector<std::string> names;
  while (!accept(")")) {
    if (!names.empty()) expect(",");
    names.push_back(take(TokenKind::value, "an argument"));
    expect("=");
    op.operands.push_back(use_value());
    auto value = std::make_unique<Value>();
    value->type = op.operands.back()->type;
    arguments.push_back(std::move(value));
  }
  const size_t first = arguments.size() - names.size();
  for (size_t i = 0; i < names.size(); ++i) define_value(names[i], arguments[first + i].get());
}

// The printer leaves out the scf.yield of a region that yields nothing.
static void end_region(Region& region, const Operation& parent) {
  Block& block = *region.blocks.front();
  if (block.terminator() && block.terminator()->is("scf.yield")) return;
  auto yield = std::make_unique<Operation>();
  yield->name = "scf.yield";
  yield->parent = &block;
  yield->location = parent.location;
  block.operations.push_back(std::move(yield));
}

// scf.for %i = %lower to %upper step %step iter_args(%a = %x) -> (T) : i32 { ... }
void Parser::parse_for(Operation& op) {
  if (accept("unsigned")) op.attributes["unsignedCmp"] = {};
  auto induction = std::make_unique<Value>();
  const std::string name = take(TokenKind::value, "a loop counter");
  expect("=");
  op.operands.push_back(use_value());
  expect("to");
  op.operands.push_back(use_value());
  expect("step");
  op.operands.push_back(use_value());
  induction->type = op.operands[0]->type;
  std::vector<std::unique_ptr<Value>> arguments;
  define_value(name, induction.get());
  arguments.push_back(std::move(induction));
  Signature signature;
  if (accept("iter_args")) {
    parse_carried(op, arguments);
    signature.results = parse_result_arrow();
    signature.has_results = true;
  }
  if (accept(":")) parse_type();
  op.regions.emplace_back();
  parse_region(op.regions.back(), &op, std::move(arguments));
  if (signature.results.empty()) end_region(op.regions.back(), op);
  if (at("{")) parse_attribute_entries(op.attributes);
  set_result_types(op, signature, 0);
}

void Parser::parse_if(Operation& op) {
  op.operands.push_back(use_value());
  Signature signature;
  signature.results = parse_result_arrow();
  op.regions.emplace_back();
  parse_region(op.regions.back(), &op, {});
  if (accept("else")) {
    op.regions.emplace_back();
    parse_region(op.regions.back(), &op, {});
  }
  if (signature.results.empty())
    for (Region& region : op.regions) end_region(region, op);
  if (at("{")) parse_attribute_entries(op.attributes);
  set_result_types(op, signature, 0);
}

// scf.while (%a = %x) : (T) -> (T) { ... } do { ^bb0(%b: T): ... }
void Parser::parse_while(Operation& op) {
  std::vector<std::unique_ptr<Value>> arguments;
  if (at("(")) parse_carried(op, arguments);
  expect(":");
  Signature signature = parse_signature();
  op.regions.emplace_back();
  parse_region(op.regions.back(), &op, std::move(arguments));
  expect("do");
  op.regions.emplace_back();
  parse_region(op.regions.back(), &op, {});
  if (accept("attributes")) parse_attribute_entries(op.attributes);
  set_result_types(op, signature, 0);
}

// ^bb1(%a, %b : T, T)
void Parser::parse_successor(Operation& op, bool generic) {
  op.successors.push_back(block_named(take(TokenKind::block, "a block")));
  if (generic) return;
  const int before = op.operand_count();
  if (accept("(")) {
    while (!at(":")) {
      if (op.operand_count() > before) expect(",");
      op.operands.push_back(use_value());
    }
    expect(":");
    parse_type_list();
    expect(")");
  }
  op.successor_operands.push_back(op.operand_count() - before);
}

// tt.print " x: " {hex = false} : %x, %n : tensor<16xf32>, i32
void Parser::parse_print(Operation& op) {
  if (!accept(":")) return;
  do {
    op.operands.push_back(use_value());
  } while (accept(","));
}

void Parser::parse_branch(Operation& op) {
  if (op.is("cf.cond_br")) {
    op.operands.push_back(use_value());
    expect(",");
    parse_successor(op, false);
    expect(",");
  }
  parse_successor(op, false);
  if (at("{")) parse_attribute_entries(op.attributes);
}

}  // namespace tilewise::compiler
