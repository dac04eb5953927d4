#include "dstore/model.h"

#include "dstore/error.h"
#include "repo/base_folder.h"
#include "repo/open_revision.h"
#include "tensor/checkpoint_folder.h"

namespace dstore {
namespace {

/// A revision as a Model; owns its repository.
class RevisionModel : public Model {
 public:
  RevisionModel(Repository repository, std::string_view text, const std::string& base_from) : repository_(std::move(repository)) {
    const Revision revision = resolve_revision(repository_, text);
    if (!base_from.empty()) {
      base_ = std::make_unique<CheckpointFolder>(repository_.fs(), base_from);
      attach_base(repository_, *base_, repository_.require_commit(commit_on_base(revision)).commit);
    }
    files_ = open_revision(repository_, revision).files;
    if (!revision.computed) commit_ = revision.commit;
    description_ = std::string(text) + (commit_ ? " (commit " + commit_->short_hex() + ")" : " (computed)");
  }

  const TensorSource& tensors() const override { return files_.source(); }

  std::vector<std::string> side_files() const override {
    std::vector<std::string> paths;
    for (const auto& [path, file] : files_.files) paths.push_back(path);
    return paths;
  }

  std::optional<std::string> side_file(std::string_view path) const override {
    const auto it = files_.files.find(std::string(path));
    if (it == files_.files.end()) return std::nullopt;
    const Bytes content = it->second.file ? repository_.read_file_object(*it->second.file) : it->second.content;
    return std::string(as_text(content));
  }

  std::string description() const override { return description_; }
  std::optional<ObjectId> commit() const override { return commit_; }

 private:
  Repository repository_;
  std::unique_ptr<CheckpointFolder> base_;
  ModelFiles files_;
  std::optional<ObjectId> commit_;
  std::string description_;
};

bool is_folder(Filesystem& fs, const std::string& path) {
  const auto info = fs.stat(path, true);
  return info && info->type == FileInfo::Type::directory;
}

}  // namespace

std::unique_ptr<Model> open_model(const std::string& what, const std::string& directory, const std::string& base_from) {
  Filesystem& fs = posix_filesystem();
  const bool looks_like_path = what == "." || what == ".." || what.starts_with("/") || what.starts_with("./") || what.starts_with("../");
  if (looks_like_path || what.ends_with("/")) return std::make_unique<CheckpointFolder>(fs, what);
  try {
    return std::make_unique<RevisionModel>(Repository::discover(fs, directory), what, base_from);
  } catch (const Error& error) {
    if (error.code() != ErrorCode::not_found || !is_folder(fs, what)) throw;
    return std::make_unique<CheckpointFolder>(fs, what);
  }
}

}  // namespace dstore
