#include "catch.h"
#include "dstore/error.h"
#include "merge/merge_method.h"

using namespace dstore;

namespace {

MergeSettings settings(const char* method, const MergeSettings::Given& given, std::size_t models = 2) {
  const MergeMethod& row = find_merge_method(method);
  return MergeSettings(row.name, row.parameters, given, models, 0);
}

std::string refusal(const char* method, const MergeSettings::Given& given) {
  try {
    settings(method, given);
  } catch (const Error& error) {
    CHECK(error.code() == ErrorCode::invalid_argument);
    return error.what();
  }
  return "accepted";
}

}  // namespace

TEST_CASE("Parameters have defaults, one value for all models or one for each") {
  const MergeSettings plain = settings("ties", {});
  CHECK(plain.number("weight", 1) == 1);
  CHECK(plain.flag("normalize"));
  const MergeSettings given = settings("ties", {{"weight", {"0.5", "-2"}}, {"density", {"0.25"}}, {"normalize", {"false"}}});
  CHECK(given.number("weight", 0) == 0.5);
  CHECK(given.number("weight", 1) == -2);
  CHECK(given.number("density", 0) == 0.25);
  CHECK(given.number("density", 1) == 0.25);
  CHECK_FALSE(given.flag("normalize"));
  CHECK(given.texts().at("weight") == "0.5,-2");
}

TEST_CASE("Wrong parameters are refused with what would be right") {
  CHECK(refusal("ties", {{"densty", {"1"}}}).find("did you mean density?") != std::string::npos);
  CHECK(refusal("linear", {{"density", {"0.5"}}}).find("has no parameter \"density\"") != std::string::npos);
  CHECK(refusal("ties", {{"density", {"1.5"}}}).find("out of range (0 to 1)") != std::string::npos);
  CHECK(refusal("ties", {{"density", {"-0.1"}}}).find("out of range") != std::string::npos);
  CHECK(refusal("ties", {{"weight", {"1", "2", "3"}}}).find("3 values for 2 models") != std::string::npos);
  CHECK(refusal("ties", {{"normalize", {"maybe"}}}).find("is none of true, false") != std::string::npos);
  for (const char* text : {"nan", "inf", "", "1x", "1e999", "--1"}) {
    CHECK(refusal("ties", {{"weight", {text}}}).find("is no finite number") != std::string::npos);
  }
  CHECK_THROWS_AS(find_merge_method("tise"), Error);
}

TEST_CASE("Every method's parameters are in the table and its defaults are legal") {
  for (const MergeMethod* method : merge_methods()) {
    MergeSettings::Given defaults;
    for (const auto& [name, value] : method->parameters) defaults[std::string(name)] = {std::string(value)};
    CHECK_NOTHROW(MergeSettings(method->name, method->parameters, defaults, method->least_models, 0));
    CHECK(method->least_models <= method->most_models);
  }
}
