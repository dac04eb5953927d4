#pragma once

#include <cstdlib>
#include <map>
#include <random>

#include "base/scratch.h"
#include "catch.h"
#include "repo/checkout.h"
#include "repo/commit_task.h"
#include "repo/import.h"
#include "repo/revision.h"
#include "repo/transfer.h"
#include "sign/signing_config.h"
#include "tensor/dtype.h"

namespace dstore::test {

struct TestTensor {
  std::string name;
  DType dtype = DType::f32;
  std::vector<std::uint64_t> shape;
  std::string bytes;
};

/// A tensor of `shape` whose bytes depend on `seed` alone.
inline TestTensor tensor(std::string name, std::vector<std::uint64_t> shape, unsigned seed, DType dtype = DType::f32) {
  std::mt19937 engine(seed);
  TestTensor out{std::move(name), dtype, std::move(shape), {}};
  out.bytes.resize(tensor_bytes(dtype, out.shape, "test"));
  for (char& c : out.bytes) c = static_cast<char>(engine() & 0x3f);  // finite in every float dtype
  return out;
}

/// A safetensors file with the tensors in the order given and `padding` more spaces after its header.
inline std::string shard(const std::vector<TestTensor>& tensors, const std::map<std::string, std::string>& metadata = {{"format", "pt"}},
                         std::size_t padding = 0) {
  std::vector<TensorInfo> infos;
  std::string data;
  for (const TestTensor& t : tensors) {
    infos.push_back({t.name, t.dtype, t.shape, t.bytes.size()});
    data += t.bytes;
  }
  std::string header(as_text(render_safetensors_header(infos, metadata)));
  const std::uint64_t size = header.size() - 8 + padding;
  std::memcpy(header.data(), &size, 8);
  return header + std::string(padding, ' ') + data;
}

/// Relative path → content of every file below, except dstore's own.
inline std::map<std::string, std::string> files_of(const std::string& folder) {
  std::map<std::string, std::string> out;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(folder)) {
    const std::string path = std::filesystem::relative(entry.path(), folder).string();
    if (!entry.is_directory() && !path.starts_with(".dstore")) out[path] = slurp(entry.path().string());
  }
  return out;
}

/// A user with a key, working folders and repositories.
class Sandbox {
 public:
  Sandbox() {
    ::setenv("DSTORE_CONFIG_HOME", (dir / "config").c_str(), 1);
    ::unsetenv("DSTORE_KEY");
    create_key(posix_filesystem(), SigningConfig::from_environment(), "ada@example.org");
    key = load_private_key(posix_filesystem(), SigningConfig::from_environment());
  }
  /// Somebody whose key nobody here trusts.
  void become_stranger() {
    ::setenv("DSTORE_CONFIG_HOME", (dir / "stranger").c_str(), 1);
    create_key(posix_filesystem(), SigningConfig::from_environment(), "eve@example.org");
    key = load_private_key(posix_filesystem(), SigningConfig::from_environment());
  }
  void become_ada() {
    ::setenv("DSTORE_CONFIG_HOME", (dir / "config").c_str(), 1);
    key = load_private_key(posix_filesystem(), SigningConfig::from_environment());
  }

  Repository init(const std::string& name) { return Repository::create(fs, dir / name + "/.dstore", IndexMode::database); }
  Committer committer() const { return {"Ada <ada@example.org>", &*key, 1700000000}; }
  Committer unsigned_committer() const { return {"Ada <ada@example.org>", nullptr, 1700000000}; }

  ObjectId import(Repository& repository, const std::string& folder, const std::string& branch) {
    return import_folder(repository, CheckpointFolder(fs, folder), RefName::parse(branch), "import " + branch, committer(), {}).commit;
  }
  CommitReport commit(Repository& repository, const std::string& folder, const std::string& base, const std::string& branch, FolderCommit options = {}) {
    options.base = resolve_commit(repository, base);
    options.message = "commit " + branch;
    return commit_folder(repository, CheckpointFolder(fs, folder), options, RefName::parse(branch), committer(), {});
  }
  CheckoutReport check_out(const Repository& repository, const std::string& revision, const std::string& folder, CheckoutOptions options = {}) {
    return checkout(repository, resolve_revision(repository, revision), folder, options, {});
  }
  void add_remote(Repository& repository, const std::string& name, const std::string& url) {
    RepositoryConfig config = repository.config();
    config.remotes[name] = url;
    repository.save_config(config);
  }

  Scratch dir;
  Filesystem& fs = posix_filesystem();
  std::optional<PrivateKey> key;
};

/// A small base: an encoder without a prefix, a configuration, a file in a subfolder.
inline std::vector<TestTensor> encoder(const std::string& prefix = "", unsigned seed = 1) {
  return {tensor(prefix + "embed.weight", {50, 8}, seed), tensor(prefix + "layer.0.bias", {8}, seed + 1),
          tensor(prefix + "layer.0.weight", {8, 8}, seed + 2), tensor(prefix + "norm", {8}, seed + 3)};
}

inline void make_model(const std::string& folder, const std::vector<TestTensor>& tensors, const std::string& config = "{\"a\": 1}\n") {
  put(join_path(folder, "model.safetensors"), shard(tensors));
  put(join_path(folder, "config.json"), config);
  put(join_path(folder, "1_Pooling/config.json"), "{}");
}

}  // namespace dstore::test
