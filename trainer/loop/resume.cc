#include "trainer/loop/resume.h"

#include <filesystem>
#include <sstream>

#include "base/bytes.h"
#include "base/decimal.h"
#include "dstore/error.h"
#include "trainer/optim/threads.h"

namespace dstore {
namespace {

/// All that decides the run, by option.
RunConfig resolved_config(const TrainOptions& o, const MethodRow& method, const MethodOptions& m, const Settings& settings, const TaskData& data,
                          Pooling pooling, long eval_every) {
  RunConfig config = o.given;
  for (const char* shorthand : {"train", "structure", "set", "density"}) config.erase(shorthand);
  const auto put = [&](const char* name, std::string value) {
    if (!value.empty()) config[name] = {std::move(value)};
  };
  put("method", std::string(method.name));
  for (const auto& [name, value] : settings.all()) {
    if (!value.empty() && name != "lr") config["set"].push_back(name + "=" + value);
  }
  if (method.density > 0) put("density", shortest_decimal(m.density));
  for (const auto& [name, value] : {std::pair{"lr", m.lr}, {"head-lr", m.head_lr}, {"warmup", m.warmup}, {"weight-decay", m.weight_decay},
                                    {"clip", m.clip}}) {
    put(name, shortest_decimal(value));
  }
  put("schedule", std::string(schedule_name(m.schedule)));
  put("seed", std::to_string(o.seed));
  o.steps > 0 ? put("steps", std::to_string(o.steps)) : put("epochs", shortest_decimal(o.epochs));
  put("batch", std::to_string(o.batch));
  put("accumulate", std::to_string(o.accumulate));
  put("precision", o.precision);
  put("buckets", std::to_string(o.buckets));
  put("eval-every", std::to_string(eval_every));
  put("max-length", std::to_string(data.max_length));
  put("pooling", std::string(pooling_name(pooling)));
  put("task", o.data.task);
  put("format", data.format);
  put("text-column", data.text_column);
  put("pair-column", data.pair_column);
  put("label-column", data.label_column);
  put("keep", o.keep);
  put("threads", std::to_string(training_threads()));
  put("device", o.device);
  return config;
}

/// The words of `before` that are not in `now`, as "train=..., test=...".
std::string changed_digests(const std::string& before, const std::string& now) {
  std::string text;
  std::istringstream words(before);
  for (std::string word; words >> word;) {
    if ((" " + now + " ").find(" " + word + " ") == std::string::npos) text += (text.empty() ? "" : ", ") + word;
  }
  return text;
}

/// What the run goes on from must be what it began with. Error{invalid_argument} that says what is not.
void check_resumed(const RunFolder& folder, RunRecord& before, const RunRecord& now) {
  const auto fail = [&](const std::string& what) { throw Error(ErrorCode::invalid_argument, "--resume " + printable(folder.task()) + ": " + what); };
  if (before.base != now.base) fail("it was started on commit " + before.base + ", not " + now.base);
  require_data(before.data, now.data, "--resume " + printable(folder.task()));
  const std::string differing = differences(before.config, now.config, folder.rates_may_differ());
  if (!differing.empty()) fail("it was started with " + differing + ": leave that out, or start anew with --restart");
}

}  // namespace

void require_method(const TrainOptions& o, const RunFolder& folder) {
  const RunConfig before = folder.record().config;
  const auto method = before.find("method");
  if (method == before.end() || method->second == std::vector{o.method}) return;
  throw Error(ErrorCode::invalid_argument, "--resume " + printable(folder.task()) + ": it was started with method " + method->second.front() +
              ", not " + printable(o.method) + ": leave that out, or start anew with --restart");
}

void require_data(const std::string& recorded, const std::string& now, const std::string& what) {
  if (recorded == now) return;
  const std::string gone = changed_digests(recorded, now), come = changed_digests(now, recorded);
  throw Error(ErrorCode::invalid_argument, what + ": other data than recorded: " + (gone.empty() ? "" : "recorded " + gone) +
              (gone.empty() || come.empty() ? "" : "; ") + (come.empty() ? "" : "now " + come));
}

RunRecord new_record(const TrainOptions& o, const MethodRow& method, const MethodOptions& m, const Settings& settings, const TaskData& data,
                     Pooling pooling, long eval_every) {
  return {"", "", std::filesystem::current_path().string(), resolved_config(o, method, m, settings, data, pooling, eval_every), ""};
}

std::optional<long> settle_run(const TrainOptions& o, RunFolder& folder, RunRecord& record) {
  if (!o.resume) {
    folder.clear();
    folder.write_record(record);
    return std::nullopt;
  }
  RunRecord before = folder.record();
  check_resumed(folder, before, record);
  const std::vector<long> steps = folder.saved_steps();
  if (o.from_step && steps.empty()) throw Error(ErrorCode::not_found, "--from-step: no step of " + printable(folder.task()) + " is saved yet");
  const std::optional<long> from = o.from_step ? o.from_step : steps.empty() ? std::nullopt : std::optional(steps.back());
  record.changes = before.changes;
  const std::string changes = differences(before.config, record.config, false);
  if (!changes.empty()) folder.remove_after(from.value_or(0));
  if (!changes.empty()) record.changes += (record.changes.empty() ? "" : "; ") + ("up to step " + std::to_string(from.value_or(0))) + " " + changes;
  folder.write_record(record);
  return from;
}

bool saves(const TrainOptions& o) { return o.save_every ? *o.save_every > 0 : !o.run.empty(); }

std::unique_ptr<RunFolder> new_run_folder(const TrainOptions& o) {
  if (o.run.empty()) throw Error(ErrorCode::invalid_argument, "--save-every: only `dstore train` knows where to save");
  auto folder = std::make_unique<RunFolder>(o.run, o.name);
  const std::vector<long> steps = folder->saved_steps();
  if (folder->started() && !steps.empty() && !o.restart) {
    throw Error(ErrorCode::conflict, "a run " + printable(o.name) + " is unfinished (step " + std::to_string(steps.back()) +
                " is saved): go on with " + resume_command(o.name) + ", or start anew with --restart");
  }
  return folder;
}

}  // namespace dstore
