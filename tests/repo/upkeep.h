#pragma once

#include "repo/forget.h"
#include "repo/missing_objects.h"
#include "repo/reachable.h"
#include "repo/sandbox.h"

namespace dstore::test {


inline CollectOptions at_once() {
  CollectOptions options;
  options.wait_seconds = 0;
  return options;
}

inline CollectReport gc(Repository& repository, KeepHistory keep = {}) {
  Reachable reachable(repository, keep);
  return repository.store().collect(reachable, at_once());
}

struct Upkeep {
  Sandbox box;
  Repository ada = box.init("ada");
  Upkeep() {
    make_model(box.dir / "base", encoder());
    box.import(ada, box.dir / "base", "base");
  }
  /// A task whose weights and side file depend on `number`; another call with the same name puts a commit on top.
  ObjectId make_task(unsigned number, const std::string& name) {
    std::vector<TestTensor> tensors = encoder();
    for (unsigned i = 0; i < 40; ++i) tensors[2].bytes[4 * (i + number)] ^= 1;
    make_model(box.dir / ("task" + std::to_string(number)), tensors, "{\"task\": " + std::to_string(number) + "}\n");
    return box.commit(ada, box.dir / ("task" + std::to_string(number)), "base", name).commit;
  }
  void move(const std::string& name, const ObjectId& target, RefKind kind = RefKind::branch) {
    const auto head = ada.refs().head(RefName::parse(name));
    const ObjectId present = head ? head->new_commit : ObjectId();
    if (target.is_none()) {
      const Lease lease = ada.store().lease();
      REQUIRE(move_ref(ada.refs(), ada.config().repository, RefName::parse(name), kind, present, target, box.committer()));
    } else {
      const bool moved = point_ref(ada, RefName::parse(name), kind, present, target, box.committer());
      REQUIRE(moved);
    }
  }
  void check_model(const Repository& repository, const std::string& revision, const std::string& folder) {
    const std::string out = box.dir / ("out" + std::to_string(++outs));
    box.check_out(repository, revision, out);
    CHECK(files_of(out) == files_of(box.dir / folder));
  }
  ForgetReport forget(const std::vector<ObjectId>& commits, bool force = false) { return dstore::forget(ada, commits, force, box.committer(), at_once()); }
  int outs = 0;
};

inline bool whole(const Repository& repository) {
  std::vector<ObjectId> heads;
  for (const RefEntry& head : repository.refs().heads()) heads.push_back(head.new_commit);
  return repository.store().verify_all().empty() && is_complete(repository, heads);
}

}  // namespace dstore::test
