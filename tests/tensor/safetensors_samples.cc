#include "tensor/safetensors_samples.h"

namespace dstore {
namespace {

constexpr const char* kEmpty = R"({"dtype":"U8","shape":[0],"data_offsets":[0,0]})";

std::string named(const std::string& name) { return safetensors_file("{\"" + name + "\":" + kEmpty + "}"); }
std::string entry(const std::string& text, std::size_t data_bytes = 0) { return safetensors_file("{\"a\":" + text + "}", data_bytes); }
std::string shape(const std::string& dtype, const std::string& dims, std::size_t bytes = 0) { return one_tensor(dtype, dims, bytes); }

std::string with_length(std::uint64_t length, const std::string& rest) {
  Writer writer;
  writer.u64(length);
  writer.text(rest);
  return std::string(as_text(writer.data()));
}

std::string two(const std::string& first, const std::string& second, std::size_t data_bytes) {
  return safetensors_file(R"({"a":{"dtype":"U8","shape":)" + first + R"(},"b":{"dtype":"U8","shape":)" + second + "}}", data_bytes);
}

}  // namespace

std::vector<HostileFile> hostile_files() {
  const std::string nul(1, '\0');
  const std::string deep = std::string(5000, '[') + std::string(5000, ']');
  std::string many_dims = "[1";
  for (int i = 0; i < 64; ++i) many_dims += ",1";
  many_dims += "]";
  return {
      {"empty file", "", "too short"},
      {"seven bytes", "1234567", "too short"},
      {"length zero", with_length(0, ""), "start with '{'"},
      {"length beyond the file", with_length(3, "{}"), "beyond the end"},
      {"length 2^64-1", with_length(~std::uint64_t{0}, "{}"), "above 100000000"},
      {"length 2^63", with_length(std::uint64_t{1} << 63, "{}"), "above 100000000"},
      {"length 100000001", with_length(100000001, "{}"), "above 100000000"},
      {"length 100000000 of a short file", with_length(100000000, "{}"), "beyond the end"},
      {"a pickle", std::string("\x80\x02}q") + nul + "(X\x01" + nul + nul + nul + "aq", "safetensors file"},
      {"an array", safetensors_file("[]"), "start with '{'"},
      {"a number", safetensors_file("17"), "start with '{'"},
      {"white space first", safetensors_file(" {}"), "start with '{'"},
      {"byte order mark", safetensors_file("\xef\xbb\xbf{}"), "start with '{'"},
      {"tab as padding", safetensors_file("{}\t"), "does not end"},
      {"newline as padding", safetensors_file("{}\n"), "does not end"},
      {"NUL as padding", safetensors_file("{}" + nul), "control byte"},
      {"hidden behind a NUL", safetensors_file("{}" + nul + "}"), "control byte"},
      {"two objects", safetensors_file("{}{}"), "not valid JSON"},
      {"unclosed object", safetensors_file("{"), "does not end"},
      {"unclosed inner object", safetensors_file("{\"a\":{}"), "lacks dtype"},
      {"trailing comma", safetensors_file("{\"a\":" + std::string(kEmpty) + ",}"), "not valid JSON"},
      {"comment", safetensors_file("{/**/}"), "not valid JSON"},
      {"single quotes", safetensors_file("{'a':1}"), "not valid JSON"},
      {"invalid UTF-8 name", named("\xff"), "not UTF-8"},
      {"overlong UTF-8 name", named("\xc0\x80"), "not UTF-8"},
      {"UTF-8 surrogate name", named("\xed\xa0\x80"), "not UTF-8"},
      {"escaped lone surrogate", named("\\ud800"), "not valid JSON"},
      {"escaped low surrogate first", named("\\udc00\\ud800"), "not valid JSON"},
      {"unknown escape", named("\\x41"), "not valid JSON"},
      {"raw newline in a name", named("a\nb"), "not valid JSON"},
      {"raw escape byte in a name", named("a\x1b[31m"), "control byte"},
      {"escaped NUL in a name", named("a\\u0000b"), "control characters"},
      {"escaped newline in a name", named("a\\nb"), "control characters"},
      {"DEL in a name", named("a\x7f"), "control characters"},
      {"empty name", named(""), "is empty"},
      {"name of 1025 bytes", named(std::string(1025, 'n')), "1025 bytes long"},
      {"tensor named twice", safetensors_file("{\"a\":" + std::string(kEmpty) + ",\"a\":" + kEmpty + "}"), "'a' is named twice"},
      {"tensor named twice with an escape", safetensors_file("{\"a\":" + std::string(kEmpty) + ",\"\\u0061\":" + kEmpty + "}"), "named twice"},
      {"dtype twice", entry(R"({"dtype":"U8","dtype":"U8","shape":[0],"data_offsets":[0,0]})"), "duplicate member 'dtype'"},
      {"shape twice", entry(R"({"dtype":"U8","shape":[0],"shape":[0],"data_offsets":[0,0]})"), "duplicate member 'shape'"},
      {"data_offsets twice", entry(R"({"dtype":"U8","shape":[0],"data_offsets":[0,0],"data_offsets":[0,0]})"), "duplicate member"},
      {"unknown member", entry(R"({"dtype":"U8","shape":[0],"data_offsets":[0,0],"x":1})"), "unknown member 'x'"},
      {"no dtype", entry(R"({"shape":[0],"data_offsets":[0,0]})"), "lacks dtype"},
      {"no shape", entry(R"({"dtype":"U8","data_offsets":[0,0]})"), "lacks shape"},
      {"no data_offsets", entry(R"({"dtype":"U8","shape":[0]})"), "lacks data_offsets"},
      {"unknown dtype", shape("F128", "[0]"), "dtype 'F128'"},
      {"dtype in lower case", shape("f32", "[0]"), "dtype 'f32'"},
      {"dtype with escapes", shape("\\u001b[31m", "[0]"), "dtype '\\x1b"},
      {"dtype a number", entry(R"({"dtype":1,"shape":[0],"data_offsets":[0,0]})"), "number 1 as its dtype"},
      {"dtype null", entry(R"({"dtype":null,"shape":[0],"data_offsets":[0,0]})"), "null as its dtype"},
      {"tensor as a list", entry(R"(["U8",[0],[0,0]])"), "an array where an object must stand"},
      {"tensor a string", entry("\"x\""), "a string where an object must stand"},
      {"tensor true", entry("true"), "true or false where an object must stand"},
      {"shape null", shape("U8", "null"), "null in its shape"},
      {"shape a number", shape("U8", "0"), "the number 0 in its shape"},
      {"shape of strings", shape("U8", "[\"0\"]"), "a string in its shape"},
      {"nested shape", shape("U8", "[[0]]"), "an array in its shape"},
      {"deeply nested shape", shape("U8", deep), "an array in its shape"},
      {"deeply nested tensor", entry(deep), "an array where"},
      {"negative dimension", shape("U8", "[-1]"), "number -1 in its shape"},
      {"minus zero", shape("U8", "[-0]"), "number 0 in its shape"},
      {"fractional dimension", shape("U8", "[0.0]"), "number 0.0 in its shape"},
      {"exponent", shape("U8", "[0e0]"), "number 0e0 in its shape"},
      {"leading zero", shape("U8", "[00]"), "not valid JSON"},
      {"dimension 2^63", shape("U8", "[9223372036854775808,0]"), "number 9223372036854775808"},
      {"dimension 2^64", shape("U8", "[18446744073709551616,0]"), "number 18446744073709551616"},
      {"65 dimensions", shape("U8", many_dims, 1), "more than 64 dimensions"},
      {"overflow before a zero", shape("U8", "[9223372036854775807,4,0]"), "'a'"},
      {"data_offsets of one", entry(R"({"dtype":"U8","shape":[0],"data_offsets":[0]})"), "not two numbers"},
      {"data_offsets of three", entry(R"({"dtype":"U8","shape":[0],"data_offsets":[0,0,0]})"), "number 0 in its data_offsets"},
      {"data_offsets empty", entry(R"({"dtype":"U8","shape":[0],"data_offsets":[]})"), "not two numbers"},
      {"data_offsets an object", entry(R"({"dtype":"U8","shape":[0],"data_offsets":{}})"), "an object in its data_offsets"},
      {"data_offsets negative", entry(R"({"dtype":"U8","shape":[1],"data_offsets":[-1,0]})"), "number -1 in its data_offsets"},
      {"offsets backwards", entry(R"({"dtype":"U8","shape":[0],"data_offsets":[1,0]})", 1), "run backwards"},
      {"size too small for the shape", entry(R"({"dtype":"F32","shape":[2],"data_offsets":[0,7]})", 7), "need 8 bytes"},
      {"size too large for the shape", entry(R"({"dtype":"F32","shape":[2],"data_offsets":[0,9]})", 9), "need 8 bytes"},
      {"hole at the start", entry(R"({"dtype":"U8","shape":[1],"data_offsets":[1,2]})", 2), "hole after byte 0"},
      {"hole between", two(R"([1],"data_offsets":[0,1])", R"([1],"data_offsets":[2,3])", 3), "hole after byte 1"},
      {"overlap", two(R"([2],"data_offsets":[0,2])", R"([2],"data_offsets":[1,3])", 3), "overlap"},
      {"the same range twice", two(R"([2],"data_offsets":[0,2])", R"([2],"data_offsets":[0,2])", 2), "overlap"},
      {"empty tensor beyond the end", entry(R"({"dtype":"U8","shape":[0],"data_offsets":[5,5]})"), "hole after byte 0"},
      {"bytes after the last tensor", entry(R"({"dtype":"U8","shape":[1],"data_offsets":[0,1]})", 2), "need 1 bytes of data, but the file has 2"},
      {"data cut off", entry(R"({"dtype":"U8","shape":[4],"data_offsets":[0,4]})", 3), "truncated?"},
      {"data without tensors", safetensors_file("{}", 1), "need 0 bytes"},
      {"F4 that ends in half a byte", shape("F4", "[3]", 2), "do not fill whole bytes"},
      {"F6 that ends within a byte", shape("F6_E3M2", "[3]", 3), "do not fill whole bytes"},
      {"metadata null", safetensors_file(R"({"__metadata__":null})"), "null where an object must stand"},
      {"metadata a list", safetensors_file(R"({"__metadata__":[]})"), "an array where an object must stand"},
      {"metadata of numbers", safetensors_file(R"({"__metadata__":{"a":1}})"), "number 1 where a string must stand"},
      {"metadata of objects", safetensors_file(R"({"__metadata__":{"a":{}}})"), "an object where a string must stand"},
      {"metadata of lists", safetensors_file(R"({"__metadata__":{"a":[]}})"), "an array where a string must stand"},
      {"metadata key twice", safetensors_file(R"({"__metadata__":{"a":"1","a":"2"}})"), "the key 'a' twice"},
      {"metadata twice", safetensors_file(R"({"__metadata__":{},"__metadata__":{}})"), "duplicate __metadata__"},
  };
}

std::vector<HostileFile> odd_but_valid_files() {
  return {
      {"no tensors", safetensors_file("{}"), ""},
      {"empty metadata", safetensors_file(R"({"__metadata__":{}})"), ""},
      {"metadata last, with escapes", safetensors_file("{\"a\":" + std::string(kEmpty) + R"(,"__metadata__":{"k\n":"\u0000\"\ud83d\ude00"}})"), ""},
      {"unaligned header", safetensors_file("{}   "), ""},
      {"much padding", safetensors_file("{}" + std::string(4096, ' ')), ""},
      {"white space inside", safetensors_file("{ \"a\" :\n{\t\"shape\":[ 0 ],\r\"dtype\":\"U8\" , \"data_offsets\":[0,0]} }"), ""},
      {"name of 1024 bytes", named(std::string(1024, 'n')), ""},
      {"name in Greek", named("\xce\xb8"), ""},
      {"name that looks like a path", named("../../etc/passwd"), ""},
      {"tensors out of order", two(R"([1],"data_offsets":[1,2])", R"([1],"data_offsets":[0,1])", 2), ""},
      {"empty tensor between", two(R"([0],"data_offsets":[0,0])", R"([1],"data_offsets":[0,1])", 1), ""},
      {"zero before a huge dimension", shape("U64", "[0,9223372036854775807,9223372036854775807]"), ""},
      {"64 dimensions", shape("U8", "[1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,"
                                    "1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1]", 1), ""},
  };
}

}  // namespace dstore
