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

TEST_CASE("what is no revision is refused with the place") {
  for (const char* text : {"", " ", "-base", "base+", "+base", "a b", "a -b", "a- b", "a - ", "a ~1", "a@1", "a@", "a@{", "a@{}", "a@{1", "a@{-1}", "a~ 1", "a~-1", "x*a", "inf*a",
                           "nan*a", "infinity*a", "1e999*a", "1.2.3*a", "*a", "2*", "2*3*a", "a:b", "a,b", "a(b)", "a\\b", "a\tb", "\xc3\xa9", "a\nb", "a~18446744073709551616", "a++b"}) {
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
  CHECK(error_of([&] { resolve_revision(repository, "base+0.5*base"); }) == ErrorCode::unsupported);
  CHECK(error_of([&] { resolve_revision(repository, "base - base"); }) == ErrorCode::unsupported);
  CHECK(error_of([&] { resolve_revision(repository, "base+base+base"); }) == ErrorCode::unsupported);

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
