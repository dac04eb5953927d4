#pragma once

#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "base/filesystem.h"
#include "repo/edited_source.h"
#include "tensor/safetensors_file.h"

namespace dstore {

/// A sparse patch: elements of tensors with the values that they get, in one of the layouts of docs/adapters.md.
class SparsePatch {
 public:
  /// A file, or every .safetensors file of a folder (parts of one patch). Error{corrupt} or {unsupported} naming file and tensor.
  static SparsePatch open(Filesystem& fs, const std::string& path);
  /// Whether `path` is a safetensors file, or a folder with such files, in one of these layouts.
  static bool is_patch(Filesystem& fs, const std::string& path);

  /// One edit for each tensor of the result. Error{invalid_argument} naming the tensor that the base does not have, whose dtype or shape
  /// is another one, or an index that is out of range or not greater than the one before; {conflict} if the patch names other weights.
  std::vector<TensorEdit> edits(const TensorSource& base, const ObjectId& base_weights) const;

  const std::string& layout() const { return layout_; }
  std::uint64_t bytes() const;

  /// How the positions of a tensor are written.
  struct Positions {
    enum class Kind { absolute, gaps } kind = Kind::absolute;
    std::size_t file = 0, tensor = 0;
    std::uint64_t offset = 0;  ///< bytes
    unsigned width = 4;        ///< bytes of one
    std::uint64_t count = 0;
  };
  struct Part {
    std::string name;
    Positions positions;
    std::size_t values_file = 0, values = 0;
    std::uint64_t first_value = 0;
    std::optional<DType> dtype;                        ///< of the base's tensor, where the patch says so
    std::optional<std::vector<std::uint64_t>> shape;
  };
  struct Whole {
    std::string name;
    std::size_t file = 0, tensor = 0;
  };
  /// What a layout's reader fills.
  struct Content {
    std::vector<Part> parts;
    std::vector<Whole> whole;                      ///< tensors that are in the patch whole
    std::map<std::string, std::string> renamed;    ///< result → base
    std::set<std::string> removed;
    std::optional<ObjectId> base_weights;
  };

 private:
  std::vector<std::uint64_t> read_positions(const Part& part, std::uint64_t elements) const;
  TensorEdit edit_of(const Part& part, const TensorSource& base, std::size_t index) const;

  std::string path_, layout_;
  std::vector<std::unique_ptr<SafetensorsFile>> files_;
  Content content_;
};

/// A row of the table of layouts.
struct PatchLayout {
  std::string_view name;
  bool (*matches)(const SafetensorsFile& file);
  /// Adds what the file holds. Checks names, dtypes and sizes of the patch's own tensors.
  void (*read)(const SafetensorsFile& file, std::size_t number, SparsePatch::Content& out);
};
std::span<const PatchLayout> patch_layouts();

inline constexpr std::string_view kPatchFormat = "sparse_weight_patch";
inline constexpr std::string_view kPatchIndices = ".idx", kPatchValues = ".val";

}  // namespace dstore
