// Tensors that a delta makes from those of the base: grown, cut, cast, changed by factors.
#include <bit>
#include <cmath>

#include "object/chunked.h"
#include "repo/delta_store.h"
#include "repo/shard_stream.h"

namespace dstore::test {
namespace {

struct Store : DeltaStore {
  /// The delta, after every way to read its result gave the task back.
  WrittenDelta round_trip(const MemorySource& base, const MemorySource& task, const std::map<std::string, LowRankFactors>& low_rank = {}) {
    const auto weights = StoredWeights::load(repository.store(), add_weights(base));
    WrittenDelta first;
    for (const unsigned threads : {1u, 3u}) {
      PackSession session = repository.store().begin_write();
      WrittenDelta written = write_delta(session, *weights, task, align(*weights, task, {}).pairs, threads, {}, low_rank);
      session.commit();
      if (threads > 1) {
        CHECK(written.id == first.id);
      }
      first = std::move(written);
    }
    check_result(first, task);
    return first;
  }

  void check_result(const WrittenDelta& written, const MemorySource& task) {
    const DeltaTable table = DeltaTable::parse(repository.store().read(ObjectKind::delta, written.id), "delta");
    const auto result = StoredWeights::load(repository.store(), table);
    REQUIRE(result->tensors().size() == task.tensors().size());
    std::mt19937 engine(1);
    for (std::size_t i = 0; i < task.tensors().size(); ++i) {
      const TensorInfo& info = task.tensors()[i];
      INFO(info.name);
      CHECK(result->tensors()[i] == info);
      std::string whole(info.bytes, '\0');
      result->read(i, 0, std::as_writable_bytes(std::span(whole)));
      CHECK(whole == task.bytes(info.name));
      for (int n = 0; n < 8 && info.bytes > 0; ++n) {
        const std::uint64_t offset = engine() % info.bytes;
        std::string part(std::min<std::uint64_t>(info.bytes - offset, 1 + engine() % 70000), '\0');
        result->read(i, offset, std::as_writable_bytes(std::span(part)));
        if (part != whole.substr(offset, part.size())) FAIL("bytes from " << offset);
      }
    }
  }

