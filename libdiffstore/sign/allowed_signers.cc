#include "sign/allowed_signers.h"

#include <time.h>

#include <algorithm>
#include <functional>

#include "dstore/error.h"
#include "sign/base64.h"
#include "sign/ssh_wire.h"

namespace dstore {
namespace {

constexpr std::string_view kBlank = " \t";

// The words of one line; a word ends at white space outside double quotes.
class Line {
 public:
  Line(std::string_view text, std::string where) : rest_(text), where_(std::move(where)) { skip_blanks(); }

  [[noreturn]] void fail(const std::string& message) const { throw Error(ErrorCode::corrupt, where_ + ": " + message); }
  const std::string& where() const { return where_; }
  bool at_end() const { return rest_.empty(); }
  std::string_view rest() const { return rest_; }

  std::string_view word() {
    bool quoted = false;
    std::size_t i = 0;
    for (; i < rest_.size() && (quoted || kBlank.find(rest_[i]) == std::string_view::npos); ++i) {
      if (quoted && rest_[i] == '\\' && i + 1 < rest_.size() && rest_[i + 1] == '"') ++i;
      else if (rest_[i] == '"') quoted = !quoted;
    }
    if (quoted) fail("a double quote is not closed");
    std::string_view word = rest_.substr(0, i);
    rest_.remove_prefix(i);
    skip_blanks();
    return word;
  }

 private:
  void skip_blanks() { rest_.remove_prefix(std::min(rest_.find_first_not_of(kBlank), rest_.size())); }

