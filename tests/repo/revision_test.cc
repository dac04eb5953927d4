#include "repo/revision.h"

#include "repo/sandbox.h"

namespace dstore::test {
namespace {

using Term = RevisionExpression::Term;
using Step = RevisionAtom::Step;

TEST_CASE("revisions are parsed as spec/revisions.md says") {
  const auto name = [](std::string word, std::vector<Step> steps = {}) { return Term{false, std::nullopt, {std::move(word), std::move(steps)}}; };
  const std::vector<std::pair<std::string, std::vector<Term>>> table = {
      {"base", {name("base")}},
      {"sst2~2^", {name("sst2", {{'~', 2}, {'~', 1}})}},
      {"sst2~", {name("sst2", {{'~', 1}})}},
      {"a~0", {name("a", {{'~', 0}})}},
      {"base@{1}~", {name("base", {{'@', 1}, {'~', 1}})}},
      {" base + noun-topic ", {name("base"), name("noun-topic")}},
      {"base+noun-topic", {name("base"), name("noun-topic")}},
      {"base~+a", {name("base", {{'~', 1}}), name("a")}},
      {"origin/Task.v1_2", {name("origin/Task.v1_2")}},
      {"base + 0.7*a - b", {name("base"), {false, "0.7", {"a", {}}}, {true, std::nullopt, {"b", {}}}}},
      {"base+-1*toxic", {name("base"), {false, "-1", {"toxic", {}}}}},
      {"base + .5 * a", {name("base"), {false, ".5", {"a", {}}}}},
      {"base - 2e-3*a^", {name("base"), {true, "2e-3", {"a", {{'~', 1}}}}}},
      {"a-b", {name("a-b")}},
      {"1234", {name("1234")}},
      {"a~18446744073709551615", {name("a", {{'~', 18446744073709551615u}})}},
  };
  for (const auto& [text, terms] : table) {
    INFO(text);
    CHECK(parse_revision(text).terms == terms);
  }
}

TEST_CASE("calls are parsed with their method, parameters and arguments") {
  const RevisionExpression expression = parse_revision("base+0.5*merge( ties , density = 0.2;20% ,seed=7 : a~1, 0.3*b - c )");
  REQUIRE(expression.terms.size() == 2);
  CHECK(expression.terms[1].factor() == 0.5);
  REQUIRE(expression.terms[1].call.size() == 1);
  const RevisionCall& call = expression.terms[1].call.front();
  CHECK(call.function == "merge");
  CHECK(call.method == "ties");
  CHECK(call.parameters == decltype(call.parameters){{"density", {"0.2", "0.2"}}, {"seed", {"7"}}});
  REQUIRE(call.arguments.size() == 2);
  CHECK(call.arguments[0] == parse_revision("a~1"));
  CHECK(call.arguments[1] == parse_revision("0.3*b - c"));
  CHECK(expression.pinned() == "base+0.5*merge(ties,density=0.2;0.2,seed=7: a~1, 0.3*b - c)");
  CHECK(parse_revision("rebase(merge(linear: a), b)").terms.front().call.front().arguments.size() == 2);
}

TEST_CASE("what was parsed and written again is parsed to the same") {
  for (const char* text : {"base", "a~3^@{1}", "base + .5 * a - 2e-3*b^", "merge(linear: a, b)", "rebase(add: a, b)+c", "x - merge(dare_ties,density=0.1;0.2,seed=3: a, 0.5*rebase(b, c))"}) {
    INFO(text);
    const RevisionExpression parsed = parse_revision(text);
    CHECK(parse_revision(parsed.pinned()) == parsed);
  }
}

TEST_CASE("long and deep revisions are refused") {
  std::string deep = "a", wide = "a";
  for (int i = 0; i < 8; ++i) deep = "rebase(" + deep + ",b)";
  CHECK_NOTHROW(parse_revision(deep));
  CHECK(message_of([&] { parse_revision("rebase(" + deep + ",b)"); }).find("deep") != std::string::npos);
  for (int i = 1; i < 64; ++i) wide += "+a";
  CHECK_NOTHROW(parse_revision(wide));
  CHECK(message_of([&] { parse_revision(wide + "+a"); }).find("64 terms") != std::string::npos);
  CHECK(message_of([] { parse_revision(std::string(20000, 'a')); }).find("16384 bytes") != std::string::npos);
}

TEST_CASE("what is no revision is refused with the place") {
  for (const char* text : {"", " ", "-base", "base+", "+base", "a b", "a -b", "a- b", "a - ", "a ~1", "a@1", "a@", "a@{", "a@{}", "a@{1", "a@{-1}", "a~ 1", "a~-1", "x*a", "inf*a",
                           "nan*a", "infinity*a", "1e999*a", "1.2.3*a", "*a", "2*", "2*3*a", "a:b", "a,b", "a(b)", "a\\b", "a\tb", "\xc3\xa9", "a\nb", "a~18446744073709551616", "a++b", "merge(", "merge()", "merge(a)", "merge(a,b)", "merge(:a)", "merge(ties:)", "merge(ties:a",
                           "merge(ties:a,)", "merge(ties,:a)", "merge(ties,k:a)", "merge(ties,k=:a)", "merge(ties,k=1,k=2:a)", "merge(ties,k=1;:a)", "merge(ties:a)b", "merge (ties:a)", "sum(a,b)",
                           "rebase(a)", "rebase(a,b,c)", "rebase(a b)", "merge(ties:a)~1", "a)", "a,", "(a)", "merge(ties: a:b)"}) {
    INFO(text);
    CHECK(error_of([&] { parse_revision(text); }) == ErrorCode::invalid_argument);
  }
  CHECK(message_of([] { parse_revision("ab +"); }).find("character 5") != std::string::npos);
  CHECK(error_of([] { parse_revision(std::string_view("a\0b", 3)); }) == ErrorCode::invalid_argument);
}

TEST_CASE("words mean branches, tags, remote refs and ids, and an ambiguous one lists its readings") {
  Sandbox box;
  Repository repository = box.init("r");
  make_model(box.dir / "one", encoder("", 1));
  make_model(box.dir / "two", encoder("", 9));
  const ObjectId first = box.import(repository, box.dir / "one", "base");
  const ObjectId second = box.import(repository, box.dir / "two", "base");
  CHECK(resolve_commit(repository, "base") == second);
  CHECK(resolve_commit(repository, "base~1") == first);
  CHECK(resolve_commit(repository, "base^") == first);
  CHECK(resolve_commit(repository, "base@{1}") == first);
  CHECK(resolve_commit(repository, "base@{0}") == second);
  CHECK(resolve_commit(repository, first.hex()) == first);
  CHECK(resolve_commit(repository, first.hex().substr(0, 12)) == first);
  CHECK(resolve_revision(repository, "base").branch == RefName::parse("base"));
  CHECK_FALSE(resolve_revision(repository, "base~1").branch.has_value());
  CHECK_FALSE(resolve_revision(repository, first.hex()).branch.has_value());
  CHECK(error_of([&] { resolve_commit(repository, "base~2"); }) == ErrorCode::not_found);
  CHECK(error_of([&] { resolve_commit(repository, "base@{2}"); }) == ErrorCode::not_found);
  CHECK(error_of([&] { resolve_commit(repository, first.hex() + "@{0}"); }) == ErrorCode::invalid_argument);
  CHECK(error_of([&] { resolve_commit(repository, "base~1@{0}"); }) == ErrorCode::invalid_argument);
  CHECK(message_of([&] { resolve_commit(repository, "bace"); }).find("did you mean base") != std::string::npos);
  CHECK(error_of([&] { resolve_commit(repository, "base+base"); }) == ErrorCode::invalid_argument);
  CHECK(error_of([&] { resolve_commit(repository, "base+0.5*base"); }) == ErrorCode::invalid_argument);
  CHECK(message_of([&] { resolve_commit(repository, "base - base"); }).find("dstore merge 'base - base' --name NAME") != std::string::npos);
  // Words become ids; the rest stays as it was typed.
  const Revision computed = resolve_revision(repository, "base~1+0.5*base - merge(ties,density=20%: base@{1}, 2*base)");
  CHECK_FALSE(computed.branch.has_value());
  const std::string one = first.hex(), two = second.hex();
  CHECK(computed.computed->pinned() == one + "+0.5*" + two + " - merge(ties,density=0.2: " + one + ", 2*" + two + ")");
  CHECK(resolve_revision(repository, computed.computed->pinned()).computed->pinned() == computed.computed->pinned());
  // A task at weight 1 is the commit itself.
  CHECK_FALSE(resolve_revision(repository, "base+1.0*base").computed.has_value());
  CHECK_FALSE(resolve_revision(repository, "base - -1*base").computed.has_value());

  const std::string prefix = first.hex().substr(0, 8);
  CHECK(move_ref(repository.refs(), repository.config().repository, RefName::parse(prefix), RefKind::branch, {}, second, box.committer()));
  const std::string message = message_of([&] { resolve_commit(repository, prefix); });
  CHECK(message.find("ambiguous") != std::string::npos);
  CHECK(message.find("branch " + prefix) != std::string::npos);
  CHECK(message.find(first.hex().substr(0, 16)) != std::string::npos);
  // One commit under two readings is no ambiguity.
  const std::string own = second.hex().substr(0, 8);
  CHECK(move_ref(repository.refs(), repository.config().repository, RefName::parse(own), RefKind::tag, {}, second, box.committer()));
  CHECK(resolve_commit(repository, own) == second);
}

}  // namespace
}  // namespace dstore::test
