#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "merge/merge_method.h"
#include "repo/align.h"
#include "repo/change_source.h"
#include "repo/stored_weights.h"
#include "repo/write_delta.h"
#include "tensor/safetensors_file.h"

namespace dstore {

/// A model that takes part in a merge: its weights, and which tensor of the base each is a version of.
struct MergeInput {
  std::string name;  ///< for messages
  std::unique_ptr<StoredWeights> weights;
  std::vector<Pairing> pairs;  ///< of its tensors, with those of the base
  std::unique_ptr<SafetensorsFile> statistics{};  ///< for methods that need them, under the names of its tensors
};

/// Where the names, the layout and the tensors that are not merged come from.
struct MergeShape {
  std::optional<std::size_t> model;  ///< none: the base
  /// Take this model's tensors that the base lacks, though other models bring such ones too.
  bool chosen = false;
};

struct MergeCounts {
  std::size_t merged = 0;     ///< tensors that some model changes
  std::size_t unchanged = 0;
  std::size_t own = 0;        ///< tensors of the shape's model that the base lacks
};

/// The merge of models of one base. A tensor that all have with the base's shape and a dtype of numbers is merged element by
/// element; an element that no model changes keeps the base's bits. Where they differ in nothing but the number of rows, the rows that
/// all have are merged, and the others are those of the shape's model. Tensors without arithmetic must be changed alike. Settings and inputs must outlive it.
/// Where all models are sparse differences from the base, no tensor is ever made whole for merging.
class MergedSource : public TensorSource, public ChangeSource {
 public:
  /// Error{conflict} where tensors cannot be merged: other shapes or dtypes, integers that differ, several models with
  /// tensors of their own and none chosen. `calculated_in`: instead of each tensor's dtype; it has all values of those.
  MergedSource(const StoredWeights& base, const std::vector<MergeInput>& models, const MergeMethod& method, const MergeSettings& settings,
               const MergeShape& shape, std::optional<DType> calculated_in = std::nullopt);

  /// Looks at the tensors as often as the method needs; before read().
  void prepare(unsigned threads, const Progress& progress);

  const std::vector<TensorInfo>& tensors() const override { return infos_; }
  void read(std::size_t index, std::uint64_t offset, std::span<std::byte> out) const override;

  Touch touch(std::size_t index, std::uint64_t offset) const override;
  Changes changes(std::size_t index, std::uint64_t offset, ByteSpan base) const override;
  void make(std::size_t index, std::uint64_t offset, ByteSpan base, MutableByteSpan out) const override;

  /// For write_delta().
  const std::vector<Pairing>& pairs() const { return pairs_; }
  const MergeCounts& counts() const { return counts_; }
  /// What the user should know of single tensors, after prepare().
  std::vector<std::string> notes() const;

 private:
  struct Tensor {
    std::optional<std::size_t> base;
    std::optional<std::size_t> copied_from;         ///< a model: taken from it whole
    std::size_t copied = 0;                         ///< its tensor there
    std::vector<std::optional<std::size_t>> models; ///< the tensor in each; none: the model has the base's bytes
    std::optional<std::size_t> merged;              ///< place in described_, where some model changes it
    std::uint64_t common = 0;                       ///< bytes of the rows that all have, which are merged; the others are the layout's
    std::unique_ptr<TensorMerge> merge;             ///< of a merged one, after prepare()
    bool deltas = false;                            ///< all of `models` are differences from the base's tensor
  };
  /// The pieces of the models that change a piece of the base, kept in memory.
  struct HeldPieces;
  HeldPieces hold(std::size_t index, std::uint64_t offset) const;
  std::vector<std::uint64_t> changed(const Tensor& tensor) const;
  void look(std::size_t index, std::uint64_t offset, ByteSpan base) const;
  /// Calls use(elements) with the models' bytes of a range.
  template <class Use>
  void with_models(std::size_t index, std::uint64_t offset, ByteSpan base, Use use) const;
  void read_rows(std::size_t index, std::uint64_t offset, MutableByteSpan out) const;
  template <class Take>
  void visit(std::size_t index, std::uint64_t begin, std::uint64_t size, std::uint64_t row, Take take) const;
  template <class Look>
  void look_at(std::size_t index, std::uint64_t row, Look look) const;
  void describe();
  void prepare_model(unsigned threads, const Progress& progress);
  void prepare_tensor(std::size_t index);
  Tensor plan(const TensorInfo& info, std::size_t base_index) const;
  bool rows_differ(const Tensor& tensor) const;
  void note_rows(const Tensor& tensor, const TensorInfo& info, const std::string& shaped_by);
  void check_base_tensor(std::size_t base_index) const;
  [[noreturn]] void fail_shape(const TensorInfo& info, const MergeInput& model, std::size_t tensor) const;

  const StoredWeights& base_;
  const std::vector<MergeInput>& models_;
  const MergeMethod& method_;
  const MergeSettings& settings_;
  std::vector<std::vector<std::optional<std::size_t>>> of_base_;  ///< [model][base tensor]: the model's version of it
  const StoredWeights* layout_ = nullptr;  ///< the shape's: its tensors are those of the result
  std::vector<TensorInfo> infos_;
  std::vector<Tensor> tensors_;
  std::vector<MergedTensor> described_;  ///< the tensors with arithmetic, in the order of the base's names
  std::unique_ptr<ModelMerge> model_;
  std::vector<Pairing> pairs_;
  MergeCounts counts_;
  std::vector<std::string> row_notes_;
  std::optional<DType> calculated_in_;
};

}  // namespace dstore
