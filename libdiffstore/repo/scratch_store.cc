#include "repo/scratch_store.h"

#include <cstdlib>

#include "dstore/error.h"

namespace dstore {
namespace {

TemporaryFolder make_folder(const Repository& repository, std::optional<Lease>& lease) {
  try {
    lease.emplace(repository.store().lease());
    return TemporaryFolder(repository.fs(), join_path(repository.path("tmp"), lease->name() + "-scratch"));
  } catch (const NoSpace&) {
    throw;
  } catch (const Error& error) {
    if (error.code() != ErrorCode::io) throw;
    lease.reset();
    const char* const elsewhere = std::getenv("TMPDIR");
    try {
      return TemporaryFolder(repository.fs(), join_path(elsewhere != nullptr && *elsewhere != '\0' ? elsewhere : "/tmp", "dstore-scratch-" + random_name()));
    } catch (const Error&) {
      throw error;
    }
  }
}

ObjectStore make_store(Filesystem& fs, const std::string& folder) {
  ObjectStore::create(fs, folder);
  return ObjectStore::open(fs, folder, IndexMode::memory);
}

}  // namespace

ScratchStore::ScratchStore(const Repository& repository) : folder_(make_folder(repository, lease_)), store_(make_store(repository.fs(), folder_.path())) {}

}  // namespace dstore
