#include "base/decimal.h"
#include "base/sha256.h"
#include "command.h"
#include "dstore/error.h"
#include "repo/revision.h"
#include "sparsify_output.h"
#include "tensor/safetensors_file.h"

namespace dstore::cli {
namespace {

/// --name, a new branch, or the branch that REV names.
RefName choose_branch(const Repository& repository, const Arguments& arguments, const std::string& revision) {
  if (!arguments.has("name")) {
    if (const auto branch = resolve_revision(repository, revision).branch) return *branch;
    throw Error(ErrorCode::invalid_argument, "\"" + printable(revision) + "\" names no branch; give the result one: --name TASK");
  }
  const RefName name = RefName::parse(arguments.get("name"));
  const auto head = repository.refs().head(name);
  if (head && !head->is_deletion()) throw Error(ErrorCode::conflict, name.text() + " exists already; give the result another --name");
  return name;
}

std::optional<SafetensorsFile> open_importance(const Arguments& arguments, const Session& session, const Score& score) {
  if (score.needs_importance == arguments.has("file")) {
    if (!score.needs_importance) return std::nullopt;
    return SafetensorsFile(session.path(arguments.get("file")));
  }
  const std::string option = "--by " + std::string(score.name);
  throw Error(ErrorCode::invalid_argument, score.needs_importance ? option + " needs the importance of each weight: " + option + " FILE.safetensors"
                                                                  : option + " takes no file; --by fisher does");
}

int run(const Arguments& arguments, Session& session) {
  if (!arguments.has("density")) throw Error(ErrorCode::invalid_argument, "say how much is to be kept: --density 0.5%");
  SparsifyOptions options;
  options.density = parse_density(arguments.get("density"));
  options.scope = parse_scope(arguments.get("scope", "global"));
  options.score = &find_score(arguments.get("by", "magnitude"));
  const std::string revision = arguments.get("rev");
  options.message = arguments.get("message", "sparsify " + revision + " to " + arguments.get("density"));
  if (options.message.empty()) throw Error(ErrorCode::invalid_argument, "say what this commit is: -m MSG");
  const auto importance = open_importance(arguments, session, *options.score);
  if (importance) {
    options.importance = {&*importance, importance->path()};
    options.facts["fisher_sha256"] = sha256(importance->bytes()).hex();
  }
  Repository repository = session.open();
  SparsifyOutcome outcome;
  const MergeSource source = find_merge_source(repository, revision);
  const auto base_folder = base_from(arguments, session, repository, source.computed ? commit_on_base(*source.computed) : source.commit);
  const RefName branch = choose_branch(repository, arguments, revision);
  outcome.branch = branch.text();
  const Committer committer = session.committer(arguments);
  const SparsifyReport report = sparsify(repository, source, options, branch, committer, session.progress("sparsifying"));
  CommitSizer sizer(repository);
  outcome.stored_before = sizer.sizes(report.source, repository.read_commit(report.source)).stored();
  outcome.stored_after = sizer.sizes(report.commit, repository.read_commit(report.commit)).stored();
  print_sparsify(session, options, report, outcome);
  return report.unchanged ? 1 : 0;
}

}  // namespace

Command sparsify_command() {
  return {"sparsify", "Work", "Keep only the largest entries of a task's change, as a new commit of it",
          "dstore sparsify sst2 --density 0.5% --name sst2-sparse\n  dstore sparsify sst2 --density 0.5% --by fisher fisher.safetensors\n"
          "  dstore sparsify 'base+0.5*sst2+0.5*mnli' --density 1% --name both",
          {{"rev", "A task, such as a full fine-tune, or what is computed"}, {"file", "With --by fisher: F for each weight, under the task's tensor names", PositionalSpec::optional}},
          {{"--density", "T", "Share of the base's weights that stay changed, exactly: 0.5% or 0.005"},
           {"--scope", "global|tensor", "That share of all weights together (default), or of each tensor"},
           {"--by", "SCORE", "Largest what, for d = new - old: magnitude |d| (default), relative |d|/|old|, fisher F*d^2"},
           {"--name", "TASK", "New branch for the result (default: the branch that REV names moves on; what is computed names none)"},
           {"-m,--message", "MSG", "What it is (default: what was done)"},
           {"--base-from", "FOLDER", "Read the base that is not in the store from this folder"},
           {"--author", "WHO", "Author (default: $DSTORE_AUTHOR, or user@host)"},
           {"--no-sign", nullptr, "Make an unsigned commit"}},
          run};
}

}  // namespace dstore::cli
