// Makes the stores of `bench/run scale` through the library, and times what a process does first. See bench/README.md.
//   scale_bench commits REPOSITORY BASE N BRANCHES     N task commits, signed, on BRANCHES branches
//   scale_bench objects REPOSITORY N PACKS             N small objects in PACKS packs
//   scale_bench entries REPOSITORY REF COMMIT N        a ref that has moved N times
//   scale_bench refs REPOSITORY COMMIT N               N refs
//   scale_bench open REPOSITORY REVISION               milliseconds of opening and of resolving, once, in this process
//   scale_bench run PROGRAM ARGUMENT...                seconds and peak KiB of that process, its output thrown away

#include <fcntl.h>
#include <spawn.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <cstring>
#include <iostream>

#include "dstore/error.h"
#include "repo/publish.h"
#include "repo/revision.h"
#include "sign/signature_object.h"

namespace {

using namespace dstore;

Repository open_repository(const std::string& dir) { return Repository::open(posix_filesystem(), join_path(dir, kStoreFolder), IndexMode::database); }

double milliseconds_since(std::chrono::steady_clock::time_point start) {
  return std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - start).count();
}

/// Chains of commits that differ in message, time, seed, density and accuracy, in one session; the refs last.
void make_commits(const std::string& dir, const std::string& task, std::size_t count, std::size_t branches) {
  Repository repository = open_repository(dir);
  const ObjectId start = resolve_commit(repository, task);
  const PrivateKey key = load_private_key(repository.fs(), SigningConfig::from_environment());
  Commit commit = repository.read_commit(start);
  commit.author = "Bench <bench@example.org>";
  commit.training = {{"method", "diff-pruning"}, {"learning_rate", "2e-5"}, {"steps", "1875"}, {"batch", "32"}, {"scope", "global"}};
  PackSession session = repository.store().begin_write();
  std::vector<ObjectId> heads(branches, start);
  for (std::size_t i = 0; i < count; ++i) {
    ObjectId& head = heads[i % branches];
    commit.parents = {head};
    commit.time = 1'750'000'000 + static_cast<std::int64_t>(i) * 600;
    commit.message = "run " + std::to_string(i) + " of the sweep\n\nwith another seed\n";
    commit.training["seed"] = std::to_string(i);
    commit.training["density"] = i % 2 == 0 ? "0.005" : "0.01";
    commit.metrics = {{"dev", "accuracy", "0." + std::to_string(5000 + i % 4000), 500, std::string(64, 'a')},
                      {"test", "accuracy", "0." + std::to_string(5100 + i % 4000), 5000, std::string(64, 'b')}};
    const std::string text = commit.serialize();
    head = session.add(ObjectKind::commit, as_bytes(text));
    session.add(ObjectKind::signature, SignatureObject{head, sign_message(key, kCommitNamespace, as_bytes(text))}.serialize());
  }
  session.commit();
  const Committer committer{"Bench <bench@example.org>", &key, 1'760'000'000};
  for (std::size_t b = 0; b < branches; ++b) {
    const RefName name = RefName::parse("sweep/" + std::to_string(b));
    move_ref(repository.refs(), repository.config().repository, name, RefKind::branch, ObjectId(), heads[b], committer);
  }
}

void make_objects(const std::string& dir, std::size_t count, std::size_t packs) {
  Repository repository = open_repository(dir);
  for (std::size_t pack = 0; pack < packs; ++pack) {
    PackSession session = repository.store().begin_write();
    for (std::size_t i = pack; i < count; i += packs) session.add(ObjectKind::evaluation, as_bytes("object " + std::to_string(i)));
    session.commit();
  }
}

/// An entry's file as RefLog::append makes it, without its syncs: they would take minutes.
void write_entry(const Repository& repository, const RefEntry& entry) {
  std::string name = std::to_string(entry.sequence);
  name.insert(0, 10 - name.size(), '0');
  const auto file = repository.fs().open(join_path(repository.path("refs/" + entry.ref.encode()), name), OpenMode::create_new, 0444);
  file->write_at(0, as_bytes(entry.serialize()));
}

void make_entries(const std::string& dir, const std::string& ref, const std::string& commit, std::size_t count) {
  const Repository repository = open_repository(dir);
  const ObjectId target = resolve_commit(repository, commit);
  const RefName name = RefName::parse(ref);
  repository.fs().make_directory(repository.path("refs/" + name.encode()));
  std::optional<RefEntry> head;
  for (std::size_t i = 0; i < count; ++i) {
    head = next_entry(head, repository.config().repository, name, RefKind::branch, target, 1'760'000'000);
    write_entry(repository, *head);
  }
}

void make_refs(const std::string& dir, const std::string& commit, std::size_t count) {
  const Repository repository = open_repository(dir);
  const ObjectId target = resolve_commit(repository, commit);
  for (std::size_t i = 0; i < count; ++i) {
    const RefName name = RefName::parse("many/" + std::to_string(i));
    repository.fs().make_directory(repository.path("refs/" + name.encode()));
    write_entry(repository, next_entry(std::nullopt, repository.config().repository, name, RefKind::tag, target, 1'760'000'000));
  }
}

void time_open(const std::string& dir, const std::string& revision) {
  const auto start = std::chrono::steady_clock::now();
  const Repository repository = open_repository(dir);
  const double opened = milliseconds_since(start);
  const ObjectId commit = resolve_commit(repository, revision);
  std::printf("%.3f %.3f %s\n", opened, milliseconds_since(start) - opened, commit.short_hex().c_str());
}

/// Peak memory of a child counts what its parent had when it forked: so this small process is the parent.
int run_measured(const std::vector<std::string>& words) {
  std::vector<char*> arguments;
  for (const std::string& word : words) arguments.push_back(const_cast<char*>(word.c_str()));
  arguments.push_back(nullptr);
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
  pid_t child = 0;
  const auto start = std::chrono::steady_clock::now();
  if (posix_spawn(&child, arguments[0], &actions, nullptr, arguments.data(), environ) != 0) {
    throw Error(ErrorCode::not_found, words[0] + ": cannot be started");
  }
  posix_spawn_file_actions_destroy(&actions);
  int status = 0;
  rusage usage{};
  wait4(child, &status, 0, &usage);
  std::printf("%.6f %ld\n", milliseconds_since(start) / 1000, usage.ru_maxrss);
  return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}

}  // namespace

int main(int argc, char** argv) {
  const std::vector<std::string> words(argv + 1, argv + argc);
  const auto is = [&](const char* name, std::size_t count) { return words.size() == count && words[0] == name; };
  try {
    if (is("commits", 5)) {
      make_commits(words[1], words[2], std::stoul(words[3]), std::stoul(words[4]));
    } else if (is("objects", 4)) {
      make_objects(words[1], std::stoul(words[2]), std::stoul(words[3]));
    } else if (is("entries", 5)) {
      make_entries(words[1], words[2], words[3], std::stoul(words[4]));
    } else if (is("refs", 4)) {
      make_refs(words[1], words[2], std::stoul(words[3]));
    } else if (words.size() > 1 && words[0] == "run") {
      return run_measured({words.begin() + 1, words.end()});
    } else if (is("open", 3)) {
      time_open(words[1], words[2]);
    } else {
      std::cerr << "scale_bench: see the head of bench/scale_bench.cc\n";
      return 2;
    }
    return 0;
  } catch (const std::exception& error) {
    std::cerr << "scale_bench: " << error.what() << "\n";
    return 1;
  }
}
