#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "dstore/id.h"
#include "dstore/tensor.h"

namespace dstore {

/// A model ready to be read, wherever it is kept: its tensors and its side files (config.json, vocab.txt, ...).
/// Thread-safe for reading.
class Model {
 public:
  virtual ~Model() = default;
  virtual const TensorSource& tensors() const = 0;
  /// Relative paths, sorted.
  virtual std::vector<std::string> side_files() const = 0;
  /// Whole content, or nullopt if the model has no such file.
  virtual std::optional<std::string> side_file(std::string_view path) const = 0;
  /// For messages: "folder ./out" or "base (commit 0123456789)".
  virtual std::string description() const = 0;
  /// The commit whose weights these are; nullopt for a folder and for a sum of several tasks.
  virtual std::optional<ObjectId> commit() const = 0;
};

/// `what` is a folder (it has a '/', or is "." or "..", or only a folder of that name exists) or a revision of the
/// repository found at or above `directory`. A folder needs no repository. Signatures and ids are verified. A base that is not in
/// the repository is read from the folder `base_from`, if one is given.
std::unique_ptr<Model> open_model(const std::string& what, const std::string& directory = ".", const std::string& base_from = "");

}  // namespace dstore