  std::string_view rest_;
  std::string where_;
};

void for_each_line(std::string_view text, std::string_view file, const std::function<void(Line&)>& body) {
  for (std::size_t number = 1; !text.empty(); ++number) {
    std::size_t end = text.find('\n');
    std::string_view line = text.substr(0, end);
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
    if (line.ends_with('\r')) line.remove_suffix(1);
    Line words(line, std::string(file) + ":" + std::to_string(number));
    if (!words.at_end() && words.rest().front() != '#') body(words);
  }
}

// YYYYMMDD or YYYYMMDDHHMM[SS], local time, or UTC with a Z at the end.
std::int64_t parse_time(std::string_view text, const Line& line) {
  const std::string shown = printable(text.substr(0, 64));
  bool utc = text.ends_with('Z') || text.ends_with('z');
  if (utc) text.remove_suffix(1);
  bool digits = std::ranges::all_of(text, [](char c) { return c >= '0' && c <= '9'; });
  if (!digits || (text.size() != 8 && text.size() != 12 && text.size() != 14))
    line.fail("'" + shown + "' is not a time (YYYYMMDD[HHMM[SS]][Z])");
  auto field = [&](std::size_t at, std::size_t count) {
    int value = 0;
    for (std::size_t i = at; i < at + count && i < text.size(); ++i) value = value * 10 + (text[i] - '0');
    return value;
  };
  struct tm fields {};
  fields.tm_year = field(0, 4) - 1900;
  fields.tm_mon = field(4, 2) - 1;
  fields.tm_mday = field(6, 2);
  fields.tm_hour = field(8, 2);
  fields.tm_min = field(10, 2);
  fields.tm_sec = field(12, 2);
  fields.tm_isdst = -1;
  struct tm normal = fields;
  normal.tm_isdst = 0;
  timegm(&normal);
  bool exists = fields.tm_year >= 70 && normal.tm_mon == fields.tm_mon && normal.tm_mday == fields.tm_mday &&
                normal.tm_hour == fields.tm_hour && normal.tm_min == fields.tm_min && normal.tm_sec == fields.tm_sec;
  if (!exists) line.fail("'" + shown + "' is not a time that exists");
  return utc ? timegm(&fields) : mktime(&fields);
}

std::string unquote(std::string_view value, const Line& line) {
  if (value.size() < 2 || value.front() != '"' || value.back() != '"') line.fail("an option's value must be in double quotes");
  value = value.substr(1, value.size() - 2);
  std::string out;
  for (std::size_t i = 0; i < value.size(); ++i) {
    if (value[i] == '\\' && i + 1 < value.size() && value[i + 1] == '"') ++i;
    out += value[i];
  }
  return out;
}

std::string lower(std::string_view text) {
  std::string out(text);
  std::ranges::transform(out, out.begin(), [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
  return out;
}

// One of the comma-separated parts of the options word; commas inside quotes do not separate.
std::string_view take_option(std::string_view& options) {
  bool quoted = false;
  std::size_t i = 0;
  for (; i < options.size() && (quoted || options[i] != ','); ++i) {
    if (quoted && options[i] == '\\' && i + 1 < options.size() && options[i + 1] == '"') ++i;
    else if (options[i] == '"') quoted = !quoted;
  }
  std::string_view option = options.substr(0, i);
  options.remove_prefix(std::min(i + 1, options.size()));
  return option;
}

// Sets the fields of `signer`; true if the line is for a certificate authority.
bool parse_options(std::string_view options, const Line& line, AllowedSigner& signer) {
  bool authority = false;
  while (!options.empty()) {
    std::string_view option = take_option(options);
    std::size_t equals = std::min(option.find('='), option.size());
    std::string name = lower(option.substr(0, equals));
    auto value = [&] { return unquote(option.substr(std::min(equals + 1, option.size())), line); };
    auto once = [&](bool given) {
      if (given) line.fail("option '" + name + "' is given twice");
    };
    if (name == "cert-authority" && equals == option.size()) {
      authority = true;
    } else if (name == "namespaces") {
      once(signer.namespaces.has_value());
      signer.namespaces = value();
    } else if (name == "valid-after") {
      once(signer.valid_after.has_value());
      signer.valid_after = parse_time(value(), line);
    } else if (name == "valid-before") {
      once(signer.valid_before.has_value());
      signer.valid_before = parse_time(value(), line);
    } else {
      line.fail("unknown option '" + printable(name.substr(0, 64)) + "'");
    }
  }
  if (signer.valid_after && signer.valid_before && *signer.valid_before <= *signer.valid_after)
    line.fail("valid-before is not later than valid-after");
  return authority;
}

bool is_key_type(std::string_view word) {
  return !word.empty() && word != "cert-authority" && std::ranges::all_of(word, [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '.' || c == '@';
  });
}

// The key that follows its type; nullopt for another type than ours.
std::optional<PublicKey> parse_key(std::string_view type, Line& line) {
  std::string_view digits = line.word();
  std::optional<Bytes> blob = base64_decode(digits);
  if (digits.empty() || !blob) line.fail("the key after '" + printable(type.substr(0, 64)) + "' is missing or not correct base64");
  Reader reader(*blob, line.where());
  if (ssh_wire::read_text(reader) != type) line.fail("the key is not of the type '" + printable(type.substr(0, 64)) + "'");
  if (type != kSshEd25519) return std::nullopt;
  return PublicKey::parse_blob(*blob, line.where());
}

std::string unquote_principals(std::string_view word, const Line& line) {
  std::string principals = word.starts_with('"') ? unquote(word, line) : std::string(word);
  if (principals.empty() || principals.find('"') != std::string::npos || printable(principals) != principals)
    line.fail("the principals are not plain text");
  return principals;
}

}  // namespace

bool AllowedSigner::allows_namespace(std::string_view name_space) const {
  return !namespaces || matches_pattern_list(name_space, *namespaces);
}

bool AllowedSigner::allows_time(std::int64_t time) const {
  return (!valid_after || time >= *valid_after) && (!valid_before || time <= *valid_before);
}

AllowedSigners parse_allowed_signers(std::string_view text, std::string_view file) {
  AllowedSigners out;
  for_each_line(text, file, [&](Line& line) {
    AllowedSigner signer;
    signer.principals = unquote_principals(line.word(), line);
    std::string_view type = line.word();
    if (type.empty()) line.fail("a line looks like 'principal ssh-ed25519 AAAA... comment'");
    if (!is_key_type(type)) {
      if (parse_options(type, line, signer)) {
        out.notices.push_back(line.where() + ": certificate authorities are not supported, the line is ignored");
        return;
      }
      type = line.word();
      if (!is_key_type(type)) line.fail("there is no key after the options");
    }
    std::optional<PublicKey> key = parse_key(type, line);
    if (!key) return;
    signer.key = *key;
    out.signers.push_back(std::move(signer));
  });
  return out;
}

std::vector<PublicKey> parse_key_list(std::string_view text, std::string_view file) {
  if (text.starts_with("SSHKRL")) {
    throw Error(ErrorCode::unsupported,
                std::string(file) + ": binary key revocation lists are not supported; write one public key line per key");
  }
  std::vector<PublicKey> out;
  for_each_line(text, file, [&](Line& line) {
    std::string_view type = line.word();
    if (!is_key_type(type)) line.fail("a line looks like 'ssh-ed25519 AAAA... comment'");
    if (std::optional<PublicKey> key = parse_key(type, line)) out.push_back(*key);
  });
  return out;
}

std::string allowed_signers_line(std::string_view principal, const PublicKey& key) {
  if (!is_plain_principal(principal)) {
    throw Error(ErrorCode::invalid_argument, "'" + printable(principal.substr(0, 300)) +
                                                 "' cannot name a signer; use one word such as ada@example.org");
  }
  return std::string(principal) + " " + PublicKeyLine{key, ""}.text() + "\n";
}

}  // namespace dstore
