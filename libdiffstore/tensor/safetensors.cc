#include "tensor/safetensors.h"

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>
#include <optional>

#include "dstore/error.h"
#include "tensor/dtype.h"
#include "tensor/tensor_name.h"

namespace dstore {
namespace {

constexpr std::size_t kLengthBytes = 8;
constexpr std::uint64_t kNumberLimit = std::uint64_t{1} << 63;

[[noreturn]] void fail(std::string_view what, const std::string& problem) {
  throw Error(ErrorCode::corrupt, std::string(what) + ": " + problem);
}

std::string tensor_in(std::string_view what, std::string_view name) {
  return std::string(what) + ": tensor '" + printable(name.substr(0, 200)) + "'";
}

// Receives the JSON token by token and knows the one structure a header may have:
//   { "__metadata__": {KEY: STRING, ...}, NAME: {"dtype": STRING, "shape": [N, ...], "data_offsets": [N, N]}, ... }
// Every other token is an error where it stands, so nothing deep or large is ever built.
class HeaderHandler : public nlohmann::json_sax<nlohmann::json> {
 public:
  HeaderHandler(SafetensorsHeader& header, std::string_view what) : header_(header), what_(what) {}

  bool null() override { return refuse("null"); }
  bool boolean(bool) override { return refuse("true or false"); }
  bool number_integer(number_integer_t value) override { return refuse("the number " + std::to_string(value)); }
  bool number_float(number_float_t, const string_t& text) override {
    return refuse("the number " + printable(text.substr(0, 40)));
  }
  bool binary(binary_t&) override { return refuse("binary data"); }

  bool number_unsigned(number_unsigned_t value) override {
    if (value >= kNumberLimit) return refuse("the number " + std::to_string(value));
    if (place_ == Place::shape) {
      if (entry_.info.shape.size() == kMaxTensorRank) {
        problem("has more than " + std::to_string(kMaxTensorRank) + " dimensions");
      }
      entry_.info.shape.push_back(value);
    } else if (place_ == Place::offsets && offsets_seen_ < 2) {
      (offsets_seen_ == 0 ? entry_.begin : entry_.end) = value;
      ++offsets_seen_;
    } else {
      return refuse("the number " + std::to_string(value));
    }
    return true;
  }

  bool string(string_t& value) override {
    if (place_ == Place::dtype) {
      const std::optional<DType> dtype = dtype_from_name(value);
      if (!dtype) {
        throw Error(ErrorCode::unsupported,
                    subject() + " has dtype '" + printable(value.substr(0, 40)) + "', which this build does not know");
      }
      entry_.info.dtype = *dtype;
      place_ = Place::entry;
    } else if (place_ == Place::metadata_value) {
      header_.metadata.at(key_) = std::move(value);
      place_ = Place::metadata;
    } else {
      return refuse("a string");
    }
    return true;
  }

  bool start_object(std::size_t) override {
    switch (place_) {
      case Place::start: place_ = Place::top; return true;
      case Place::metadata_start: place_ = Place::metadata; return true;
      case Place::entry_start: place_ = Place::entry; return true;
      default: return refuse("an object");
    }
  }

  bool key(string_t& name) override {
    if (place_ == Place::top) return top_key(name);
    if (place_ == Place::entry) return entry_key(name);
    if (!header_.metadata.emplace(name, "").second) {
      problem("has the key '" + printable(name.substr(0, 200)) + "' twice");
    }
    key_ = std::move(name);
    place_ = Place::metadata_value;
    return true;
  }

  bool end_object() override {
    if (place_ == Place::entry) {
      if (seen_ != kAllMembers) problem("lacks " + missing_members());
      header_.entries.push_back(std::move(entry_));
      entry_ = {};
    }
    place_ = place_ == Place::top ? Place::end : Place::top;
    return true;
  }

  bool start_array(std::size_t) override {
    if (place_ == Place::shape_start) {
      place_ = Place::shape;
    } else if (place_ == Place::offsets_start) {
      place_ = Place::offsets;
    } else {
      return refuse("an array");
    }
    return true;
  }

