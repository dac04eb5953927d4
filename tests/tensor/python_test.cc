// Against the safetensors package itself: DSTORE_PYTHON names a Python that has it.
#include <cstdlib>
#include <random>
#include <sstream>

#include "catch.h"
#include "dstore/error.h"
#include "tensor/dtype.h"
#include "tensor/safetensors.h"
#include "tensor/safetensors_samples.h"
#include "tensor/temporary_folder.h"

using namespace dstore;

namespace {

// The standard output of the script; nullopt (and a message) where Python or the package is missing.
std::optional<std::string> run_python(const std::string& mode, const TemporaryFolder& input, const TemporaryFolder& output) {
  const char* python = std::getenv("DSTORE_PYTHON");
  if (python == nullptr || std::system((std::string("'") + python + "' -c 'from safetensors import TensorSpec' 2>/dev/null").c_str()) != 0) {
    WARN("skipped: DSTORE_PYTHON does not name a Python with safetensors 0.8");
    return std::nullopt;
  }
  const std::string command = std::string("'") + python + "' '" + DSTORE_TENSOR_TESTS + "/safetensors_python.py' " + mode + " '" +
                              input.path() + "' > '" + output.path("out") + "'";
  REQUIRE(std::system(command.c_str()) == 0);
  return read_whole(output.path("out"));
}

bool accepts(const std::string& file) {
  try {
    parse_safetensors_header(as_bytes(file), file.size(), "x");
    return true;
  } catch (const Error&) {
    return false;
  }
}

// Deterministic damage to a header that keeps the length field true, so that the JSON is what is tested.
std::vector<std::string> mutated_headers() {
  const std::vector<std::string> seeds{
      R"({"__metadata__":{"format":"pt"},"w":{"dtype":"F32","shape":[2,3],"data_offsets":[0,24]},"n":{"dtype":"I8","shape":[],"data_offsets":[24,25]}})",
      R"({"a":{"dtype":"F4","shape":[2,13],"data_offsets":[0,13]},"b":{"dtype":"U8","shape":[0],"data_offsets":[13,13]},"c":{"dtype":"F16","shape":[6],"data_offsets":[13,25]}})",
      R"({"a":{"shape":[25],"data_offsets":[0,25],"dtype":"BOOL"}}    )",
  };
  const std::vector<std::string> pieces{"0", "1", "2", "24", "25", "-", "-0", ".0", "e1", "00", "9223372036854775807", "18446744073709551615",
                                        "18446744073709551616", "\"", "\\", "\\u0000", "\\ud800", "{", "}", "[", "]", ",", ":", " ", "\t", "\n",
                                        "null", "true", "\"a\":", "\"dtype\":\"U8\",", "F64", "U16", "\xff", "\xce\xb8", "\x7f", "\x01", "[]", "{}", "\"\""};
  std::mt19937 random(20240);
  std::vector<std::string> files;
  for (int i = 0; i < 4000; ++i) {
    std::string json = seeds[random() % seeds.size()];
    for (unsigned edits = 1 + random() % 2; edits > 0; --edits) {
      const std::size_t at = random() % json.size();
      const std::size_t length = random() % 3 == 0 ? random() % 12 : random() % 2;
      json.replace(at, std::min(length, json.size() - at), random() % 5 == 0 ? "" : pieces[random() % pieces.size()]);
      if (json.empty()) json = "{";
    }
    files.push_back(safetensors_file(json, 25));
  }
  return files;
}

// The same for whole files: also their length field and the bytes behind the header change.
std::vector<std::string> mutated_files() {
  std::mt19937 random(20241);
  std::vector<std::string> files;
  for (const std::string& header : mutated_headers()) {
    std::string file = header;
    const std::size_t at = random() % 2 == 0 ? random() % 8 : random() % file.size();
    if (random() % 4 == 0) file.resize(random() % (file.size() + 8), ' ');
    else file[at] = static_cast<char>(random() % 3 == 0 ? random() : static_cast<unsigned char>(file[at]) + random() % 9 - 4);
    files.push_back(std::move(file));
  }
  return files;
}

}  // namespace

TEST_CASE("what is accepted here is accepted by the safetensors package") {
  std::vector<std::string> files = mutated_headers();
  for (std::string& file : mutated_files()) files.push_back(std::move(file));
  for (const HostileFile& sample : hostile_files()) files.push_back(sample.bytes);
  for (const HostileFile& sample : odd_but_valid_files()) files.push_back(sample.bytes);
  for (const DTypeInfo& row : dtype_table()) files.push_back(one_tensor(std::string(row.name), "[8]", row.bits));
  TemporaryFolder folder, output;
  for (std::size_t i = 0; i < files.size(); ++i) folder.write(std::to_string(i), files[i]);
  const auto out = run_python("verdicts", folder, output);
  if (!out) return;
  std::istringstream lines(*out);
  std::size_t both = 0;
  for (const std::string& file : files) {
    std::string verdict;
    REQUIRE(std::getline(lines, verdict));
    if (!accepts(file)) continue;
    INFO(file.substr(8));
    CHECK(verdict == "ok");
    ++both;
  }
  CHECK(both > 50);
}

TEST_CASE("headers are written as the safetensors package writes them") {
  std::mt19937 random(7);
  std::vector<std::vector<TensorInfo>> models{{}};
  for (int i = 0; i < 40; ++i) {
    std::vector<TensorInfo> tensors;
    for (std::size_t t = 0; t < 1 + random() % 30; ++t) {
      const DTypeInfo& row = dtype_table()[random() % dtype_table().size()];
      if (row.bits < 8) continue;  // the package has no Python names for the F6 types and renames the shape of F4
      std::vector<std::uint64_t> shape(random() % 4);
      for (auto& dimension : shape) dimension = random() % 6;
      const std::string name = "layer." + std::to_string(random() % 50) + (t % 3 == 0 ? ".\"q\"\\ \xce\xb8/\xf0\x9f\x98\x80" : ".weight");
      const auto same = [&](const TensorInfo& info) { return info.name == name; };
      if (std::ranges::none_of(tensors, same)) tensors.push_back({name, row.dtype, shape, tensor_bytes(row.dtype, shape, name)});
    }
    models.push_back(tensors);
  }
  TemporaryFolder folder, output;
  std::string list;
  for (std::size_t i = 0; i < models.size(); ++i) {
    list += std::to_string(i) + (i % 2 ? "\tformat\tpt\"\x01" : "\t\t");
    for (const TensorInfo& info : models[i]) {
      list += "\t" + info.name + "=" + std::string(dtype_info(info.dtype).name) + ":" + std::to_string(info.bytes) + ":";
      for (const std::uint64_t dimension : info.shape) list += std::to_string(dimension) + ",";
    }
    list += "\n";
  }
  folder.write("list", list);
  if (!run_python("save", folder, output)) return;
  for (std::size_t i = 0; i < models.size(); ++i) {
    std::map<std::string, std::string> metadata;
    if (i % 2) metadata["format"] = "pt\"\x01";
    const std::string file = read_whole(folder.path(std::to_string(i)));
    const std::string ours(as_text(write_safetensors_header(models[i], metadata).header));
    CHECK(file.substr(0, ours.size()) == ours);
    CHECK(parse_safetensors_header(as_bytes(file), file.size(), "x").entries.size() == models[i].size());
  }
}
