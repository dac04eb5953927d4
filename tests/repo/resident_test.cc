#include "dstore/resident.h"

#include "repo/sandbox.h"

namespace dstore::test {
namespace {

/// A base, two tasks of it, one with a head and one whose tensors have a prefix, and the base in memory.
struct Fixture {
  Sandbox box;
  Repository repository = box.init("repository");
  std::vector<std::string> memory;
  std::vector<TestTensor> base = encoder();

  Fixture() {
    make_model(box.dir / "base", base);
    box.import(repository, box.dir / "base", "base");
    commit("one", "", 3, true);
    commit("two", "bert.", 11, false);
    for (const TestTensor& tensor : base) memory.push_back(tensor.bytes);
    std::swap(memory[0], memory[3]);  // a program has its own order
    std::swap(base[0], base[3]);
  }

  void commit(const std::string& name, const std::string& prefix, std::size_t at, bool head) {
    std::vector<TestTensor> tensors = encoder(prefix);
    for (TestTensor& tensor : tensors) tensor.bytes[at] = static_cast<char>(tensor.bytes[at] ^ 0x80);
    if (head) tensors.push_back(tensor("score.weight", {3, 8}, 9));
    make_model(box.dir / name, tensors);
    box.commit(repository, box.dir / name, "base", name);
  }

  std::vector<ResidentTensor> tensors() {
    std::vector<ResidentTensor> out;
    for (std::size_t i = 0; i < base.size(); ++i) {
      out.push_back({{base[i].name, base[i].dtype, base[i].shape, base[i].bytes.size()}, std::as_writable_bytes(std::span(memory[i]))});
    }
    return out;
  }
  std::vector<std::string> with(std::size_t at) const {
    std::vector<std::string> out;
    for (const TestTensor& tensor : base) {
      out.push_back(tensor.bytes);
      out.back()[at] = static_cast<char>(out.back()[at] ^ 0x80);
    }
    return out;
  }
};

TEST_CASE("tasks are put on a model in memory, switched and taken off, bit for bit") {
  Fixture f;
  const std::vector<std::string> before = f.memory;
  const ResidentTask one = ResidentTask::load(f.box.dir / "repository", "one", f.tensors());
  const ResidentTask two = ResidentTask::load(f.box.dir / "repository", "two", f.tensors());
  CHECK(one.added() == std::vector<std::string>{"score.weight"});
  CHECK(two.added().empty());
  CHECK(one.changed() == f.base.size());
  CHECK(one.bytes() > 0);
  ResidentModel model(f.tensors());
  model.apply(one);
  CHECK(f.memory == f.with(3));
  CHECK(error_of([&] { model.apply(two); }) == ErrorCode::conflict);
  model.switch_to(two);
  CHECK(f.memory == f.with(11));
  CHECK(model.applied() == &two);
  model.switch_to(two);
  model.undo();
  CHECK(f.memory == before);
  CHECK(error_of([&] { model.undo(); }) == ErrorCode::conflict);
}

TEST_CASE("a model in memory that is not the base is left as it is") {
  Fixture f;
  const ResidentTask one = ResidentTask::load(f.box.dir / "repository", "one", f.tensors());
  const ResidentTask two = ResidentTask::load(f.box.dir / "repository", "two", f.tensors());
  ResidentModel model(f.tensors());
  f.memory[2][11] ^= 1;
  auto before = f.memory;
  CHECK(error_of([&] { ResidentTask::load(f.box.dir / "repository", "two", f.tensors()); }).has_value());
  CHECK(error_of([&] { model.apply(two); }) == ErrorCode::conflict);
  CHECK(f.memory == before);
  model.apply(one);
  before = f.memory;
  CHECK(error_of([&] { model.switch_to(two); }) == ErrorCode::conflict);
  CHECK(f.memory == before);
  CHECK(model.applied() == &one);
  std::vector<ResidentTensor> fewer = f.tensors();
  fewer.pop_back();
  CHECK(error_of([&] { ResidentTask::load(f.box.dir / "repository", "one", fewer); }) == ErrorCode::conflict);
  ResidentModel other(fewer);
  CHECK(error_of([&] { other.apply(one); }) == ErrorCode::conflict);
}

}  // namespace
}  // namespace dstore::test
