#include "delta/element.h"

#include <string>

#include "dstore/error.h"

namespace dstore {
namespace {

constexpr UnitType kUnits[] = {
    {DType::boolean, 1, 0, 0},     {DType::u8, 1, 0, 0},          {DType::i8, 1, 0, 0},
    {DType::u16, 2, 0, 0},         {DType::i16, 2, 0, 0},         {DType::u32, 4, 0, 0},
    {DType::i32, 4, 0, 0},         {DType::u64, 8, 0, 0},         {DType::i64, 8, 0, 0},
    {DType::f16, 2, 5, 10},        {DType::bf16, 2, 8, 7},        {DType::f32, 4, 8, 23},
    {DType::f64, 8, 11, 52},       {DType::c64, 4, 8, 23},        {DType::f8_e4m3, 1, 0, 0},
    {DType::f8_e5m2, 1, 0, 0},     {DType::f8_e8m0, 1, 0, 0},     {DType::f8_e4m3fnuz, 1, 0, 0},
    {DType::f8_e5m2fnuz, 1, 0, 0}, {DType::f6_e2m3, 1, 0, 0},     {DType::f6_e3m2, 1, 0, 0},
    {DType::f4, 1, 0, 0},
};

}  // namespace

const UnitType* find_unit_type(DType dtype) {
  for (const UnitType& unit : kUnits) {
    if (unit.dtype == dtype) return &unit;
  }
  return nullptr;
}

const UnitType& unit_type(DType dtype) {
  if (const UnitType* unit = find_unit_type(dtype)) return *unit;
  throw Error(ErrorCode::unsupported,
              "dtype code " + std::to_string(static_cast<unsigned>(dtype)) + " is not known to this build; use a newer dstore");
}

}  // namespace dstore
