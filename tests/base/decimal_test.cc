#include "base/decimal.h"

#include <cmath>

#include "catch.h"
#include "dstore/error.h"

using namespace dstore;

TEST_CASE("a number is printed as the shortest decimal that reads back") {
  CHECK(shortest_decimal(0.7512) == "0.7512");
  CHECK(shortest_decimal(1.0) == "1");
  CHECK(shortest_decimal(0.1 + 0.2) == "0.30000000000000004");
  CHECK(shortest_decimal(std::nan("")) == "nan");
}

TEST_CASE("densities are shares or percentages") {
  CHECK(parse_density("0.5%") == 0.005);
  CHECK(parse_density("0.005") == 0.005);
  CHECK(parse_density("100%") == 1);
  CHECK(parse_density("0.7%") == 0.007);
  CHECK(parse_density("0.07%") == 0.0007);
  CHECK(parse_density("5e-1%") == 0.005);
  for (const char* bad : {"", "%", "0", "-1%", "101%", "half", "0.5 %", "nan", "nan%", "1e%", "e5%", "1e99999999999%"}) CHECK_THROWS_AS(parse_density(bad), Error);
}

TEST_CASE("densities written in decimal give exact counts") {
  CHECK(density_count(0.007, 1000000000) == 7000000);
  CHECK(density_count(0.07, 90000000000) == 6300000000);
  CHECK(density_count(0.005, 22713216) == 113566);
  CHECK(density_count(0.29, 100) == 29);
  CHECK(density_count(1, 7) == 7);
  CHECK(density_count(0.1, 30) == 3);
}
