// The order in which a merge sees its elements must not show: threads, windows, whole tensors or changes alone.
#include "base/parallel.h"
#include "catch.h"
#include "merge/piece_merge.h"
#include "merge_cases.h"

using namespace dstore;
using namespace dstore::testing;

namespace {

constexpr std::uint64_t kRow = 25;

/// A ModelMerge's look at one tensor, in the form of a TensorMerge.
class ModelLook final : public TensorMerge {
 public:
  ModelLook(ModelMerge& model, std::size_t tensor) : model_(model), tensor_(tensor) {}
  void look(const MergeWindow& window) override { model_.look(tensor_, window); }
  bool only_changes() const override { return true; }
  void apply(const MergeWindow&, std::span<double>) const override {}

 private:
  ModelMerge& model_;
  std::size_t tensor_;
};

struct Order {
  unsigned threads;
  std::size_t window;
  bool sparse;  ///< changes alone, where the method allows it
};

/// Tensors of different sizes, each with its tasks.
std::vector<Models> make_tensors(DType dtype, std::size_t models) {
  std::vector<Models> out;
  for (const std::uint64_t rows : {40u, 7u, 61u}) out.push_back(make_models(dtype, rows * kRow, models, 0.2, Change::fine_tune, rows));
  return out;
}

void look(TensorMerge& merge, const Models& tensor, const Order& order) {
  const std::vector<ByteSpan> views(tensor.tasks.begin(), tensor.tasks.end());
  const std::size_t window = std::max<std::size_t>(1, order.window / merge.row()) * merge.row();
  if (order.sparse && merge.only_changes()) return PieceMerge(tensor.dtype, 0, tensor.base, tensor.pieces(), "t", window).look(merge);
  ElementMerge(tensor.dtype, window).look(merge, {{0, {}}, tensor.base, views});
}

/// Elements [begin, end) of the merged tensor; all of them where only changes are looked at.
void apply(const TensorMerge& merge, const Models& tensor, const Order& order, std::uint64_t begin, std::uint64_t end, MutableByteSpan out) {
  const std::size_t unit = unit_type(tensor.dtype).bytes, window = std::max<std::size_t>(1, order.window / merge.row()) * merge.row();
  if (order.sparse && merge.only_changes()) {
    if (begin == 0) put_changes(PieceMerge(tensor.dtype, 0, tensor.base, tensor.pieces(), "t", window).apply(merge), 0, unit, out);
    return;
  }
  const auto part = [&](const Bytes& all) { return ByteSpan(all).subspan(begin * unit, (end - begin) * unit); };
  std::vector<ByteSpan> views;
  for (const Bytes& task : tensor.tasks) views.push_back(part(task));
  ElementMerge(tensor.dtype, window).apply(merge, {{begin, {}}, part(tensor.base), views}, out.subspan(begin * unit, (end - begin) * unit));
}

std::vector<Bytes> merged(const MergeMethod& method, const MergeSettings& settings, const std::vector<Models>& tensors, const Order& order) {
  std::vector<std::vector<OneTensor>> files;
  std::vector<MergedTensor> described;
  const std::string names[] = {"a", "b", "c"};
  for (std::size_t t = 0; t < tensors.size(); ++t) {
    MergedTensor tensor{names[t], tensors[t].dtype, tensors[t].elements(), {tensors[t].elements() / kRow, kRow}, {}, tensors[t].changed()};
    files.push_back(make_statistics(method, settings.models(), tensor.elements));
    for (const OneTensor& file : files.back()) tensor.statistics.push_back({&file, 0});
    described.push_back(std::move(tensor));
  }
  const auto model = method.make_model == nullptr ? nullptr : method.make_model(settings, described);
  while (model && model->wants_pass()) {
    parallel_for(tensors.size(), order.threads, [&](std::size_t t) {
      ModelLook window(*model, t);
      look(window, tensors[t], order);
    });
    model->end_pass();
  }
  std::vector<Bytes> out(tensors.size());
  for (std::size_t t = 0; t < tensors.size(); ++t) {
    const auto merge = model ? model->make(settings, t) : method.make(settings, described[t]);
    for (; merge->wants_pass(); merge->end_pass()) look(*merge, tensors[t], order);
    out[t] = tensors[t].base;
    const std::uint64_t step = 3 * kRow, parts = (tensors[t].elements() + step - 1) / step;
    parallel_for(parts, order.threads, [&](std::size_t p) { apply(*merge, tensors[t], order, p * step, std::min(tensors[t].elements(), (p + 1) * step), out[t]); });
  }
  return out;
}

}  // namespace

TEST_CASE("Every method gives the same bits with any number of threads, in any windows, of whole tensors and of changes alone") {
  for (const MergeMethod* method : merge_methods()) {
    const std::size_t models = method->most_models == 2 ? 2 : 3;
    for (const DType dtype : {DType::bf16, DType::f32, DType::f64}) {
      const std::vector<Models> tensors = make_tensors(dtype, models);
      for (const MergeSettings::Given& given : interesting_settings(*method)) {
        const MergeSettings settings(method->name, method->parameters, given, models, 3);
        const std::vector<Bytes> once = merged(*method, settings, tensors, {1, kMergeWindow, false});
        for (const Order& order : {Order{1, 1, false}, Order{2, 7, false}, Order{3, 100, false}, Order{16, kMergeWindow, false}, Order{1, kMergeWindow, true},
                                   Order{2, 1, true}, Order{3, 7, true}, Order{16, 100, true}}) {
          INFO(method->name << text_of(given) << " dtype " << static_cast<int>(dtype) << " threads " << order.threads << " window " << order.window
                            << (order.sparse ? " changes" : " whole"));
          CHECK(merged(*method, settings, tensors, order) == once);
        }
      }
    }
  }
}