  bool end_array() override {
    if (place_ == Place::offsets && offsets_seen_ != 2) problem("has data_offsets that are not two numbers");
    place_ = Place::entry;
    return true;
  }

  bool parse_error(std::size_t position, const std::string&, const nlohmann::detail::exception&) override {
    fail(what_, "the header is not valid JSON at byte " + std::to_string(kLengthBytes + position - 1));
  }

 private:
  enum class Place {
    start, top, end,
    metadata_start, metadata, metadata_value,
    entry_start, entry, dtype, shape_start, shape, offsets_start, offsets,
  };
  struct Member {
    std::string_view name;
    Place next;
  };
  static constexpr std::array<Member, 3> kMembers{
      {{"dtype", Place::dtype}, {"shape", Place::shape_start}, {"data_offsets", Place::offsets_start}}};
  static constexpr unsigned kAllMembers = 0b111;

  bool top_key(std::string& name) {
    if (name == kMetadataKey) {
      if (metadata_seen_) fail(what_, "duplicate __metadata__");
      metadata_seen_ = true;
      entry_.info.name.clear();
      place_ = Place::metadata_start;
      return true;
    }
    if (const auto problem = tensor_name_problem(name)) fail(what_, "a tensor name " + *problem);
    entry_.info.name = std::move(name);
    seen_ = 0;
    offsets_seen_ = 0;
    place_ = Place::entry_start;
    return true;
  }

  bool entry_key(const std::string& name) {
    const auto member = std::ranges::find(kMembers, name, &Member::name);
    if (member == kMembers.end()) problem("has an unknown member '" + printable(name.substr(0, 40)) + "'");
    const unsigned bit = 1u << (member - kMembers.begin());
    if (seen_ & bit) problem("has a duplicate member '" + name + "'");
    seen_ |= bit;
    place_ = member->next;
    return true;
  }

  std::string missing_members() const {
    for (std::size_t i = 0; i < kMembers.size(); ++i) {
      if (!(seen_ & (1u << i))) return std::string(kMembers[i].name);
    }
    return "";
  }

  std::string subject() const {
    switch (place_) {
      case Place::start:
      case Place::top:
      case Place::end: return std::string(what_) + ": the header";
      case Place::metadata_start:
      case Place::metadata:
      case Place::metadata_value: return std::string(what_) + ": __metadata__";
      default: return tensor_in(what_, entry_.info.name);
    }
  }
  [[noreturn]] void problem(const std::string& text) const { throw Error(ErrorCode::corrupt, subject() + " " + text); }
  bool refuse(const std::string& found) const { problem("has " + found + " " + expectation()); }
  std::string expectation() const {
    switch (place_) {
      case Place::start:
      case Place::metadata_start:
      case Place::entry_start: return "where an object must stand";
      case Place::metadata_value: return "where a string must stand";
      case Place::dtype: return "as its dtype";
      case Place::shape_start:
      case Place::shape: return "in its shape";
      case Place::offsets_start:
      case Place::offsets: return "in its data_offsets";
      default: return "in a place where none belongs";
    }
  }

