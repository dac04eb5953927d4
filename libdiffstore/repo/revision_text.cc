// Parsing revisions and writing them again (spec/revisions.md, "Grammar").
#include <charconv>
#include <cmath>

#include "base/decimal.h"
#include "dstore/error.h"
#include "repo/revision.h"

namespace dstore {
namespace {

constexpr std::size_t kMaxLength = 16384, kMaxTerms = 64, kMaxDepth = 8;

bool is_word_char(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' || c == '_' || c == '-' || c == '/';
}

/// The functions of the grammar: how many arguments they take, whether they must say how.
struct Function {
  std::string_view name;
  std::size_t least, most;
  bool needs_method;
  std::string_view usage;
};
constexpr Function kFunctions[] = {{"merge", 1, kMaxTerms, true, "merge(METHOD: A, B)"}, {"rebase", 2, 2, false, "rebase(TASK, NEWBASE)"}};

class Parser {
 public:
  explicit Parser(std::string_view text) : text_(text) {
    if (text.size() <= kMaxLength) return;
    throw Error(ErrorCode::invalid_argument, "a revision of more than " + std::to_string(kMaxLength) + " bytes; commit parts of it first (`dstore merge … --name`)");
  }

  RevisionExpression whole() {
    RevisionExpression out = expression();
    if (at_ < text_.size()) fail("expected '+', ' - ' or the end");
    return out;
  }

 private:
  [[noreturn]] void fail(std::string_view message) const {
    throw Error(ErrorCode::invalid_argument,
                "revision \"" + printable(text_) + "\": " + std::string(message) + " at character " + std::to_string(at_ + 1) +
                    "; examples: base, task~1, base+task, base+0.7*a - b (see `dstore checkout --help`)");
  }

  bool next_is(char c) const { return at_ < text_.size() && text_[at_] == c; }
  void expect(char c) {
    if (!next_is(c)) fail(std::string("expected '") + c + "'");
    ++at_;
  }
  void skip_spaces() {
    while (next_is(' ')) ++at_;
  }

  /// Up to the end, or where a call's argument ends.
  RevisionExpression expression() {
    RevisionExpression out;
    out.terms.push_back(term(false));
    while (skip_spaces(), at_ < text_.size()) {
      if (next_is('+')) {
        ++at_;
        out.terms.push_back(term(false));
      } else if (next_is('-') && at_ > 0 && text_[at_ - 1] == ' ' && at_ + 1 < text_.size() && text_[at_ + 1] == ' ') {
        ++at_;
        out.terms.push_back(term(true));
      } else if (depth_ > 0 && (next_is(',') || next_is(')'))) {
        break;
      } else {
        fail(depth_ > 0 ? "expected '+', ' - ', ',' or ')'" : "expected '+', ' - ' or the end");
      }
    }
    return out;
  }

  std::string_view word() {
    const std::size_t start = at_;
    while (at_ < text_.size() && is_word_char(text_[at_])) ++at_;
    return text_.substr(start, at_ - start);
  }

  RevisionExpression::Term term(bool negative) {
    if (++terms_ > kMaxTerms) fail("more than " + std::to_string(kMaxTerms) + " terms");
    skip_spaces();
    RevisionExpression::Term out;
    out.negative = negative;
    std::string_view first = word();
    const std::size_t after_word = at_;
    skip_spaces();
    if (!next_is('*')) {
      at_ = after_word;  // a step follows its word without a space
    } else {
      if (!parse_number(first)) fail("expected a number before '*'");
      out.weight = std::string(first);
      ++at_;
      skip_spaces();
      first = word();
    }
    if (first.empty()) fail("expected a name");
    if (first.front() == '-') fail("a name cannot start with '-'");
    if (next_is('(')) {
      out.call.push_back(call(first));
      return out;
    }
    out.atom.word = std::string(first);
    while (next_is('~') || next_is('^') || next_is('@')) out.atom.steps.push_back(step());
    return out;
  }

  RevisionAtom::Step step() {
    const char c = text_[at_++];
    if (c == '^') return {'~', 1};
    if (c == '~') return {'~', number(1)};
    if (!next_is('{')) fail("expected '{' after '@'");
    ++at_;
    const std::uint64_t n = number(std::nullopt);
    expect('}');
    return {'@', n};
  }

