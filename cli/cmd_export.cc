#include "command.h"
#include "dstore/error.h"
#include "export_output.h"
#include "output.h"
#include "repo/checkout.h"

namespace dstore::cli {
namespace {

struct Request {
  const Repository& repository;
  const Revision& revision;
  std::string target;
  std::optional<std::uint64_t> rank;
  const Progress& progress;
};

ExportReport copy_files(const Request& request, bool adapter) {
  CheckoutOptions options;
  options.record = false;
  options.adapter = adapter;
  CheckoutReport done = checkout(request.repository, request.revision, request.target, options, request.progress);
  ExportReport report;
  report.commits = std::move(done.commits);
  report.bytes = done.bytes;
  report.files = done.written;
  return report;
}

ExportReport plain_folder(const Request& request) { return copy_files(request, false); }

/// Whether it was committed from an adapter's folder, of that kind.
bool was_adapter(const Request& request, bool (*is_kind)(const Commit&)) {
  if (request.revision.computed) return false;
  const Commit commit = request.repository.read_commit(request.revision.commit);
  return commit.adapter && is_kind(commit);
}

/// Without a rank: the factors that the task was committed with.
ExportReport lora(const Request& request) {
  if (request.rank) return export_lora(request.repository, request.revision, *request.rank, request.target, request.progress);
  if (was_adapter(request, [](const Commit& commit) { return commit.fact("method") != "shira"; })) return copy_files(request, true);
  throw Error(ErrorCode::invalid_argument, "\"" + printable(request.revision.text) + "\" was not committed as LoRA: say which rank the factors get (--rank 16)");
}

ExportReport shira(const Request& request) {
  if (was_adapter(request, [](const Commit& commit) { return commit.fact("method") == "shira"; })) return copy_files(request, true);
  return export_shira(request.repository, request.revision, request.target, request.progress);
}

ExportReport sparse(const Request& request) { return export_sparse(request.repository, request.revision, request.target, request.progress); }

struct Format {
  std::string_view name;
  ExportReport (*write)(const Request&);
  bool takes_rank;
};
constexpr Format kFormats[] = {{"hf", plain_folder, false}, {"peft-lora", lora, true}, {"peft-shira", shira, false}, {"sparse-safetensors", sparse, false}};

const Format& find_format(const std::string& name) {
  std::string names;
  for (const Format& format : kFormats) {
    if (format.name == name) return format;
    names += (names.empty() ? "" : ", ") + std::string(format.name);
  }
  throw Error(ErrorCode::invalid_argument, (name.empty() ? "say what to write: --format " : "--format: \"" + printable(name) + "\" is not known; there are ") + names);
}

int run(const Arguments& arguments, Session& session) {
  const Format& format = find_format(arguments.get("format"));
  if (!arguments.has("output")) throw Error(ErrorCode::invalid_argument, "say where to: dstore export REV --format " + std::string(format.name) + " -o PATH");
  const auto rank = arguments.number("rank");
  if (rank && !format.takes_rank) throw Error(ErrorCode::invalid_argument, "--rank goes with --format peft-lora alone");
  Repository repository = session.open();
  const Revision revision = resolve_revision(repository, arguments.get("rev"));
  const auto base = base_from(arguments, session, repository, commit_on_base(revision));
  const std::string target = session.path(arguments.get("output"));
  ExportReport report;
  {
    const Progress progress = session.progress("exporting");
    report = format.write({repository, revision, target, rank, progress});
  }
  print_export(session, report, format.name, revision.text, target);
  return 0;
}

}  // namespace

Command export_command() {
  return {"export", "Work", "Write a revision in another tool's format",
          "dstore export base+sst2 --format hf -o ./plain\n  dstore export sst2 --format peft-lora --rank 16 -o ./lora\n"
          "  dstore export sst2 --format sparse-safetensors -o sst2.safetensors",
          {{"rev", "base, task, base+task, task~1, a tag, an id prefix, or what is computed from several"}},
          {{"--format", "FORMAT", "hf: the files of a checkout; peft-lora, peft-shira: a PEFT folder; sparse-safetensors: changed elements in one file (required)"},
           {"-o,--output", "PATH", "A new or empty folder; for sparse-safetensors a new file (required)"},
           {"--rank", "R", "Of LoRA factors, made by a truncated SVD (default: the factors that the task was committed with)"},
           {"--base-from", "FOLDER", "Read the base that is not in the store from this folder"}},
          run};
}

}  // namespace dstore::cli