  SafetensorsHeader& header_;
  std::string_view what_;
  Place place_ = Place::start;
  bool metadata_seen_ = false;
  std::string key_;
  SafetensorsEntry entry_;
  unsigned seen_ = 0;
  unsigned offsets_seen_ = 0;
};

// The JSON text without its padding, after the checks that need no parser.
std::string_view header_text(ByteSpan bytes, std::uint64_t file_size, std::string_view what) {
  if (file_size < kLengthBytes || bytes.size() < kLengthBytes) {
    fail(what, "only " + std::to_string(file_size) + " bytes, too short for a safetensors file");
  }
  const std::uint64_t length = Reader(bytes, what).u64();
  if (length > kMaxSafetensorsHeader) {
    fail(what, "header length " + std::to_string(length) + " is above 100000000 (is this a safetensors file?)");
  }
  if (length > file_size - kLengthBytes || length > bytes.size() - kLengthBytes) {
    fail(what, "header length " + std::to_string(length) + " goes beyond the end of the file (" +
                   std::to_string(file_size) + " bytes)");
  }
  std::string_view text = as_text(bytes.subspan(kLengthBytes, length));
  if (!text.starts_with('{')) fail(what, "the header does not start with '{' at byte 8");
  // The JSON parser takes NUL for the end of its input: no control byte but white space may reach it.
  const auto is_control = [](unsigned char c) { return c < 0x20 && c != '\t' && c != '\n' && c != '\r'; };
  const auto control = std::ranges::find_if(text, is_control);
  if (control != text.end()) {
    fail(what, "control byte in the header at byte " + std::to_string(kLengthBytes + (control - text.begin())));
  }
  if (!is_utf8(text)) fail(what, "the header is not UTF-8");
  text = text.substr(0, text.find_last_not_of(' ') + 1);
  if (!text.ends_with('}')) {
    fail(what, "the header does not end with '}' and spaces at byte " + std::to_string(kLengthBytes + text.size() - 1));
  }
  return text;
}

void check_names_unique(const std::vector<SafetensorsEntry>& entries, std::string_view what) {
  std::vector<std::string_view> names;
  names.reserve(entries.size());
  for (const SafetensorsEntry& entry : entries) names.push_back(entry.info.name);
  std::ranges::sort(names);
  const auto twice = std::ranges::adjacent_find(names);
  if (twice != names.end()) throw Error(ErrorCode::corrupt, tensor_in(what, *twice) + " is named twice");
}

[[noreturn]] void bad_range(std::string_view what, const SafetensorsEntry& entry, const std::string& problem) {
  const std::string range = "[" + std::to_string(entry.begin) + ", " + std::to_string(entry.end) + ")";
  throw Error(ErrorCode::corrupt, tensor_in(what, entry.info.name) + " has data_offsets " + range + " " + problem);
}

// Sorts by offset; sizes must follow from dtype and shape, and the ranges must tile the data part of the file.
void check_layout(SafetensorsHeader& header, std::uint64_t data_bytes, std::string_view what) {
  const auto range = [](const SafetensorsEntry& entry) { return std::pair(entry.begin, entry.end); };
  std::ranges::stable_sort(header.entries, {}, range);
  std::uint64_t expected = 0;
  for (SafetensorsEntry& entry : header.entries) {
    if (entry.end < entry.begin) bad_range(what, entry, "that run backwards");
    if (entry.begin < expected) bad_range(what, entry, "that overlap one that ends at " + std::to_string(expected));
    if (entry.begin > expected) bad_range(what, entry, "that leave a hole after byte " + std::to_string(expected));
    entry.info.bytes = tensor_bytes(entry.info.dtype, entry.info.shape, tensor_in(what, entry.info.name));
    if (entry.end - entry.begin != entry.info.bytes) {
      bad_range(what, entry, "but its dtype and shape need " + std::to_string(entry.info.bytes) + " bytes");
    }
    expected = entry.end;
  }
  if (expected != data_bytes) {
    fail(what, "the tensors need " + std::to_string(expected) + " bytes of data, but the file has " +
                   std::to_string(data_bytes) + (expected > data_bytes ? " (truncated?)" : ""));
  }
}

}  // namespace

SafetensorsHeader parse_safetensors_header(ByteSpan bytes, std::uint64_t file_size, std::string_view what) {
  const std::string_view text = header_text(bytes, file_size, what);
  SafetensorsHeader header;
  HeaderHandler handler(header, what);
  if (!nlohmann::json::sax_parse(text, &handler)) fail(what, "the header is not valid JSON");
  const std::uint64_t raw_size = kLengthBytes + Reader(bytes, what).u64();
  check_names_unique(header.entries, what);
  check_layout(header, file_size - raw_size, what);
  const ByteSpan raw = bytes.first(raw_size);
  header.raw.assign(raw.begin(), raw.end());
  return header;
}

}  // namespace dstore
