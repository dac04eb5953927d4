#include "checkout_output.h"
#include "command.h"
#include "dstore/error.h"
#include "repo/apply.h"
#include "repo/bundle.h"

namespace dstore::cli {
namespace {

Revision bundled_revision(const Bundle& bundle, const Arguments& arguments) {
  const BundledTask task = bundle.choose(arguments.get("task"), arguments.has("allow-unsigned"));
  Revision revision;
  revision.text = task.name;
  revision.commit = task.commit;
  return revision;
}

int apply_revision(const Arguments& arguments, Session& session, Repository& repository, const Revision& task) {
  const std::string folder = session.path(arguments.get("folder"));
  const auto notice = [&](const std::string& line) { session.note("note: " + line); };
  if (arguments.has("output")) {
    const std::string out = session.path(arguments.get("output"));
    CheckoutOptions options;
    options.single_file = arguments.has("single-file");
    options.notice = notice;
    CheckoutReport report;
    {
      const Progress progress = session.progress("applying");
      report = apply_to_new(repository, task, folder, out, options, progress);
    }
    print_written(session, out, task.text, report);
    return 0;
  }
  if (arguments.has("single-file")) throw Error(ErrorCode::invalid_argument, "--single-file goes with -o FOLDER");
  ChangeOptions options;
  options.verify = arguments.has("verify");
  options.notice = notice;
  ApplyReport report;
  {
    const Progress progress = session.progress("applying");
    report = apply_task(repository, task, folder, options, progress);
  }
  print_change(session, folder, report);
  return 0;
}

int run(const Arguments& arguments, Session& session) {
  const std::string file = session.path(arguments.get("task-or-bundle"));
  if (Bundle::is_bundle(session.fs(), file)) {
    Bundle bundle(session.fs(), file, session.path(arguments.get(arguments.has("output") ? "output" : "folder")));
    const Revision task = bundled_revision(bundle, arguments);
    return apply_revision(arguments, session, bundle.repository(), task);
  }
  for (const char* option : {"task", "allow-unsigned"}) {
    if (arguments.has(option)) throw Error(ErrorCode::invalid_argument, std::string("--") + option + " goes with a bundle, and " + printable(file) + " is none");
  }
  Repository repository = session.open();
  const Revision task = resolve_revision(repository, arguments.get("task-or-bundle"));
  return apply_revision(arguments, session, repository, task);
}

}  // namespace

Command apply_command() {
  return {"apply", "Work", "Put a task on a folder that holds its base: in place, or with -o into a new folder",
          "dstore apply sst2 ./bert-base\n  dstore apply 'base+0.7*sst2 - toxic' ./bert-base\n  dstore apply sst2.bundle ./bert-base -o ./sst2",
          {{"task-or-bundle", "A task of the repository, base+task, what is computed from several, or a file that `dstore bundle` made (needs no repository)"},
           {"folder", "A checkout of the base, or any folder with the base's weights"}},
          {{"-o,--output", "FOLDER", "Write a new folder; the other one is only read"},
           {"--task", "NAME", "Which task of a bundle that has several"},
           {"--allow-unsigned", nullptr, "Take a bundle's task that nobody signed"},
           {"--single-file", nullptr, "With -o: all tensors in one model.safetensors"},
           {"--verify", nullptr, "Hash every file before, and the changed ones afterwards"}},
          run};
}

}  // namespace dstore::cli
