#include "sign/base64.h"

#include "catch.h"
#include "sign/fixtures.h"

using namespace dstore;
using namespace dstore::test;

TEST_CASE("base64 gives the vectors of RFC 4648, section 10") {
  const std::pair<std::string, std::string> vectors[] = {{"", ""},         {"f", "Zg=="},         {"fo", "Zm8="},        {"foo", "Zm9v"},
                                                         {"foob", "Zm9vYg=="}, {"fooba", "Zm9vYmE="}, {"foobar", "Zm9vYmFy"}};
  for (const auto& [plain, encoded] : vectors) {
    CHECK(as_text(base64_encode(as_bytes(plain))) == encoded);
    CHECK(base64_decode(encoded) == to_bytes(plain));
  }
  CHECK(as_text(base64_encode(as_bytes("f"), false)) == "Zg");
}

TEST_CASE("base64 has one text for a value: everything else is refused") {
  for (const char* text : {"Zg", "Zg=", "Zg===", "Zh==", "Zm9=", "Z===", "====", "Zm9v=", "Zm 9v", "Zm9v\n", "Zg==Zm9v", "Zm-_", "Z\xc3\xa9=", "=m9v"})
    CHECK_FALSE(base64_decode(text).has_value());
}

TEST_CASE("base64 lines have 70 columns and come back whatever the size") {
  for (std::size_t size = 0; size < 300; ++size) {
    Bytes bytes = random_bytes(size, static_cast<unsigned>(size));
    Bytes file = pem_encode(bytes, "THING");
    CHECK(pem_decode(as_text(file), "THING") == bytes);
    CHECK_FALSE(pem_decode(as_text(file), "OTHER").has_value());
    std::string_view lines = as_text(file);
    for (std::size_t at = 0, end; (end = lines.find('\n', at)) != std::string_view::npos; at = end + 1) CHECK(end - at <= 70);
  }
}

TEST_CASE("a PEM text may have CRLF line ends and white space around it, and nothing else") {
  CHECK(pem_decode(" \r\n-----BEGIN X-----\r\nZm9v\r\nYmFy\r\n-----END X-----\r\n\t", "X") == to_bytes("foobar"));
  for (const char* text : {"-----BEGIN X-----Zm9v\n-----END X-----", "-----BEGIN X-----\nZm9v-----END X-----", "x-----BEGIN X-----\nZm9v\n-----END X-----",
                           "-----BEGIN X-----\nZm9v\n-----END X-----x", "-----BEGIN X-----\nZm 9v\n-----END X-----", "-----BEGIN X-----", "",
                           "-----BEGIN X----------END X-----"})
    CHECK_FALSE(pem_decode(text, "X").has_value());
}
