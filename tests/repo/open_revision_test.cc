#include "repo/open_revision.h"

#include <cmath>

#include "delta/stats.h"
#include "repo/bit_models.h"
#include "repo/commit_computed.h"
#include "repo/merge.h"

namespace dstore::test {
namespace {

struct Fixture {
  Sandbox box;
  Repository repository = box.init("r");
  std::vector<TestTensor> base = wild_model(1), a = changed_model(base, 3, 40), b = changed_model(base, 4, 80);
  Fixture() {
    make_model(box.dir / "base", base);
    box.import(repository, box.dir / "base", "base");
    add("a", a);
    add("b", b);
  }
  void add(const std::string& name, const std::vector<TestTensor>& tensors, const std::string& config = "{\"a\": 1}\n") {
    make_model(box.dir / name, tensors, config);
    box.commit(repository, box.dir / name, "base", name);
  }
  OpenRevision open(const std::string& revision) { return open_revision(repository, resolve_revision(repository, revision)); }
  std::string tensor_of(const std::string& revision, const std::string& name) { return read_tensor(open(revision).files.source(), name); }
};

/// spec/merging.md, "Sums", in the machine's own arithmetic.
template <class Wide>
Wide plain_sum(Wide base, const std::vector<Wide>& values, const std::vector<Wide>& weights) {
  Wide sum = 0;
  for (std::size_t i = 0; i < values.size(); ++i) {
    const Wide difference = values[i] - base;
    const Wide product = weights[i] * difference;
    sum = sum + product;
  }
  return sum == 0 ? base : base + sum;
}

/// The sum of one unit, and whether it is to be compared by bits (else it is a NaN).
std::string expected_unit(DType dtype, const std::string& base, const std::vector<std::string>& models, const std::vector<double>& weights) {
  std::size_t changing = 0, last = 0;
  for (std::size_t i = 0; i < models.size(); ++i) {
    if (models[i] == base) continue;
    ++changing;
    last = i;
  }
  if (changing == 0) return base;
  if (changing == 1 && weights[last] == 1) return models[last];
  const auto number = [&](const std::string& bytes) {
    std::vector<double> out(1);
    read_doubles(dtype, as_bytes(bytes), out);
    return out[0];
  };
  double result = 0;
  const auto sum = [&]<class Wide>(Wide) {
    std::vector<Wide> values, factors;
    for (std::size_t i = 0; i < models.size(); ++i) {
      values.push_back(static_cast<Wide>(number(models[i])));
      factors.push_back(static_cast<Wide>(weights[i]));
    }
    return static_cast<double>(plain_sum<Wide>(static_cast<Wide>(number(base)), values, factors));
  };
  result = dtype == DType::f64 ? sum(double{}) : sum(float{});
  if (result == number(base)) return base;
  std::string out(base.size(), '\0');
  write_doubles(dtype, std::span(&result, 1), std::as_writable_bytes(std::span(out)));
  return std::isnan(result) ? std::string("nan") : out;
}

void check_sum(const std::string& result, const TestTensor& base, const std::vector<TestTensor>& models, const std::vector<double>& weights) {
  const std::size_t unit = unit_type(base.dtype).bytes;
  std::size_t wrong = 0;
  for (std::size_t at = 0; at < result.size(); at += unit) {
    std::vector<std::string> units;
    for (const TestTensor& model : models) units.push_back(model.bytes.substr(at, unit));
    const std::string want = expected_unit(base.dtype, base.bytes.substr(at, unit), units, weights), have = result.substr(at, unit);
    if (want != "nan") {
      wrong += have != want;
      continue;
    }
    double value = 0;
    read_doubles(base.dtype, as_bytes(have), std::span(&value, 1));
    wrong += !std::isnan(value);
  }
  INFO(base.name);
  CHECK(wrong == 0);
}

TEST_CASE("sums are calculated as spec/merging.md says, in every float dtype") {
  Fixture f;
  const std::vector<std::pair<std::string, std::vector<double>>> table = {
      {"base+0.7*a+0.3*b", {0.7, 0.3}}, {"base+a+b", {1, 1}}, {"base+a - b", {1, -1}}, {"base+-1*a+2*b", {-1, 2}}, {"base - 0.5*a - 1e-3*b", {-0.5, -1e-3}}, {"base+0*a+b", {0, 1}}};
  for (const auto& [text, weights] : table) {
    INFO(text);
    const OpenRevision opened = f.open(text);
    for (std::size_t t = 0; t < 5; ++t) check_sum(read_tensor(opened.files.source(), f.base[t].name), f.base[t], {f.a[t], f.b[t]}, weights);
  }
}

TEST_CASE("a single task at weight 1 has its exact bits, and disjoint tasks add up exactly in any order") {
  Fixture f;
  for (const TestTensor& t : f.a) {
    CHECK(f.tensor_of("base+a", t.name) == t.bytes);
    CHECK(f.tensor_of("base+1.0*a", t.name) == t.bytes);
    CHECK(f.tensor_of("base+a+0*a", t.name).size() == t.bytes.size());
  }
  std::vector<TestTensor> even = f.base, odd = f.base;
  for (std::size_t t = 0; t < 5; ++t) {
    const std::size_t unit = unit_type(f.base[t].dtype).bytes;
    for (std::size_t at = 0; at < f.a[t].bytes.size(); at += unit) std::copy_n(f.a[t].bytes.begin() + static_cast<std::ptrdiff_t>(at), unit, (at / unit % 2 == 0 ? even : odd)[t].bytes.begin() + static_cast<std::ptrdiff_t>(at));
  }
  f.add("even", even);
  f.add("odd", odd);
  for (const TestTensor& t : f.a) {
    CHECK(f.tensor_of("base+even+odd", t.name) == t.bytes);
    CHECK(f.tensor_of("base+odd+even", t.name) == t.bytes);
  }
}

TEST_CASE("a sum tells how many weights several terms change, however it is read") {
  Fixture f;
  std::uint64_t changed = 0, shared = 0;
  for (std::size_t t = 0; t < 5; ++t) {
    const std::size_t unit = unit_type(f.base[t].dtype).bytes;
    for (std::size_t at = 0; at < f.a[t].bytes.size(); at += unit) {
      const bool by_a = f.a[t].bytes.compare(at, unit, f.base[t].bytes, at, unit) != 0, by_b = f.b[t].bytes.compare(at, unit, f.base[t].bytes, at, unit) != 0;
      changed += by_a || by_b;
      shared += by_a && by_b;
    }
  }
  const CheckoutReport report = f.box.check_out(f.repository, "base+0.5*a+b", f.box.dir / "out");
  REQUIRE(report.overlap.has_value());
  CHECK(report.overlap->changed == changed);
  CHECK(report.overlap->shared == shared);
  const OpenRevision opened = f.open("base+0.5*a+b");
  const TensorSource& source = opened.files.source();
  for (std::size_t i = 0; i < source.tensors().size(); ++i) {
    const std::string whole = read_tensor(source, source.tensors()[i].name);
    for (const std::size_t step : {std::size_t{1}, std::size_t{7}, std::size_t{1000}}) {
      std::string parts(whole.size(), '\0');
      for (std::size_t at = 0; at < parts.size(); at += step) {
        source.read(i, at, std::as_writable_bytes(std::span(parts).subspan(at, std::min(step, parts.size() - at))));
      }
      CHECK(parts == whole);
    }
  }
  CHECK(opened.sum->overlap().changed == changed);
}

TEST_CASE("a sum has the files of the task with tensors of its own, on the base's shards") {
  Fixture f;
  std::vector<TestTensor> c = changed_model(f.base, 5, 7);
  c.push_back(tensor("head", {2, 8}, 70));
  f.add("c", c, "{\"labels\": 2}\n");
  f.add("d", c, "{\"labels\": 3}\n");
  f.box.check_out(f.repository, "base+0.5*a+0.5*c", f.box.dir / "out");
  const auto files = files_of(f.box.dir / "out"), alone = [&] {
    f.box.check_out(f.repository, "base+c", f.box.dir / "alone");
    return files_of(f.box.dir / "alone");
  }();
  CHECK(files.at("config.json") == "{\"labels\": 2}\n");
  CHECK(files.size() == alone.size());
  CHECK(files.at("model.safetensors.index.json") == alone.at("model.safetensors.index.json"));
  CHECK(files.at("model-00002-of-00002.safetensors") == alone.at("model-00002-of-00002.safetensors"));
  CHECK(message_of([&] { f.open("base+c+d"); }).find("head") != std::string::npos);
  CHECK(error_of([&] { f.open("base+c+d"); }) == ErrorCode::conflict);
  // What is subtracted brings nothing.
  const OpenRevision without = f.open("base+a - c");
  CHECK_FALSE(without.files.source().find("head").has_value());
  CHECK_FALSE(f.open("base - c").files.source().find("head").has_value());
}

TEST_CASE("tensors without arithmetic are taken from the term that changes them") {
  Fixture f;
  const auto with_ids = [&](const std::string& name, unsigned seed) {
    std::vector<TestTensor> tensors = f.a;
    tensors.back() = tensor("ids", {6}, seed, DType::i64);
    f.add(name, tensors);
    return tensors.back().bytes;
  };
  const std::string ids = with_ids("c", 500);
  with_ids("c2", 500);
  with_ids("d", 501);
  CHECK(f.tensor_of("base+a+0.5*c", "ids") == ids);
  CHECK(f.tensor_of("base+c2+0.5*c", "ids") == ids);
  CHECK(f.tensor_of("base+a - c", "ids") == f.base.back().bytes);
  CHECK(error_of([&] { f.open("base+c+d"); }) == ErrorCode::conflict);
  CHECK(message_of([&] { f.open("base+c+d"); }).find("ids (I64") != std::string::npos);
}

TEST_CASE("what is no sum is refused in words") {
  Fixture f;
  make_model(f.box.dir / "other", wild_model(9));
  f.box.import(f.repository, f.box.dir / "other", "other");
  f.box.commit(f.repository, f.box.dir / "a", "other", "on-other");
  std::vector<TestTensor> wide = f.a;
  wide[2] = wild("w.F32", {301, 8}, 5, DType::f32);
  f.add("wide", wide);
  const std::vector<std::pair<std::string, std::string>> table = {
      {"0.5*a", "base"}, {"2*base+a", "the base has no weight"}, {"a+0.5*b", "starts with a base"}, {"base+0.5*base", "no difference"}, {"base+a+on-other", "rebase(on-other, BASE)"},
      {"base+a+wide", "w.F32"}, {"merge(tise: a, b)", "did you mean ties"}, {"merge(ties,densty=1: a, b)", "did you mean density"}, {"merge(ties,weight=1;2: 2*a, b)", "given twice"},
      {"merge(linear: a, -1*b)", "sum to 0"}, {"merge(slerp: a, b, a)", "exactly 2"}, {"merge(ties: a, on-other)", "same base"}, {"merge(ties: 2*base+a, b)", "the base has no weight"}, {"merge(ties: base+0.5*a, on-other)", "same base"},
      {"merge(ties,heads=3: a, b)", "heads"}, {"merge(ties,seed=x: a, b)", "seed"}, {"merge(ties: base)", "no task"}, {"rebase(fale: a, other)", "keep-task"}, {"rebase(a, b)", "no base"},
      {"rebase(base, other)", "no task"}, {"rebase(add,x=1: a, other)", "no parameter"}};
  for (const auto& [text, words] : table) {
    INFO(text);
    const std::string message = message_of([&, t = text] { f.open(t); });
    INFO(message);
    CHECK(message.find(words) != std::string::npos);
  }
}

TEST_CASE("merge(...) is what dstore merge commits, and a computed revision can be committed as it is") {
  Fixture f;
  const MergeMethod& method = find_merge_method("ties");
  const MergeSettings settings(method.name, method.parameters, {{"density", {"0.5"}}, {"weight", {"0.6", "0.4"}}}, 2, 3);
  MergeOptions options;
  options.method = &method;
  options.settings = &settings;
  options.message = "merged";
  const auto source = [&](const char* name) { return MergeSource{resolve_commit(f.repository, name), name}; };
  merge(f.repository, {source("a"), source("b")}, options, RefName::parse("merged"), f.box.committer(), {});
  f.box.check_out(f.repository, "merged", f.box.dir / "committed");
  f.box.check_out(f.repository, "merge(ties,density=50%,seed=3: 0.6*a, 0.4*b)", f.box.dir / "computed");
  CHECK(files_of(f.box.dir / "committed") == files_of(f.box.dir / "computed"));

  const std::string text = "base+0.5*merge(ties,density=0.5,seed=3: 0.6*a, 0.4*b)+0.25*b";
  const ComputedReport report = commit_computed(f.repository, resolve_revision(f.repository, text), "kept", RefName::parse("kept"), f.box.committer(), {});
  const Commit commit = f.repository.read_commit(report.commit);
  CHECK(commit.parents == std::vector<ObjectId>{resolve_commit(f.repository, "a"), resolve_commit(f.repository, "b")});
  CHECK(commit.base == resolve_commit(f.repository, "base"));
  CHECK(resolve_revision(f.repository, commit.fact("expression")).computed.has_value());
  f.box.check_out(f.repository, text, f.box.dir / "x");
  f.box.check_out(f.repository, "kept", f.box.dir / "y");
  f.box.check_out(f.repository, "base+kept", f.box.dir / "z");
  CHECK(files_of(f.box.dir / "x") == files_of(f.box.dir / "y"));
  CHECK(files_of(f.box.dir / "x") == files_of(f.box.dir / "z"));
  CHECK(error_of([&] { commit_computed(f.repository, resolve_revision(f.repository, text), "again", RefName::parse("kept"), f.box.committer(), {}); }) == ErrorCode::conflict);
}

TEST_CASE("the record of a computed checkout says which commits it is of") {
  Fixture f;
  const std::string folder = f.box.dir / "out";
  f.box.check_out(f.repository, "base+0.5*a", folder);
  const auto record = read_checkout_record(f.box.fs, folder);
  REQUIRE(record.has_value());
  CHECK(record->revision == "base+0.5*a");
  CHECK(record->commit.is_none());
  CHECK(record->expression == resolve_commit(f.repository, "base").hex() + "+0.5*" + resolve_commit(f.repository, "a").hex());
  CHECK(folder_changes(f.box.fs, folder, *record, true).empty());
  const auto before = files_of(folder);
  f.box.check_out(f.repository, record->expression, folder);
  CHECK(files_of(folder) == before);
  f.box.check_out(f.repository, "a", folder);
  CHECK(slurp(folder + "/model.safetensors") == slurp(f.box.dir / "a/model.safetensors"));
  CHECK(read_checkout_record(f.box.fs, folder)->expression.empty());
}

}  // namespace
}  // namespace dstore::test
