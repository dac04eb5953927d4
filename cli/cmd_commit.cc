#include "base/room.h"
#include "command.h"
#include "commit_output.h"
#include "dstore/error.h"
#include "output.h"
#include "repo/checkout_record.h"
#include "repo/commit_adapter.h"
#include "repo/commit_patch.h"
#include "repo/resolve_base.h"
#include "repo/revision.h"

namespace dstore::cli {
namespace {

bool is_folder(const Session& session, const std::string& path) {
  const auto info = session.fs().stat(path, true);
  return info && info->type == FileInfo::Type::directory;
}

RefName choose_stage(const Repository& repository, const std::string& name) {
  if (!name.empty()) return RefName::parse(name);
  const std::vector<std::string> names = list_stages(repository);
  if (names.empty()) throw Error(ErrorCode::not_found, "nothing is staged; train first (`dstore train`), or give a folder to commit");
  if (names.size() == 1) return RefName::parse(names.front());
  std::string list;
  for (const std::string& staged : names) list += (list.empty() ? "" : ", ") + staged;
  throw Error(ErrorCode::invalid_argument, "several results are staged (" + list + "); say which one: dstore commit NAME -m MSG");
}

/// A checkout that its branch has left behind would silently take back what others committed since.
void require_fresh(const Repository& repository, const CheckoutRecord& record, const RefName& branch) {
  const auto head = repository.refs().head(branch);
  if (branch.text() != record.branch || !head || head->is_deletion() || head->new_commit == record.commit) return;
  throw Error(ErrorCode::conflict, "branch " + branch.text() + " has moved from " + record.commit.short_hex() + " to " + head->new_commit.short_hex() +
                                       " since this checkout; check out again, or give --force to commit this state on top");
}

/// --base and --name, or what the checkout in the folder says.
std::pair<ObjectId, RefName> place_of(const Session& session, const Repository& repository, const Arguments& arguments, const std::string& folder) {
  const auto record = read_checkout_record(session.fs(), folder);
  const bool is_task = record && repository.store().contains(record->commit) && repository.read_commit(record->commit).is_task();
  if (!arguments.has("base") && !record) {
    throw Error(ErrorCode::invalid_argument, printable(folder) + ": is not a checkout of this store; say what it was made from: --base REV --name TASK");
  }
  if (!arguments.has("base") && !record->expression.empty()) {
    throw Error(ErrorCode::invalid_argument, printable(folder) + ": holds a computed model; say what to take the difference from: --base REV --name TASK");
  }
  std::string name = arguments.get("name");
  if (name.empty() && is_task) name = record->branch;
  if (name.empty()) throw Error(ErrorCode::invalid_argument, "give the task a name: --name TASK");
  if (is_task && !arguments.has("base") && !arguments.has("force")) require_fresh(repository, *record, RefName::parse(name));
  const ObjectId base = arguments.has("base") ? resolve_base(repository, arguments.get("base"))
                        : is_task             ? *repository.read_commit(record->commit).base
                                              : record->commit;
  return {base, RefName::parse(name)};
}

Profile profile_of(const Arguments& arguments) { return parse_profile(arguments.get("profile", "compact")); }

void refuse_options(const Arguments& arguments, std::initializer_list<const char*> options, const std::string& what) {
  for (const char* option : options) {
    if (arguments.has(option)) throw Error(ErrorCode::invalid_argument, std::string("--") + option + " does not go with " + what);
  }
}

CommitReport commit_a_patch(const Arguments& arguments, Session& session, Repository& repository, const std::string& path, std::string& branch) {
  refuse_options(arguments, {"map", "dtype", "allow-unaligned", "force"}, "a sparse patch");
  if (!arguments.has("base") || !arguments.has("name")) {
    throw Error(ErrorCode::invalid_argument, printable(path) + ": is a sparse patch; say what it changes and name the result: --base REV --name TASK");
  }
  const ObjectId base = resolve_base(repository, arguments.get("base"));
  const RefName name = RefName::parse(arguments.get("name"));
  branch = name.text();
  const auto base_folder = base_from(arguments, session, repository, base);
  const SparsePatch patch = SparsePatch::open(session.fs(), path);
  return commit_patch(repository, patch, base, arguments.get("message"), profile_of(arguments), name, session.committer(arguments), session.progress("comparing"));
}

CommitReport commit_a_folder(const Arguments& arguments, Session& session, Repository& repository, const std::string& path, std::string& branch) {
  const auto [base, name] = place_of(session, repository, arguments, path);
  branch = name.text();
  const auto base_folder = base_from(arguments, session, repository, base);
  const CheckpointFolder folder(session.fs(), path);
  for (const std::string& notice : folder.notices()) session.note("note: " + notice);
  if (is_adapter_folder(folder)) {
    refuse_options(arguments, {"map", "dtype", "allow-unaligned"}, "an adapter");
    const CommitReport report = commit_adapter(repository, folder, base, arguments.get("message"), profile_of(arguments), name, session.committer(arguments),
                                               session.progress("folding"));
    if (read_checkout_record(session.fs(), path)) record_committed_folder(repository, folder, report.commit, name);
    return report;
  }
  FolderCommit options;
  options.base = base;
  options.message = arguments.get("message");
  options.profile = profile_of(arguments);
  options.allow_unaligned = arguments.has("allow-unaligned");
  const std::string dtype = arguments.get("dtype", "keep");
  if (dtype != "keep" && dtype != "base") throw Error(ErrorCode::invalid_argument, "--dtype: expected base or keep, not " + printable(dtype));
  options.dtype = dtype == "base" ? DTypeChoice::base : DTypeChoice::keep;
  if (arguments.has("map")) {
    const std::string map = session.path(arguments.get("map"));
    options.name_map = parse_name_map(read_text_file(session.fs(), map), map);
  }
  const Committer committer = session.committer(arguments);
  std::uint64_t bytes = 0;
  for (const Shard& shard : folder.shards()) bytes += shard.bytes.size();
  announce_reading(2 * bytes, "the commit, with its base,", [&](const std::string& line) { session.note("note: " + line); });
  const CommitReport report = commit_folder(repository, folder, options, name, committer, session.progress("comparing"));
  const bool is_checkout = read_checkout_record(session.fs(), path).has_value();
  if (is_checkout && options.dtype == DTypeChoice::keep) record_committed_folder(repository, folder, report.commit, name);
  return report;
}

int run(const Arguments& arguments, Session& session) {
  if (arguments.get("message").empty()) throw Error(ErrorCode::invalid_argument, "say what this commit is: -m MSG");
  Repository repository = session.open();
  const std::string what = arguments.get("what");
  const std::string folder = session.path(what);
  std::string branch = what;
  CommitReport report;
  const bool staged = RefName::is_valid(what) && exists(session.fs(), repository.path("staged/" + RefName::parse(what).encode()));
  const bool wants_path = arguments.has("base") || what.find('/') != std::string::npos || what == "." || what == "..";
  const bool given = !what.empty() && (!staged || wants_path) && exists(session.fs(), folder);
  if (given && SparsePatch::is_patch(session.fs(), folder)) {
    report = commit_a_patch(arguments, session, repository, folder, branch);
  } else if (given && is_folder(session, folder)) {
    report = commit_a_folder(arguments, session, repository, folder, branch);
  } else {
    if (given && (wants_path || what.ends_with(".safetensors"))) {
      throw Error(ErrorCode::invalid_argument, printable(folder) + ": neither a folder nor a sparse patch in a known layout (docs/adapters.md lists them)");
    }
    if (wants_path && !staged) throw Error(ErrorCode::not_found, printable(folder) + ": no such folder or patch");
    refuse_options(arguments, {"base", "base-from", "map", "dtype", "allow-unaligned", "force"}, "a staged training; give a folder");
    Stage stage = read_stage(repository, choose_stage(repository, what));
    if (arguments.has("name")) stage.name = RefName::parse(arguments.get("name")).text();
    branch = stage.name;
    const Committer committer = session.committer(arguments);
    report = commit_stage(repository, stage, arguments.get("message"), committer, session.progress("comparing"), profile_of(arguments));
  }
  print_commit(session, branch, report);
  return report.unchanged ? 1 : 0;
}

}  // namespace

Command commit_command() {
  return {"commit", "Work", "Store a trained or changed model, an adapter or a sparse patch as a task: a small difference from its base",
          "dstore commit ./fine-tuned --base base --name sst2 -m 'three epochs'\n  dstore commit sst2 -m 'the result of dstore train --name sst2'\n"
          "  dstore commit ./lora-folder --base base --name sst2-lora -m 'PEFT adapter'\n"
          "  dstore commit patch.safetensors --base base --name step-100 -m 'sparse patch'",
          {{"what", "A staged training's name, a changed folder, a PEFT adapter's folder, or a sparse patch", PositionalSpec::optional}},
          {{"-m,--message", "MSG", "What it is (required)"},
           {"--base", "REV", "What the folder was made from (default: what was checked out there)"},
           {"--base-from", "FOLDER", "Read the base that is not in the store from this folder"},
           {"--name", "TASK", "Branch for it (default: the branch that was checked out there)"},
           {"--map", "FILE", "Lines TASK_NAME BASE_NAME for tensors that changed their name"},
           {"--dtype", "base|keep", "Tensors saved in a wider dtype than the base's: cast them to it, or keep them (default)"},
           {"--profile", "compact|fast", "Spare bytes (compact, the default), or the time to check out (fast)"},
           {"--force", nullptr, "Also if the branch has moved on since the folder was checked out"},
           {"--allow-unaligned", nullptr, "Also if nothing in the folder matches the base"},
           {"--author", "WHO", "Author (default: $DSTORE_AUTHOR, or user@host)"},
           {"--no-sign", nullptr, "Make an unsigned commit"}},
          run};
}

}  // namespace dstore::cli
