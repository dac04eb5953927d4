// The digests of a task's files, from pieces that come in the order of the files, whatever the order of the pairs.
#include "repo/shard_hashes.h"

#include <algorithm>
#include <random>

#include "catch.h"
#include "repo/shard_stream.h"

using namespace dstore;

namespace {

class BytesSource : public TensorSource {
 public:
  void add(const std::string& name, std::size_t size) {
    infos_.push_back({name, DType::u8, {size}, size});
    Bytes& bytes = bytes_.emplace_back(size);
    for (std::byte& each : bytes) each = static_cast<std::byte>(random_() & 0xff);
  }
  const std::vector<TensorInfo>& tensors() const override { return infos_; }
  void read(std::size_t index, std::uint64_t offset, std::span<std::byte> out) const override {
    std::copy_n(bytes_[index].begin() + static_cast<std::ptrdiff_t>(offset), out.size(), out.begin());
  }

 private:
  std::mt19937 random_{1};
  std::vector<TensorInfo> infos_;
  std::vector<Bytes> bytes_;
};

/// A file with those tensors; its header's text does not matter.
SafetensorsHeader header_of(const TensorSource& source, const std::vector<std::size_t>& tensors) {
  SafetensorsHeader header;
  header.raw = Bytes(16, std::byte{7});
  std::uint64_t at = 0;
  for (const std::size_t tensor : tensors) {
    const TensorInfo& info = source.tensors()[tensor];
    header.entries.push_back({info, at, at + info.bytes});
    at += info.bytes;
  }
  return header;
}

}  // namespace

TEST_CASE("Digests are those of the files: tensors in any order, over any files, some of them not shown") {
  BytesSource source;
  std::vector<Pairing> pairs;
  const std::size_t sizes[] = {1000, 0, (16u << 20) + 5, 1, 70000, 3};
  for (std::size_t t = 0; t < std::size(sizes); ++t) {
    source.add("t" + std::to_string(t), sizes[t]);
    pairs.push_back({"t" + std::to_string(t), t, t});
  }
  std::mt19937 random(5);
  for (int round = 0; round < 40; ++round) {
    std::vector<std::vector<std::size_t>> files(1 + random() % 3);
    std::vector<std::size_t> order{0, 1, 2, 3, 4, 5};
    if (round % 2 != 0) std::shuffle(order.begin(), order.end(), random);
    for (const std::size_t tensor : order) files[random() % files.size()].push_back(tensor);
    std::vector<ShardFile> shards;
    for (const auto& file : files) shards.push_back({"shard", header_of(source, file), {}});
    const unsigned hidden = round < 4 ? 0 : random() % 64;
    INFO("round " << round << " hidden " << hidden);
    ShardHashes hashes(source, shards, pairs);
    const std::vector<std::size_t> wanted = hashes.order();
    CHECK(std::is_permutation(wanted.begin(), wanted.end(), order.begin(), order.end()));
    for (const std::size_t p : wanted) {
      if ((hidden >> p & 1) != 0) continue;
      for (std::uint64_t at = 0; at < sizes[p]; at += kPieceBytes) {
        Bytes piece(std::min<std::uint64_t>(kPieceBytes, sizes[p] - at));
        source.read(p, at, piece);
        hashes.take(p, at, piece);
      }
    }
    const std::vector<ObjectId> digests = hashes.finish();
    REQUIRE(digests.size() == files.size());
    for (std::size_t i = 0; i < files.size(); ++i) CHECK(digests[i] == hash_shard(source, shards[i].header, 1));
  }
}
