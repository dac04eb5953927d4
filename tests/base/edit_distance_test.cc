#include "base/edit_distance.h"

#include "catch.h"

namespace dstore {

TEST_CASE("a mistyped word finds its neighbour and nothing far off") {
  const std::vector<std::string> names = {"base", "sst2", "noun-topic"};
  CHECK(nearest("bsae", names) == "base");  // a swap of neighbours is one change
  CHECK(nearest("sabe", names) == std::nullopt);
  CHECK(nearest("bas", names) == "base");
  CHECK(nearest("sst3", names) == "sst2");
  CHECK(nearest("noun-topci", names) == "noun-topic");
  CHECK(nearest("nouns_topic", names) == "noun-topic");
  CHECK(nearest("zebra", names) == std::nullopt);
  CHECK(nearest("", names) == std::nullopt);
  CHECK(nearest("base", {}) == std::nullopt);
}

}  // namespace dstore
