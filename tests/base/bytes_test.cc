#include "base/bytes.h"

#include "base/scratch.h"
#include "catch.h"

namespace dstore::test {
namespace {

TEST_CASE("what a writer writes a reader reads, little-endian") {
  Writer writer;
  writer.u8(0x01);
  writer.u16(0x0203);
  writer.u32(0x04050607);
  writer.u64(0x08090a0b0c0d0e0f);
  writer.text("xy");
  CHECK(as_text(writer.data()) == std::string_view("\x01\x03\x02\x07\x06\x05\x04\x0f\x0e\x0d\x0c\x0b\x0a\x09\x08xy"));
  Reader reader(writer.data(), "test");
  CHECK(reader.u8() == 0x01);
  CHECK(reader.u16() == 0x0203);
  CHECK(reader.u32() == 0x04050607);
  CHECK(reader.u64() == 0x08090a0b0c0d0e0f);
  CHECK(reader.text(2) == "xy");
  reader.expect_end();
}

TEST_CASE("a reader never goes past the end, whatever is asked") {
  const Bytes bytes(7);
  const auto fails = [&](auto&& read) { return error_of([&] { Reader reader(bytes, "thing"); read(reader); }) == ErrorCode::corrupt; };
  CHECK(fails([](Reader& r) { r.u64(); }));
  CHECK(fails([](Reader& r) { r.id(); }));
  CHECK(fails([](Reader& r) { r.bytes(8); }));
  CHECK(fails([](Reader& r) { r.bytes(~std::uint64_t{0}); }));
  CHECK(fails([](Reader& r) { r.u32(); r.u32(); }));
  CHECK(fails([](Reader& r) { r.bytes(6); r.u16(); }));
  CHECK(fails([](Reader& r) { r.expect_end(); }));
  CHECK(message_of([&] { Reader reader(bytes, "thing"); reader.bytes(3); reader.u64(); }).find("thing") == 0);
  Reader reader(bytes, "thing");
  CHECK(reader.bytes(7).size() == 7);
  CHECK(reader.remaining() == 0);
  CHECK(reader.bytes(0).empty());
}

TEST_CASE("sizes that leave 64 bits are errors") {
  const std::uint64_t top = ~std::uint64_t{0};
  CHECK(checked_add(top, 0, "x") == top);
  CHECK(checked_mul(top, 1, "x") == top);
  CHECK(error_of([&] { checked_add(top, 1, "x"); }) == ErrorCode::corrupt);
  CHECK(error_of([&] { checked_mul(top, 2, "x"); }) == ErrorCode::corrupt);
}

TEST_CASE("UTF-8 is strict") {
  for (const char* good : {"", "a", "\xc2\x80", "\xdf\xbf", "\xe0\xa0\x80", "\xed\x9f\xbf", "\xee\x80\x80", "\xf0\x90\x80\x80", "\xf4\x8f\xbf\xbf"}) CHECK(is_utf8(good));
  for (const char* bad : {"\x80", "\xc0\x80", "\xc1\xbf", "\xc2", "\xc2\x41", "\xe0\x9f\xbf", "\xed\xa0\x80", "\xed\xbf\xbf", "\xe2\x82", "\xf0\x8f\xbf\xbf",
                          "\xf4\x90\x80\x80", "\xf5\x80\x80\x80", "\xff", "\xfe", "a\xbf"}) {
    CHECK_FALSE(is_utf8(bad));
  }
}

TEST_CASE("what goes to a terminal cannot steer it") {
  CHECK(printable("plain \xc3\xa9 text") == "plain \xc3\xa9 text");
  CHECK(printable("\x1b[2J\n\x7f") == "\\x1b[2J\\x0a\\x7f");
  CHECK(printable("\xc2\x9b") == "\\xc2\\x9b");
  CHECK(printable("\xe2\x80\xae" "abc\xe2\x81\xa6") == "\\xe2\\x80\\xaeabc\\xe2\\x81\\xa6");
  CHECK(printable("\xff\xc3") == "\\xff\\xc3");
}

}  // namespace
}  // namespace dstore::test
