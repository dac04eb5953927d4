// tokenize_lines DIR [MAX_LENGTH [TRUNCATION]] < LINES: one JSON text or [text, pair] a line; prints [ids, type ids], or
// {"error": message}. `tokenize_lines words FLAGS < LINES` prints the normalised words instead; FLAGS are four digits:
// clean_text, handle_chinese_chars, strip_accents, lowercase.
#include <cstdlib>
#include <fstream>
#include <iostream>
#include <iterator>
#include <string>

#include <nlohmann/json.hpp>

#include "dstore/error.h"
#include "trainer/text/bert_normalizer.h"
#include "trainer/text/unicode.h"
#include "trainer/text/wordpiece.h"

namespace {

using nlohmann::json;

std::optional<std::string> content(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  if (!in) return std::nullopt;
  return std::string(std::istreambuf_iterator<char>(in), {});
}

json words(const std::string& line, const std::string& flags) {
  const auto on = [&](std::size_t i) { return flags.at(i) == '1'; };
  const dstore::BertNormalizer normalizer{on(0), on(1), on(2), on(3)};
  const std::u32string text = normalizer(dstore::decode_utf8(json::parse(line).get<std::string>(), "line"));
  json out = json::array();
  for (const std::u32string_view word : dstore::split_words(text)) {
    std::string bytes;
    for (const char32_t c : word) dstore::append_utf8(bytes, c);
    out.push_back(bytes);
  }
  return out;
}

json encoded(const dstore::WordPieceTokenizer& tokenizer, const std::string& line, std::size_t limit,
             dstore::Truncation truncation) {
  const json input = json::parse(line);
  try {
    const dstore::Encoding out = input.is_array() ? tokenizer.encode_pair(input[0].get<std::string>(),
                                                                          input[1].get<std::string>(), limit, truncation)
                                                  : tokenizer.encode(input.get<std::string>(), limit, truncation);
    return {out.ids, out.type_ids};
  } catch (const dstore::Error& error) {
    return {{"error", error.what()}};
  }
}

dstore::Truncation truncation_named(const std::string& name) {
  if (name == "only_first") return dstore::Truncation::only_first;
  if (name == "only_second") return dstore::Truncation::only_second;
  return dstore::Truncation::longest_first;
}

}  // namespace

int main(int argc, char** argv) try {
  const std::string first = argc > 1 ? argv[1] : "";
  const std::string second = argc > 2 ? argv[2] : "0";
  std::ios::sync_with_stdio(false);
  std::string line;
  if (first == "words") {
    while (std::getline(std::cin, line)) std::cout << words(line, second) << '\n';
    return 0;
  }
  const auto tokenizer = dstore::WordPieceTokenizer::load(
      {first, content(first + "/tokenizer.json"), content(first + "/vocab.txt"), content(first + "/tokenizer_config.json")});
  const auto truncation = truncation_named(argc > 3 ? argv[3] : "");
  while (std::getline(std::cin, line)) {
    std::cout << encoded(tokenizer, line, std::strtoull(second.c_str(), nullptr, 10), truncation) << '\n';
  }
  return 0;
} catch (const dstore::Error& error) {
  std::cerr << "tokenize_lines: " << error.what() << '\n';
  return 1;
}
