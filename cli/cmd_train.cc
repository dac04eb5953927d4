#include <algorithm>
#include <nlohmann/json.hpp>

#include "command.h"
#include "commit_output.h"
#include "dstore/error.h"
#include "exit_code.h"
#include "repo/revision.h"
#include "train_reproduce.h"
#include "train_seeds.h"
#include "training_run.h"

namespace dstore::cli {
namespace {

constexpr const char* kOwnOptions =
    "\nThe result:\n"
    "  --name TASK                 what the task is called; also the branch that commit makes\n"
    "  --seeds 1,2,3               a task for each seed, TASK-1 and so on, and the mean and deviation of their metrics\n"
    "  --resume TASK               go on with a run that was interrupted or killed; all options are known\n"
    "  --reproduce COMMIT          do a recorded training again and say what differs; --data, --dev, --test: where the data is now\n"
    "  -m,--message MSG            commit at once (else the result is staged for `dstore commit TASK -m MSG`)\n"
    "  --author WHO, --no-sign     as in `dstore commit`\n"
    "  -C DIR                      work as if started in DIR";

bool asks_for_information(const std::vector<std::string>& rest) {
  for (const std::string& word : rest) {
    if (is_help(word) || word == "--list-methods" || word == "--list-models" || word == "--dry-run") return true;
  }
  return false;
}

void print_staged(const Stage& stage) {
  nlohmann::ordered_json json = {{"staged", stage.name}, {"training", stage.training}, {"metrics", nlohmann::ordered_json::array()}};
  for (const Metric& metric : stage.metrics) json["metrics"].push_back({{"split", metric.split}, {"name", metric.name}, {"value", metric.value}, {"n", metric.n}});
  print_json(json.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace));
}

/// Trains and stages; commits with -m. `metrics` hears the result's.
int finish(const Arguments& arguments, Session& session, Repository& repository, TrainingRun& training, const RefName& name, const std::vector<std::string>& rest,
           SeedMetrics* metrics = nullptr) {
  const bool commit_now = arguments.has("message");
  const Committer committer = commit_now ? session.committer(arguments) : Committer{};
  if (const int status = training.run(rest); status != 0) return status;
  training.stage(name);
  if (metrics != nullptr) metrics->add(read_stage(repository, name).metrics);
  if (!commit_now) {
    if (session.json && metrics == nullptr) print_staged(read_stage(repository, name));
    session.say("staged as " + name.text() + "; commit it with: dstore commit " + name.text() + " -m MSG");
    return 0;
  }
  const CommitReport report = commit_stage(repository, read_stage(repository, name), arguments.get("message"), committer, session.progress("comparing"));
  print_commit(session, name.text(), report);
  return 0;
}

/// One task a seed.
int train_seeds(const Arguments& arguments, Session& session, Repository& repository, const RefName& name) {
  const std::vector<std::string> seeds = parse_seeds(arguments.get("seeds"));
  for (const std::string& seed : seeds) name_of_seed(name, seed);
  SeedMetrics metrics;
  std::vector<std::string> names;
  for (const std::string& seed : seeds) {
    const RefName task = name_of_seed(name, seed);
    TrainingRun training(session, repository, arguments.rest.front());
    training.save_as(task, false);
    std::vector<std::string> rest = arguments.rest;
    rest.insert(rest.end(), {"--seed", seed});
    if (const int status = finish(arguments, session, repository, training, task, rest, &metrics); status != 0) return status;
    names.push_back(task.text());
  }
  metrics.print(session, names);
  return 0;
}

/// Everything is in the saved run; what is typed again must agree.
int resume_train(const Arguments& arguments, Session& session) {
  const RefName name = RefName::parse(arguments.get("resume"));
  if (arguments.has("name") && arguments.get("name") != name.text()) {
    throw Error(ErrorCode::invalid_argument, "--resume " + name.text() + ": its name is " + name.text() + ", not " + printable(arguments.get("name")));
  }
  Repository repository = session.open();
  const ObjectId base = base_of_run(repository, name);
  std::vector<std::string> rest = arguments.rest;
  if (!rest.empty() && !rest.front().starts_with("-")) {
    const ObjectId typed = resolve_commit(repository, rest.front());
    if (typed != base) {
      throw Error(ErrorCode::invalid_argument, "--resume " + name.text() + ": it was started on commit " + base.short_hex() + ", and " + printable(rest.front()) +
                                                   " is " + typed.short_hex() + "; leave it out");
    }
    rest.erase(rest.begin());
  }
  rest.insert(rest.begin(), base.hex());
  TrainingRun training(session, repository, base.hex());
  training.save_as(name, true);
  return finish(arguments, session, repository, training, name, rest);
}

int run_train(const Arguments& arguments, Session& session) {
  if (explain_without_trainer(session, train_command(), arguments.rest)) return 0;
  if (asks_for_information(arguments.rest)) {
    const int status = run_trainer(session, trainer_words(session, "train", arguments.rest));
    const bool help = std::find_if(arguments.rest.begin(), arguments.rest.end(), is_help) != arguments.rest.end();
    if (help) session.say(kOwnOptions);
    return status;
  }
  if (arguments.has("reproduce")) return reproduce(arguments, session);
  if (arguments.has("resume")) return resume_train(arguments, session);
  if (arguments.rest.empty() || arguments.rest.front().starts_with("-")) {
    throw Error(ErrorCode::invalid_argument, "say what to train, before the options: dstore train REV --method METHOD --data TRAIN.tsv --name TASK");
  }
  if (!arguments.has("name")) throw Error(ErrorCode::invalid_argument, "give the task a name: --name TASK");
  const RefName name = RefName::parse(arguments.get("name"));
  Repository repository = session.open();
  if (arguments.has("seeds")) return train_seeds(arguments, session, repository, name);
  TrainingRun training(session, repository, arguments.rest.front());
  training.save_as(name, false);
  return finish(arguments, session, repository, training, name, arguments.rest);
}

}  // namespace

Command train_command() {
  return {"train", "Work", "Train a task: full, chosen modules, BitFit, sparse masks (--list-methods)", "dstore train base --method diff-pruning --density 0.5% --data train.tsv --name sst2",
          {},
          {{"--name", "TASK", "Name of the task (and of its branch)"},
           {"--seeds", "N,N", "A task for each seed: TASK-N"},
           {"--reproduce", "COMMIT", "Do a recorded training again and say what differs"},
           {"--resume", "TASK", "Go on with a run that was interrupted or killed"},
           {"-m,--message", "MSG", "Commit at once"},
           {"--author", "WHO", "Author of that commit"},
           {"--no-sign", nullptr, "Make it an unsigned commit"}},
          run_train, true};
}

}  // namespace dstore::cli
