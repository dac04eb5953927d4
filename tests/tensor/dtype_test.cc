#include "tensor/dtype.h"

#include <set>

#include "catch.h"
#include "dstore/error.h"

using namespace dstore;

TEST_CASE("every dtype is found by its number and by its name") {
  REQUIRE(dtype_table().size() == 22);
  for (const DTypeInfo& row : dtype_table()) {
    CHECK(dtype_from_code(static_cast<std::uint8_t>(row.dtype)) == row.dtype);
    CHECK(dtype_from_name(row.name) == row.dtype);
    CHECK(dtype_info(row.dtype).name == row.name);
  }
  CHECK_FALSE(dtype_from_code(0));
  CHECK_FALSE(dtype_from_code(23));
  CHECK_FALSE(dtype_from_name(""));
  CHECK_FALSE(dtype_from_name("f32"));
  CHECK_FALSE(dtype_from_name("F32 "));
  CHECK_THROWS_AS(dtype_info(static_cast<DType>(0)), Error);
}

TEST_CASE("names and write orders are unique, and wide dtypes are written before narrow ones") {
  std::set<std::string_view> names;
  std::set<int> orders;
  for (const DTypeInfo& row : dtype_table()) {
    names.insert(row.name);
    orders.insert(row.write_order);
    for (const DTypeInfo& other : dtype_table()) {
      if (row.bits % 8 == 0 && other.bits % 8 == 0 && row.bits < other.bits) CHECK(row.write_order < other.write_order);
    }
  }
  CHECK(names.size() == 22);
  CHECK(orders.size() == 22);
  CHECK(*orders.rbegin() == 21);
}

TEST_CASE("the bytes of a tensor follow from dtype and shape") {
  const auto bytes = [](DType dtype, std::vector<std::uint64_t> shape) { return tensor_bytes(dtype, shape, "t"); };
  for (const DTypeInfo& row : dtype_table()) {
    CHECK(bytes(row.dtype, {8}) == row.bits);
    CHECK(bytes(row.dtype, {2, 3, 4}) == 3u * row.bits);
    CHECK(bytes(row.dtype, {0}) == 0);
    CHECK(bytes(row.dtype, {7, 0, 5}) == 0);
    if (row.bits % 8 == 0) CHECK(bytes(row.dtype, {}) == row.bytes());
    else CHECK_THROWS_AS(bytes(row.dtype, {}), Error);
  }
}

TEST_CASE("sizes that leave 64 bits are errors, not small numbers") {
  struct Case {
    std::vector<std::uint64_t> shape;
    bool f32_fits;
  };
  const std::uint64_t one = 1;
  const std::vector<Case> cases{
      {{(one << 31) - 1}, true},
      {{(one << 31) + 1}, true},
      {{one << 32}, true},
      {{(one << 31) - 1, (one << 31) - 1}, false},  // 2^62 elements less a few: × 32 bits is too much
      {{(one << 31) + 1, (one << 31) + 1}, false},
      {{one << 32, one << 32}, false},
      {{(one << 59) - 1}, true},
      {{one << 59}, false},
      {{(one << 63) - 1}, false},
      {{one << 63}, false},
      {{(one << 63) + 1}, false},
      {{~std::uint64_t{0}}, false},
      {{~std::uint64_t{0}, 0}, true},
      {{~std::uint64_t{0}, 2, 0}, false},  // as safetensors: from the left
      {{0, ~std::uint64_t{0}, ~std::uint64_t{0}}, true},
      {{one << 32, one << 31, 0}, true},
      {{one << 32, one << 32, 0}, false},
  };
  for (const Case& row : cases) {
    INFO("first dimension " << row.shape[0]);
    if (row.f32_fits) CHECK_NOTHROW(tensor_bytes(DType::f32, row.shape, "t"));
    else CHECK_THROWS_AS(tensor_bytes(DType::f32, row.shape, "t"), Error);
  }
}

TEST_CASE("float layouts are those of the formats' definitions") {
  CHECK(dtype_info(DType::bf16).exponent_bits == dtype_info(DType::f32).exponent_bits);
  CHECK(dtype_info(DType::f8_e4m3).specials == FloatSpecials::nan_only);
  CHECK(dtype_info(DType::f8_e5m2).specials == FloatSpecials::ieee);
  for (const DTypeInfo& row : dtype_table()) {
    if (!row.is_float()) continue;
    INFO(row.name);
    CHECK(row.sign_bits + row.exponent_bits + row.mantissa_bits == row.bits);
    const int usual_bias = (1 << (row.exponent_bits - 1)) - 1;
    CHECK(row.exponent_bias == usual_bias + (row.specials == FloatSpecials::fnuz ? 1 : 0));
  }
}
