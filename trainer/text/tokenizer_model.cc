#include "trainer/text/tokenizer_model.h"

#include <algorithm>
#include <array>

#include "base/bytes.h"
#include "trainer/text/json_field.h"

namespace dstore {
namespace {

using nlohmann::json;

void require_type(const JsonObject& component, std::string_view expected) {
  const std::string type = component.text("type");
  if (type != expected) {
    throw Error(ErrorCode::unsupported, component.where() + " is " + printable(type) + ": only " + std::string(expected) +
                                            " (BERT's tokenizer) is supported");
  }
}

std::int32_t vocabulary_id(const Vocabulary& vocabulary, std::string_view token, const std::string& where) {
  const auto it = vocabulary.find(token);
  if (it == vocabulary.end()) {
    throw Error(ErrorCode::corrupt, where + ": the token " + printable(token) + " is not in the vocabulary");
  }
  return it->second;
}

AddedToken read_added(const JsonObject& entry, std::int32_t id, bool normalized) {
  AddedToken token;
  token.content = entry.text("content");
  token.id = id;
  token.special = entry.flag("special", false);
  token.single_word = entry.flag("single_word", false);
  token.lstrip = entry.flag("lstrip", false);
  token.rstrip = entry.flag("rstrip", false);
  token.normalized = entry.flag("normalized", normalized);
  return token;
}

/// [CLS] A [SEP] and [CLS] A [SEP] B [SEP], type 1 from B on.
void set_bert_template(TokenizerModel& model, std::int32_t cls, std::int32_t sep) {
  using Kind = TemplatePiece::Kind;
  model.single = {{Kind::special, {cls}, 0}, {Kind::first, {}, 0}, {Kind::special, {sep}, 0}};
  model.pair = model.single;
  model.pair.push_back({Kind::second, {}, 1});
  model.pair.push_back({Kind::special, {sep}, 1});
}

TemplatePiece read_piece(const json& piece, const JsonObject& processor) {
  using Kind = TemplatePiece::Kind;
  const JsonObject outer(piece, processor.where() + ": template piece");
  if (outer.find("Sequence")) {
    const JsonObject sequence = outer.object("Sequence");
    const std::string id = sequence.text("id");
    if (id != "A" && id != "B") sequence.fail("has an \"id\" that is neither A nor B");
    return {id == "A" ? Kind::first : Kind::second, {}, sequence.count("type_id")};
  }
  const JsonObject special = outer.object("SpecialToken");
  const JsonObject token = processor.object("special_tokens").object(special.text("id").c_str());
  TemplatePiece out{Kind::special, {}, special.count("type_id")};
  if (!token.at("ids").is_array()) token.fail("\"ids\" is not an array");
  for (const json& id : token.at("ids")) out.ids.push_back(token.count_value(id, "ids"));
  return out;
}

Template read_template(const JsonObject& processor, const char* key, std::ptrdiff_t seconds) {
  using Kind = TemplatePiece::Kind;
  const json& pieces = processor.at(key);
  if (!pieces.is_array()) processor.fail(std::string("\"") + key + "\" is not an array");
  Template out;
  for (const json& piece : pieces) out.push_back(read_piece(piece, processor));
  const auto times = [&](Kind kind) {
    return std::count_if(out.begin(), out.end(), [&](const TemplatePiece& piece) { return piece.kind == kind; });
  };
  if (times(Kind::first) != 1 || times(Kind::second) != seconds) {
    throw Error(ErrorCode::unsupported, processor.where() + ": template \"" + key + "\" does not use each text once");
  }
  return out;
}

/// BertProcessing's ["[CLS]", 101].
std::int32_t token_pair_id(const JsonObject& processor, const char* key) {
  const json& value = processor.at(key);
  if (!value.is_array() || value.size() != 2) processor.fail(std::string("\"") + key + "\" is not [token, id]");
  return processor.count_value(value[1], key);
}

void read_post_processor(TokenizerModel& model, const JsonObject& root) {
  using Kind = TemplatePiece::Kind;
  if (!root.find("post_processor")) {
    model.single = {{Kind::first, {}, 0}};
    model.pair = {{Kind::first, {}, 0}, {Kind::second, {}, 1}};
    return;
  }
  const JsonObject processor = root.object("post_processor");
  if (processor.text("type") == "BertProcessing") {
    set_bert_template(model, token_pair_id(processor, "cls"), token_pair_id(processor, "sep"));
    return;
  }
  require_type(processor, "TemplateProcessing");
  model.single = read_template(processor, "single", 0);
  model.pair = read_template(processor, "pair", 1);
}

void read_normalizer(TokenizerModel& model, const JsonObject& root) {
  if (!root.find("normalizer")) {
    model.normalizer = {false, false, false, false};
    return;
  }
  const JsonObject normalizer = root.object("normalizer");
  require_type(normalizer, "BertNormalizer");
  model.normalizer.clean_text = normalizer.flag("clean_text", true);
  model.normalizer.handle_chinese_chars = normalizer.flag("handle_chinese_chars", true);
  model.normalizer.lowercase = normalizer.flag("lowercase", true);
  model.normalizer.strip_accents = normalizer.flag("strip_accents", model.normalizer.lowercase);
}

TokenizerModel from_tokenizer_json(std::string_view bytes, const std::string& where) {
  const json parsed = parse_json(bytes, where);
  const JsonObject root(parsed, where);
  TokenizerModel model;
  const JsonObject pieces = root.object("model");
  require_type(pieces, "WordPiece");
  model.unknown = pieces.text("unk_token", model.unknown);
  model.continuing_prefix = pieces.text("continuing_subword_prefix", model.continuing_prefix);
  model.max_chars_per_word = static_cast<std::size_t>(pieces.count("max_input_chars_per_word", 100));
  const JsonObject vocabulary = pieces.object("vocab");
  model.vocabulary.reserve(vocabulary.json().size());
  for (const auto& [token, id] : vocabulary.json().items()) {
    model.vocabulary.emplace(token, vocabulary.count_value(id, printable(token)));
  }
  read_normalizer(model, root);
  require_type(root.object("pre_tokenizer"), "BertPreTokenizer");
  read_post_processor(model, root);
  if (const json* added = root.find("added_tokens")) {
    if (!added->is_array()) root.fail("\"added_tokens\" is not an array");
    for (const json& value : *added) {
      const JsonObject entry(value, where + ": added_tokens");
      model.added.push_back(read_added(entry, entry.count("id"), true));
    }
  }
  return model;
}

/// A special token's name: a string or {"content": string}.
std::string special_name(const JsonObject& config, const char* key, std::string_view fallback) {
  const json* value = config.find(key);
  return value && value->is_object() ? config.object(key).text("content") : config.text(key, fallback);
}

void read_vocabulary_lines(TokenizerModel& model, std::string_view text, const std::string& where) {
  std::int32_t id = 0;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    std::string_view line = text.substr(0, end);
    if (line.ends_with('\r')) line.remove_suffix(1);
    model.vocabulary.insert_or_assign(std::string(line), id++);
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  if (model.vocabulary.empty()) throw Error(ErrorCode::corrupt, where + " is empty");
}

TokenizerModel from_vocab_txt(std::string_view vocab, const json& parsed_config, const std::string& where) {
  const JsonObject config(parsed_config, where + "/tokenizer_config.json");
  const std::string vocab_name = where + "/vocab.txt";
  if (!is_utf8(vocab)) throw Error(ErrorCode::corrupt, vocab_name + " is not UTF-8");
  TokenizerModel model;
  read_vocabulary_lines(model, vocab, vocab_name);
  model.normalizer.lowercase = config.flag("do_lower_case", true);
  model.normalizer.strip_accents = config.flag("strip_accents", model.normalizer.lowercase);
  model.normalizer.handle_chinese_chars = config.flag("tokenize_chinese_chars", true);
  model.unknown = special_name(config, "unk_token", "[UNK]");
  const std::string cls = special_name(config, "cls_token", "[CLS]"), sep = special_name(config, "sep_token", "[SEP]");
  set_bert_template(model, vocabulary_id(model.vocabulary, cls, vocab_name), vocabulary_id(model.vocabulary, sep, vocab_name));

  if (config.find("added_tokens_decoder")) {
    const JsonObject decoder = config.object("added_tokens_decoder");
    for (const auto& [id, value] : decoder.json().items()) {
      AddedToken token = read_added(JsonObject(value, decoder.where()), 0, true);
      token.id = decoder.count_value(json::parse(id, nullptr, false), printable(id));
      model.added.push_back(std::move(token));
    }
    std::sort(model.added.begin(), model.added.end(), [](const auto& a, const auto& b) { return a.id < b.id; });
  }
  for (const std::string& name : {special_name(config, "pad_token", "[PAD]"), model.unknown, cls, sep,
                                  special_name(config, "mask_token", "[MASK]")}) {
    const bool listed = std::any_of(model.added.begin(), model.added.end(), [&](const auto& t) { return t.content == name; });
    if (listed || !model.vocabulary.contains(name)) continue;
    AddedToken token;
    token.content = name;
    token.id = -1;
    token.special = true;
    model.added.push_back(token);
  }
  return model;
}

}  // namespace

TokenizerModel read_tokenizer_model(const TokenizerFiles& files) {
  if (!files.tokenizer_json && !files.vocab_txt) {
    throw Error(ErrorCode::not_found, files.where + " has no tokenizer: neither tokenizer.json nor vocab.txt");
  }
  const std::string config_name = files.where + "/tokenizer_config.json";
  const json config = files.tokenizer_config_json ? parse_json(*files.tokenizer_config_json, config_name) : json::object();
  TokenizerModel model = files.tokenizer_json
                             ? from_tokenizer_json(*files.tokenizer_json, files.where + "/tokenizer.json")
                             : from_vocab_txt(*files.vocab_txt, config, files.where);
  const JsonObject settings(config, config_name);
  model.pad = special_name(settings, "pad_token", "[PAD]");
  if (const json* length = settings.find("model_max_length")) {
    // Models without a limit write 1e30 here.
    if (length->is_number_unsigned() && length->get<std::uint64_t>() > 0 && length->get<std::uint64_t>() < (1u << 31)) {
      model.model_max_length = length->get<std::size_t>();
    }
  }
  return model;
}

}  // namespace dstore
