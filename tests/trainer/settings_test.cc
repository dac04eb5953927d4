#include "trainer/methods/settings.h"

#include "catch.h"
#include "dstore/error.h"
#include "tests/trainer/message_of.h"
#include "trainer/methods/method.h"

using namespace dstore;

TEST_CASE("single settings win over a preset, wherever it stands") {
  const MethodRow& row = find_method("diff-pruning");
  const Settings settings(row.hyperparameters, row.presets, {"lambda=5", "preset=paper"});
  CHECK(settings.number("lambda", 0, 10) == 5);
  CHECK(settings.number("alpha_init", 0, 10) == 5);
  CHECK(settings.number("gate_lr", 0, 10) == 0.1);
}

TEST_CASE("a setting may be a list of numbers") {
  const MethodRow& row = find_method("diff-pruning");
  const auto numbers = [&](const std::string& value) { return Settings(row.hyperparameters, row.presets, {"lambda=" + value}).numbers("lambda", 0, 1); };
  CHECK(numbers("0.5") == std::vector<double>{0.5});
  CHECK(numbers("0.5,0,1e-3") == std::vector<double>{0.5, 0, 1e-3});
  for (const char* bad : {"", ",", "0.5,", "0.5,,1", "0.5;1", "0.5, 1", "2", "nan", "0.5,-1"}) {
    INFO(bad);
    CHECK_THROWS_AS(numbers(bad), Error);
  }
}

TEST_CASE("unknown settings, presets, methods and values are refused with what is known") {
  const MethodRow& row = find_method("diff-pruning");
  const auto make = [&](const std::string& assignment) { return Settings(row.hyperparameters, row.presets, {assignment}); };
  CHECK(test::message_of([&] { (void)make("lamda=1"); }).find("lambda") != std::string::npos);
  CHECK(test::message_of([&] { (void)make("lamda=1"); }).find("did you mean lambda?") != std::string::npos);
  CHECK(test::message_of([&] { (void)make("preset=big"); }).find("paper") != std::string::npos);
  CHECK(test::message_of([&] { (void)make("preset=papr"); }).find("did you mean paper?") != std::string::npos);
  CHECK(test::message_of([&] { (void)make("lambda=2").number("lambda", 0, 1); }) == "--set: lambda: \"2\" is not a number from 0 to 1");
  CHECK(test::message_of([&] { (void)find_method("diff-prunin"); }).find("did you mean diff-pruning?") != std::string::npos);
  CHECK_THROWS_AS(make("lambda"), Error);
  CHECK_THROWS_AS(make("lambda=1x").number("lambda", 0, 1), Error);
  CHECK(test::message_of([&] { (void)make("structure=rows").word("structure", {"none", "matrix"}); }).find("matrix") != std::string::npos);
  CHECK(test::message_of([&] { (void)find_method("diffpruning"); }).find("diff-pruning") != std::string::npos);
}
