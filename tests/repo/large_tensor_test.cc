// Tensors of more than 2^32 elements, in little memory: zeros but for a few elements.
#include <sys/resource.h>

#include "object/chunked.h"
#include "repo/sandbox.h"

namespace dstore::test {
namespace {

constexpr std::uint64_t kElements = std::uint64_t{1} << 33;
constexpr std::uint64_t kPlaces[] = {0, 5, (std::uint64_t{1} << 32) - 1, std::uint64_t{1} << 32, (std::uint64_t{1} << 32) + 77, kElements - 1};

/// Tensors of bytes: the one called "bert.big" has a 7 at each of kPlaces, all else is 0.
class HugeSource : public TensorSource {
 public:
  explicit HugeSource(std::vector<std::pair<std::string, std::uint64_t>> sizes) {
    for (auto& [name, elements] : sizes) infos_.push_back({name, DType::u8, {elements}, elements});
  }
  const std::vector<TensorInfo>& tensors() const override { return infos_; }
  void read(std::size_t index, std::uint64_t offset, std::span<std::byte> out) const override {
    std::fill(out.begin(), out.end(), std::byte{0});
    if (infos_[index].name != "bert.big") return;
    for (const std::uint64_t place : kPlaces) {
      if (place >= offset && place - offset < out.size()) out[place - offset] = std::byte{7};
    }
  }

 private:
  std::vector<TensorInfo> infos_;
};

/// A stored tensor of zeros: its chunks are all the same object.
ObjectId store_zeros(PackSession& session, std::uint64_t elements) {
  TensorObject tensor{DType::u8, {elements}, elements, {}};
  const Bytes zeros(kChunkBytes);
  const ObjectId chunk = session.add(ObjectKind::chunk, zeros);
  tensor.chunks.assign(elements / kChunkBytes, chunk);
  if (elements % kChunkBytes != 0) tensor.chunks.push_back(session.add(ObjectKind::chunk, ByteSpan(zeros).first(elements % kChunkBytes)));
  return session.add(ObjectKind::tensor, tensor.serialize());
}

long peak_megabytes() {
  rusage usage;
  getrusage(RUSAGE_SELF, &usage);
  return usage.ru_maxrss >> 10;
}

TEST_CASE("tensors of more than 2^32 elements are changed, renamed, added, grown and removed") {
  Sandbox box;
  Repository repository = box.init("repository");
  const ObjectStore& store = repository.store();
  constexpr std::uint64_t kFour = (std::uint64_t{1} << 32) + 3;
  PackSession session = repository.store().begin_write();
  WeightsTable table;
  table.rows = {{"big", store_zeros(session, kElements)}, {"gone", store_zeros(session, kElements)}, {"rows", store_zeros(session, kFour)}};
  const ObjectId weights = session.add(ObjectKind::weights, table.serialize());
  session.commit();

  const auto base = StoredWeights::load(store, weights);
  const HugeSource task({{"bert.big", kElements}, {"new", kFour}, {"rows", kFour + 9}});
  PackSession writing = repository.store().begin_write();
  const std::vector<Pairing> pairs = {{"bert.big", base->find("big"), 0}, {"new", std::nullopt, 1}, {"rows", base->find("rows"), 2}};
  const WrittenDelta written = write_delta(writing, *base, task, pairs, 0, {});
  writing.commit();
  CHECK(written.changed == std::size(kPlaces));
  CHECK(written.segment_bytes < 2000);
  std::map<DeltaOp, int> ops;
  for (const DeltaTable::Change& change : written.table.changes) ++ops[change.op];
  CHECK(ops == std::map<DeltaOp, int>{{DeltaOp::add, 1}, {DeltaOp::modify, 1}, {DeltaOp::convert, 1}, {DeltaOp::remove, 1}});

  const auto result = StoredWeights::load(store, DeltaTable::parse(store.read(ObjectKind::delta, written.id), "delta"));
  REQUIRE(result->tensors() == task.tensors());
  for (const std::uint64_t place : kPlaces) {
    const std::uint64_t first = place - std::min<std::uint64_t>(place, 10);
    Bytes got(std::min<std::uint64_t>(20, kElements - first)), expected(got.size());
    result->read(0, first, got);
    task.read(0, first, expected);
    CHECK(got == expected);
  }
  Bytes tail(12, std::byte{1});
  result->read(*result->find("rows"), kFour - 3, tail);
  CHECK(tail == Bytes(12));
  CHECK(peak_megabytes() < 2000);
}

}  // namespace
}  // namespace dstore::test