  std::uint64_t number(std::optional<std::uint64_t> default_value) {
    std::uint64_t value = 0;
    const char* end = text_.data() + text_.size();
    const auto result = std::from_chars(text_.data() + at_, end, value);
    if (result.ec == std::errc::invalid_argument && default_value) return *default_value;
    if (result.ec != std::errc()) fail("expected a number");
    at_ = static_cast<std::size_t>(result.ptr - text_.data());
    return value;
  }

  RevisionCall call(std::string_view name) {
    const Function* function = nullptr;
    for (const Function& row : kFunctions) {
      if (row.name == name) function = &row;
    }
    if (function == nullptr) fail("there is no function " + std::string(name) + ", only merge(METHOD: A, B) and rebase(TASK, NEWBASE),");
    if (++depth_ > kMaxDepth) fail("nested more than " + std::to_string(kMaxDepth) + " deep");
    RevisionCall out;
    out.function = std::string(name);
    ++at_;
    const std::size_t stop = text_.find_first_of(":()", at_);
    if (stop != std::string_view::npos && text_[stop] == ':') method(out);
    if (function->needs_method && out.method.empty()) fail("say how, " + std::string(function->usage) + ",");
    for (;;) {
      out.arguments.push_back(expression());
      if (!next_is(',')) break;
      ++at_;
    }
    if (out.arguments.size() < function->least || out.arguments.size() > function->most) fail("expected " + std::string(function->usage));
    expect(')');
    --depth_;
    return out;
  }

  /// "ties, density=0.2;0.3:"
  void method(RevisionCall& out) {
    skip_spaces();
    out.method = std::string(word());
    if (out.method.empty()) fail("expected a method");
    while (skip_spaces(), next_is(',')) {
      ++at_;
      skip_spaces();
      const std::string key(word());
      if (key.empty()) fail("expected a parameter's name");
      skip_spaces();
      expect('=');
      std::vector<std::string> values{value()};
      while (next_is(';')) {
        ++at_;
        values.push_back(value());
      }
      if (!out.parameters.emplace(key, std::move(values)).second) fail(key + " is given twice,");
    }
    expect(':');
  }

  /// A number, a share in percent, or a word.
  std::string value() {
    skip_spaces();
    std::string out(word());
    if (out.empty()) fail("expected a value");
    if (next_is('%')) {
      ++at_;
      out = shortest_decimal(parse_density(out + "%"));
    }
    skip_spaces();
    return out;
  }

  std::string_view text_;
  std::size_t at_ = 0, depth_ = 0, terms_ = 0;
};

std::string render(const RevisionAtom& atom, bool pinned) {
  if (pinned && !atom.commit.is_none()) return atom.commit.hex();
  std::string out = atom.word;
  for (const RevisionAtom::Step& step : atom.steps) {
    out += step.kind == '~' ? "~" + std::to_string(step.count) : "@{" + std::to_string(step.count) + "}";
  }
  return out;
}

std::string render(const RevisionExpression& expression, bool pinned);

std::string render(const RevisionCall& call, bool pinned) {
  std::string out = call.function + "(" + call.method;
  for (const auto& [key, values] : call.parameters) {
    out += "," + key + "=";
    for (std::size_t i = 0; i < values.size(); ++i) out += (i > 0 ? ";" : "") + values[i];
  }
  if (!call.method.empty()) out += ": ";
  for (std::size_t i = 0; i < call.arguments.size(); ++i) out += (i > 0 ? ", " : "") + render(call.arguments[i], pinned);
  return out + ")";
}

std::string render(const RevisionExpression::Term& term, bool pinned) {
  return term.call.empty() ? render(term.atom, pinned) : render(term.call.front(), pinned);
}

std::string render(const RevisionExpression& expression, bool pinned) {
  std::string out;
  for (const RevisionExpression::Term& term : expression.terms) {
    if (!out.empty()) out += term.negative ? " - " : "+";
    if (term.weight) out += *term.weight + "*";
    out += render(term, pinned);
  }
  return out;
}

}  // namespace

RevisionExpression parse_revision(std::string_view text) { return Parser(text).whole(); }

std::string RevisionAtom::text() const { return render(*this, false); }

bool operator==(const RevisionCall& a, const RevisionCall& b) {
  return a.function == b.function && a.method == b.method && a.parameters == b.parameters && a.arguments == b.arguments;
}

double RevisionExpression::Term::factor() const {
  const double size = weight ? *parse_number(*weight) : 1;
  return negative ? -size : size;
}

std::string RevisionExpression::Term::text() const { return render(*this, false); }

std::string RevisionExpression::text() const { return render(*this, false); }

std::string RevisionExpression::pinned() const { return render(*this, true); }

}  // namespace dstore