  const DeltaTable::Change& only(const WrittenDelta& written) {
    REQUIRE(written.table.changes.size() == 1);
    return written.table.changes.front();
  }
};

TEST_CASE("appended and cut rows are stored as differences, in every dtype") {
  Store s;
  for (const DTypeInfo& dtype : dtype_table()) {
    INFO(dtype.name);
    const TestTensor old = tensor("e", {3000, 16}, 5, dtype.dtype);
    TestTensor grown = old, cut = old;
    grown.shape = {3004, 16};
    grown.bytes += tensor("", {4, 16}, 6, dtype.dtype).bytes;
    grown.bytes[100] ^= 1;
    cut.shape = {2990, 16};
    cut.bytes.resize(tensor_bytes(dtype.dtype, cut.shape, ""));
    for (const TestTensor& task : {grown, cut}) {
      const WrittenDelta written = s.round_trip(MemorySource({old}), MemorySource({task}));
      const auto& change = s.only(written);
      CHECK(change.op == DeltaOp::convert);
      CHECK(change.convert->dtype == dtype.dtype);
      CHECK(change.convert->rows == task.shape.front());
      CHECK((change.pieces == 0) == (task.shape.front() < 3000));
      CHECK(written.added_bytes == 0);
    }
  }
}

TEST_CASE("rows grow and shrink across pieces and chunks") {
  Store s;
  const TestTensor old = tensor("e", {5 << 20}, 1, DType::f32);  // 20 MiB
  TestTensor more = old, less = old;
  more.shape = {(9 << 20) + 3};
  more.bytes.resize(4 * more.shape[0], '\0');  // a whole piece of zero rows has no piece
  more.bytes[more.bytes.size() - 2] = 7;
  less.shape = {(4 << 20) + 1};
  less.bytes.resize(4 * less.shape[0]);
  CHECK(s.only(s.round_trip(MemorySource({old}), MemorySource({more}))).pieces == 1);
  CHECK(s.only(s.round_trip(MemorySource({old}), MemorySource({less}))).pieces == 0);
}

TEST_CASE("every cast between float dtypes is stored as a difference from the converted base") {
  Store s;
  for (const DType from : {DType::f64, DType::f32, DType::f16, DType::bf16}) {
    for (const DType to : {DType::f64, DType::f32, DType::f16, DType::bf16}) {
      if (from == to) continue;
      INFO(dtype_info(from).name << " to " << dtype_info(to).name);
      TestTensor old = floats("w", {300, 40}, 3, from);
      for (std::size_t i = 0; i < 300; ++i) old.bytes[i * 7] = static_cast<char>(i * 89);  // infinities, NaN, subnormals
      for (std::size_t i = 1000; i < 1400; ++i) old.bytes[i] = static_cast<char>(i % 2 ? 0x7f : 0xff);
      TestTensor task = cast(old, to);
      CHECK(s.only(s.round_trip(MemorySource({old}), MemorySource({task}))).pieces == 0);
      task.bytes[40] ^= 1;
      const auto changed = s.round_trip(MemorySource({old}), MemorySource({task}));
      CHECK(s.only(changed).pieces == 1);
      CHECK(changed.changed == 1);
      task = with_rows(task, 310, 9);
      CHECK(s.only(s.round_trip(MemorySource({old}), MemorySource({task}))).op == DeltaOp::convert);
    }
  }
}

TEST_CASE("what a conversion does not save is stored whole") {
  Store s;
  const TestTensor old = floats("w", {64, 64}, 1);
  TestTensor other = old;
  other.shape = {64, 65};  // not the first dimension
  other.bytes = floats("", other.shape, 2).bytes;
  CHECK(s.only(s.round_trip(MemorySource({old}), MemorySource({other}))).op == DeltaOp::add);
  other.shape = {4096};  // another rank
  other.bytes = old.bytes;
  CHECK(s.only(s.round_trip(MemorySource({old}), MemorySource({other}))).op == DeltaOp::add);
  other = tensor("w", {64, 64}, 1, DType::i32);  // no float
  CHECK(s.only(s.round_trip(MemorySource({old}), MemorySource({other}))).op == DeltaOp::add);
  other = {"w", DType::f32, {65, 64}, std::string(65 * 64 * 4, '\0')};  // LZ4 makes nothing of it
  CHECK(s.only(s.round_trip(MemorySource({old}), MemorySource({other}))).op == DeltaOp::add);
  CHECK(s.only(s.round_trip(MemorySource({tensor("w", {0, 4}, 1)}), MemorySource({tensor("w", {3, 4}, 1)}))).op != DeltaOp::modify);
}

/// The page's order of operations, one float at a time.
std::string low_rank_by_hand(const TestTensor& base, const TestTensor& b, const TestTensor& a, float scale) {
  const auto wide = [](const TestTensor& t) {
    std::vector<float> out(element_count(t.shape, ""));
    convert_floats(t.dtype, as_bytes(t.bytes), DType::f32, std::as_writable_bytes(std::span(out)));
    return out;
  };
  const std::vector<float> old = wide(base), left = wide(b), right = wide(a);
  const std::size_t rank = a.shape[0], columns = a.shape[1];
  std::vector<float> values(old.size());
  for (std::size_t at = 0; at < old.size(); ++at) {
    volatile float sum = 0;
    for (std::size_t k = 0; k < rank; ++k) {
      volatile float product = left[at / columns * rank + k] * right[k * columns + at % columns];
      sum = sum + product;
    }
    volatile float change = scale * sum;
    values[at] = old[at] + change;
  }
  std::string out(base.bytes.size(), '\0');
  convert_floats(DType::f32, std::as_bytes(std::span(values)), base.dtype, std::as_writable_bytes(std::span(out)));
  return out;
}

TEST_CASE("low-rank factors give the bits that the page says, in every dtype and for odd shapes") {
  Store s;
  struct Row {
    std::vector<std::uint64_t> shape;
    std::uint64_t rank;
    DType dtype, factor_dtype;
    bool pays;  ///< the factors take less than the difference
  };
  const Row rows[] = {{{70, 130}, 3, DType::f32, DType::f32, true},       {{200, 64}, 8, DType::bf16, DType::f32, true},
                      {{128, 4, 3, 3}, 5, DType::f16, DType::bf16, true}, {{1, 5000}, 1, DType::f32, DType::f16, true},
                      {{6000, 1}, 2, DType::f32, DType::f32, false},      {{3, (1 << 20) + 70}, 2, DType::bf16, DType::bf16, false},
                      {{2100, 2200}, 2, DType::f32, DType::f32, true}};
  for (const Row& row : rows) {
    INFO(row.shape.front() << " rows, rank " << row.rank);
    const TestTensor old = floats("w", row.shape, 1, row.dtype);
    const std::uint64_t columns = element_count(row.shape, "") / row.shape[0];
    const TestTensor b = floats("b", {row.shape[0], row.rank}, 2, row.factor_dtype), a = floats("a", {row.rank, columns}, 3, row.factor_dtype);
    TestTensor task = old;
    task.bytes = low_rank_by_hand(old, b, a, 0.75f);
    const MemorySource factors({a, b});
    const std::map<std::string, LowRankFactors> given{{"w", {&factors, 1, 0, 0.75f}}};
    const WrittenDelta exact = s.round_trip(MemorySource({old}), MemorySource({task}), given);
    // Any range of elements, as it is read.
    const std::uint64_t unit = dtype_info(row.dtype).bytes(), last = old.bytes.size() / unit;
    for (const auto& [begin, end] : std::vector<std::pair<std::uint64_t, std::uint64_t>>{{0, last}, {last / 3, last}, {columns / 2, columns / 2 + 1}}) {
      std::string part = old.bytes.substr(begin * unit, (end - begin) * unit);
      const TensorInfo info{"w", row.dtype, row.shape, old.bytes.size()};
      add_low_rank(info, {&factors, 1, 0, 0.75f}, begin * unit, std::as_writable_bytes(std::span(part)));
      CHECK((part == task.bytes.substr(begin * unit, part.size())));
    }
    CHECK((s.only(exact).op == DeltaOp::low_rank) == row.pays);
    if (!row.pays) continue;
    CHECK(s.only(exact).pieces == 0);
    CHECK(exact.segment_bytes == 0);
    CHECK(s.only(exact).low_rank->scale == 0.75f);
    task.bytes[5] ^= 1;
    task.bytes[task.bytes.size() - 1] ^= 1;
    const WrittenDelta patched = s.round_trip(MemorySource({old}), MemorySource({task}), given);
    CHECK(s.only(patched).op == DeltaOp::low_rank);
    CHECK(patched.changed == 2);
  }
}

TEST_CASE("the page's example of low-rank factors") {
  const auto hex = [](std::string_view digits) {
    std::string out;
    for (std::size_t i = 0; i < digits.size(); i += 2) out += static_cast<char>(std::stoi(std::string(digits.substr(i, 2)), nullptr, 16));
    return out;
  };
  const MemorySource factors({{"a", DType::f32, {2, 2}, hex("abaaaa3e000040400ad7a33b00401cc6")},
                              {"b", DType::f32, {2, 2}, hex("cdcccc3dcdcc4c3e9a99993e333333bf")}});
  const LowRankFactors given{&factors, 1, 0, 0.3f};
  std::string f32 = hex("0000c03f000010c06f12833a0000c842"), bf16 = hex("c03f10c0833ac842");
  add_low_rank({"w", DType::f32, {2, 2}, 16}, given, 0, std::as_writable_bytes(std::span(f32)));
  add_low_rank({"w", DType::bf16, {2, 2}, 8}, given, 0, std::as_writable_bytes(std::span(bf16)));
  CHECK(f32 == hex("8351c13f3e8a16c4b659f53c52840945"));
  CHECK(bf16 == hex("c13f17c4f53c0a45"));
}

TEST_CASE("factors that explain nothing are not stored, those that do not fit are refused") {
  Store s;
  const TestTensor old = floats("w", {64, 64}, 1);
  TestTensor task = old;
  task.bytes[9] ^= 1;
  const MemorySource factors({floats("a", {4, 64}, 2), floats("b", {64, 4}, 3), floats("c", {4, 63}, 3), tensor("d", {4, 64}, 3, DType::i32)});
  const auto write = [&](LowRankFactors f, const TestTensor& result = {}) {
    return error_of([&] { s.round_trip(MemorySource({old}), MemorySource({result.name.empty() ? task : result}), {{"w", f}}); });
  };
  CHECK(s.only(s.round_trip(MemorySource({old}), MemorySource({task}), {{"w", {&factors, 1, 0, 1.0f}}})).op == DeltaOp::modify);
  CHECK(write({&factors, 1, 0, 1.0f}) == std::nullopt);
  CHECK(write({&factors, 0, 1, 1.0f}) == ErrorCode::invalid_argument);
  CHECK(write({&factors, 1, 2, 1.0f}) == ErrorCode::invalid_argument);
  CHECK(write({&factors, 1, 3, 1.0f}) == ErrorCode::invalid_argument);
  CHECK(write({&factors, 1, 0, std::numeric_limits<float>::infinity()}) == ErrorCode::invalid_argument);
  CHECK(write({&factors, 1, 0, 1.0f}, floats("w", {65, 64}, 1)) == ErrorCode::invalid_argument);

  TestTensor infinite = floats("b", {64, 4}, 3);
  std::memcpy(infinite.bytes.data(), "\0\0\x80\x7f\0\0\x80\xff", 8);  // infinity - infinity in some columns of the first row
  const MemorySource bad({floats("a", {4, 64}, 2), infinite});
  CHECK(write({&bad, 1, 0, 1.0f}) == ErrorCode::invalid_argument);
}

TEST_CASE("hostile conversions and factors are refused when the weights are loaded") {
  Store s;
  const TestTensor old = floats("w", {20, 8}, 1), count = tensor("n", {}, 2);
  const MemorySource base({old, count, tensor("i", {4}, 1, DType::i32)});
  const ObjectId weights = s.add_weights(base);
  PackSession session = s.repository.store().begin_write();
  const MemorySource stored({floats("b", {20, 2}, 2), floats("a", {2, 8}, 3), floats("x", {3, 8}, 3), floats("z", {0, 8}, 3)});
  std::map<std::string, ObjectId> ids;
  for (std::size_t i = 0; i < stored.tensors().size(); ++i) ids[stored.tensors()[i].name] = write_tensor(session, stored, i);
  session.commit();

  const auto load = [&](DeltaTable::Change change) {
    change.tensor = ids["a"];
    DeltaTable table;
    table.base_weights = table.result_weights = weights;
    table.changes = {std::move(change)};
    const DeltaTable parsed = DeltaTable::parse(table.serialize(), "delta");
    return message_of([&] { StoredWeights::load(s.repository.store(), parsed); });
  };
  const auto convert = [&](std::string name, DType dtype, std::uint64_t rows) {
    DeltaTable::Change change;
    change.op = DeltaOp::convert;
    change.name = std::move(name);
    change.convert = DeltaTable::Convert{dtype, rows};
    return load(change);
  };
  const auto factors = [&](const std::string& b, const std::string& a, const std::string& name = "w") {
    DeltaTable::Change change;
    change.op = DeltaOp::low_rank;
    change.name = name;
    change.low_rank = DeltaTable::LowRank{ids[b], ids[a], 1};
    return load(change);
  };
  // As far as one gets without the right ids.
  const auto is_fine = [](const std::string& message) { return message.find("the tensors found make the weights") != std::string::npos; };
  CHECK(is_fine(convert("w", DType::f32, 21)));
  CHECK(is_fine(convert("w", DType::bf16, 20)));
  CHECK(is_fine(convert("n", DType::f16, 1)));
  CHECK(is_fine(factors("b", "a")));
  CHECK_FALSE(is_fine(convert("w", DType::f32, 20)));  // changes nothing
  CHECK_FALSE(is_fine(convert("w", DType::i32, 20)));
  CHECK_FALSE(is_fine(convert("i", DType::f32, 4)));
  CHECK_FALSE(is_fine(convert("n", DType::f16, 2)));
  CHECK_FALSE(is_fine(convert("w", DType::f32, std::uint64_t{1} << 62)));  // beyond 64 bits
  CHECK_FALSE(is_fine(factors("a", "b")));
  CHECK_FALSE(is_fine(factors("b", "x")));
  CHECK_FALSE(is_fine(factors("b", "z")));
  CHECK_FALSE(is_fine(factors("b", "a", "i")));
}

TEST_CASE("a folder with a grown vocabulary and a cast layer comes back byte for byte, alone and as base+task") {
  Sandbox box;
  Repository repository = box.init("repository");
  const std::vector<TestTensor> base = {floats("embed", {300, 16}, 1), floats("layer.weight", {64, 64}, 2), floats("norm", {16}, 3)};
  make_model(box.dir / "base", base);
  const std::vector<TestTensor> task = {with_rows(base[0], 308, 7), cast(base[1], DType::bf16), base[2]};
  make_model(box.dir / "task", task);
  box.import(repository, box.dir / "base", "base");
  const CommitReport report = box.commit(repository, box.dir / "task", "base", "task");
  CHECK(std::count_if(report.delta.table.changes.begin(), report.delta.table.changes.end(), [](const auto& c) { return c.op == DeltaOp::convert; }) == 2);
  box.check_out(repository, "task", box.dir / "out");
  CHECK(files_of(box.dir / "out") == files_of(box.dir / "task"));
  box.check_out(repository, "base+task", box.dir / "sum");
  const CheckpointFolder sum(box.fs, box.dir / "sum");
  CHECK(sum.tensors().tensors() == MemorySource(task).tensors());
  const auto find = [&](const std::string& name) { return as_text(sum.tensors().view(*sum.tensors().find(name))); };
  for (const TestTensor& t : task) CHECK(find(t.name) == t.bytes);
}

}  // namespace
}  // namespace dstore::test
