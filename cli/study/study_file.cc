#include "study/study_file.h"

#include <algorithm>
#include <cmath>
#include <set>

#include "base/bytes.h"
#include "base/decimal.h"
#include "base/edit_distance.h"
#include "base/sha256.h"
#include "dstore/error.h"
#include "yaml_part.h"

namespace dstore::cli {
namespace {

std::uint64_t positive(const YamlPart& part) {
  const std::uint64_t value = part.number();
  if (value == 0) part.fail("expected a number above 0");
  if (value > 1'000'000'000) part.fail("too large");
  return value;
}

double decimal(const YamlPart& part, const std::string& text) {
  const auto value = parse_number(text);
  if (!value) part.fail("expected a number, not \"" + printable(text) + "\"");
  return *value;
}

double rate(const YamlPart& part, const std::string& text) {
  const double value = decimal(part, text);
  if (!(value > 0)) part.fail("a learning rate is above 0");
  return value;
}

double density(const YamlPart& part, const std::string& text) {
  try {
    return parse_density(text);
  } catch (const Error& error) {
    part.fail(error.what());
  }
}

bool yes(const YamlPart& part) {
  const std::string word = part.text();
  if (word != "yes" && word != "no") part.fail("expected yes or no");
  return word == "yes";
}

/// A component of a branch's name.
void require_name(const YamlPart& part, const std::string& name) {
  if (!RefName::is_valid("a/" + name) || name.find('/') != std::string::npos) {
    part.fail("\"" + printable(name) + "\": a name becomes a part of a branch's; use letters, digits, '.', '_' and '-'");
  }
}

template <class Value>
void require_different(const YamlPart& part, const std::vector<Value>& values) {
  if (std::set<Value>(values.begin(), values.end()).size() != values.size()) part.fail("the same value stands there twice");
}

std::vector<std::uint64_t> seeds(const YamlPart& part) {
  std::vector<std::uint64_t> out;
  if (!part.is_list()) {
    out.push_back(part.number());
  } else {
    for (const YamlPart& item : part.items()) out.push_back(item.number());
  }
  if (out.empty()) part.fail("expected at least one seed");
  require_different(part, out);
  return out;
}

template <double (*kParse)(const YamlPart&, const std::string&)>
std::vector<double> numbers(const YamlPart& part) {
  std::vector<double> out;
  for (const std::string& text : part.texts()) out.push_back(kParse(part, text));
  require_different(part, out);
  return out;
}

constexpr YamlKey<StudyTask> kTaskKeys[] = {
    {"train", [](StudyTask& task, const YamlPart& part) { task.train = part.text(); }},
    {"dev", [](StudyTask& task, const YamlPart& part) { task.dev = part.text(); }},
    {"test", [](StudyTask& task, const YamlPart& part) { task.test = part.text(); }},
    {"format", [](StudyTask& task, const YamlPart& part) { task.format = part.text(); }},
    {"text_column", [](StudyTask& task, const YamlPart& part) { task.text_column = part.text(); }},
    {"pair_column", [](StudyTask& task, const YamlPart& part) { task.pair_column = part.text(); }},
    {"label_column", [](StudyTask& task, const YamlPart& part) { task.label_column = part.text(); }},
    {"learning_rates_of", [](StudyTask& task, const YamlPart& part) { task.rates_of = part.text(); }},
    {"methods", [](StudyTask& task, const YamlPart& part) { task.methods = part.texts(); }},
    {"steps", [](StudyTask& task, const YamlPart& part) { task.steps = positive(part); }},
    {"eval_every", [](StudyTask& task, const YamlPart& part) { task.eval_every = positive(part); }},
    {"sweep", [](StudyTask& task, const YamlPart& part) { task.sweep = yes(part); }},
};

constexpr YamlKey<StudyMethod> kMethodKeys[] = {
    {"method", [](StudyMethod& method, const YamlPart& part) { method.method = part.text(); }},
    {"density", [](StudyMethod& method, const YamlPart& part) { method.density = density(part, part.text()); }},
    {"sweep", [](StudyMethod& method, const YamlPart& part) { method.sweep = numbers<density>(part); }},
    {"sweep_seeds", [](StudyMethod& method, const YamlPart& part) { method.sweep_seeds = seeds(part); }},
    {"set",
     [](StudyMethod& method, const YamlPart& part) {
       for (const auto& [key, value] : part.members()) method.settings[key] = value.text();
     }},
    {"train", [](StudyMethod& method, const YamlPart& part) { method.train = part.text(); }},
    {"lr", [](StudyMethod& method, const YamlPart& part) { method.rates = numbers<rate>(part); }},
    {"lr_is", [](StudyMethod& method, const YamlPart& part) { method.rate_setting = part.text(); }},
    {"head_lr", [](StudyMethod& method, const YamlPart& part) { method.head_rate = rate(part, part.text()); }},
};

void set_condition(StudyQuestion& question, const YamlPart& part, StudyQuestion::Kind kind) {
  question.kind = kind;
  question.points = decimal(part, part.text());
  if (kind == StudyQuestion::Kind::within && question.points <= 0) part.fail("expected a number above 0");
}

constexpr YamlKey<StudyQuestion> kQuestionKeys[] = {
    {"ask", [](StudyQuestion& question, const YamlPart& part) { question.ask = part.text(); }},
    {"task", [](StudyQuestion& question, const YamlPart& part) { question.task = part.text(); }},
    {"compare", [](StudyQuestion& question, const YamlPart& part) { question.compare = part.text(); }},
    {"with", [](StudyQuestion& question, const YamlPart& part) { question.with = part.text(); }},
    {"at_least", [](StudyQuestion& question, const YamlPart& part) { set_condition(question, part, StudyQuestion::Kind::at_least); }},
    {"above", [](StudyQuestion& question, const YamlPart& part) { set_condition(question, part, StudyQuestion::Kind::above); }},
    {"within", [](StudyQuestion& question, const YamlPart& part) { set_condition(question, part, StudyQuestion::Kind::within); }},
};

constexpr YamlKey<Study> kRateKeys[] = {
    {"steps", [](Study& study, const YamlPart& part) { study.rate_steps = positive(part); }},
    {"seed", [](Study& study, const YamlPart& part) { study.rate_seed = part.number(); }},
};

void read_tasks(Study& study, const YamlPart& part) {
  for (const auto& [name, value] : part.members()) {
    require_name(value, name);
    StudyTask& task = study.tasks.emplace_back();
    task.name = name;
    read_members(task, value, kTaskKeys);
    if (task.train.empty() || task.dev.empty() || task.test.empty()) value.fail("a task needs train, dev and test");
  }
}

void read_methods(Study& study, const YamlPart& part) {
  for (const auto& [name, value] : part.members()) {
    require_name(value, name);
    StudyMethod& method = study.methods.emplace_back();
    method.name = name;
    read_members(method, value, kMethodKeys);
    if (method.method.empty()) value.fail("say which method: `dstore train --list-methods` shows them");
    if (!method.rate_setting.empty() && method.settings.contains(method.rate_setting)) value.fail("lr_is and set give the same setting");
    if (!method.sweep.empty() && !method.density) value.fail("a sweep needs a density, at which the learning rate is chosen");
    if (std::count(method.sweep.begin(), method.sweep.end(), method.density.value_or(0)) > 0) value.fail("the sweep has the method's own density again");
  }
}

void read_questions(Study& study, const YamlPart& part) {
  for (const YamlPart& item : part.items()) {
    StudyQuestion& question = study.questions.emplace_back();
    read_members(question, item, kQuestionKeys);
    std::size_t conditions = 0;
    for (const auto& [name, value] : item.members()) conditions += name == "at_least" || name == "above" || name == "within";
    if (conditions != 1) item.fail("a question has one of at_least, above, within: points of accuracy");
    if (question.ask.empty() || question.compare.empty() || question.with.empty()) item.fail("a question needs ask, compare and with");
  }
}

constexpr YamlKey<Study> kKeys[] = {
    {"name", [](Study& study, const YamlPart& part) { require_name(part, study.name = part.text()); }},
    {"base", [](Study& study, const YamlPart& part) { study.base = part.text(); }},
    {"branches", [](Study& study, const YamlPart& part) { study.prefix = RefName::parse(part.text()).text(); }},
    {"against", [](Study& study, const YamlPart& part) { study.against = part.text(); }},
    {"steps", [](Study& study, const YamlPart& part) { study.steps = positive(part); }},
    {"batch", [](Study& study, const YamlPart& part) { study.batch = positive(part); }},
    {"max_length", [](Study& study, const YamlPart& part) { study.max_length = positive(part); }},
    {"eval_every", [](Study& study, const YamlPart& part) { study.eval_every = positive(part); }},
    {"train_sample", [](Study& study, const YamlPart& part) { study.train_sample = positive(part); }},
    {"threads", [](Study& study, const YamlPart& part) { study.threads = positive(part); }},
    {"seeds", [](Study& study, const YamlPart& part) { study.seeds = seeds(part); }},
    {"choose_lr", [](Study& study, const YamlPart& part) { read_members(study, part, kRateKeys); }},
    {"tasks", read_tasks},
    {"methods", read_methods},
    {"questions", read_questions},
};

/// Names that others give must be there.
class Names {
 public:
  Names(const Study& study, const std::string& path) : path_(path) {
    for (const StudyTask& task : study.tasks) tasks_.push_back(task.name);
    for (const StudyMethod& method : study.methods) methods_.push_back(method.name);
  }
  [[noreturn]] void fail(const std::string& message) const { throw Error(ErrorCode::invalid_argument, printable(path_) + ": " + message); }
  void require_task(const std::string& name, const std::string& where) const { require(tasks_, "task", name, where); }
  void require_method(const std::string& name, const std::string& where) const { require(methods_, "method", name, where); }

 private:
  void require(const std::vector<std::string>& known, const char* what, const std::string& name, const std::string& where) const {
    if (std::find(known.begin(), known.end(), name) != known.end()) return;
    const auto near = nearest(name, known);
    fail(where + ": the file has no " + what + " \"" + printable(name) + "\"" + (near ? "; did you mean " + *near + "?" : ""));
  }
  const std::string& path_;
  std::vector<std::string> tasks_, methods_;
};

void check_task(const Study& study, const StudyTask& task, const Names& names) {
  for (const std::string& method : task.methods) names.require_method(method, "task " + task.name + ", methods");
  if (task.rates_of.empty()) return;
  names.require_task(task.rates_of, "task " + task.name + ", learning_rates_of");
  const StudyTask& other = study.task(task.rates_of);
  if (!other.rates_of.empty()) names.fail("task " + task.name + ", learning_rates_of: " + other.name + " has none of its own");
  for (const StudyMethod& method : study.methods) {
    if (method.rates.size() > 1 && task.runs(method.name) && !other.runs(method.name)) {
      names.fail("task " + task.name + ", learning_rates_of: " + method.name + " is not run on " + other.name);
    }
  }
}

void check(Study& study, const std::string& path) {
  const Names names(study, path);
  const std::pair<const char*, bool> needed[] = {{"name", study.name.empty()}, {"base", study.base.empty()}, {"steps", study.steps == 0},
                                                 {"seeds", study.seeds.empty()}, {"tasks", study.tasks.empty()}, {"methods", study.methods.empty()}};
  for (const auto& [key, missing] : needed) {
    if (missing) names.fail(std::string(key) + " is missing");
  }
  if (study.prefix.empty()) study.prefix = "study/" + study.name;
  if (study.against.empty()) study.against = study.method("full") != nullptr ? "full" : study.methods.front().name;
  names.require_method(study.against, "against");
  for (const StudyTask& task : study.tasks) check_task(study, task, names);
  for (const StudyMethod& method : study.methods) {
    if (method.rates.size() > 1 && study.rate_steps == 0) names.fail("choose_lr is missing: the steps of the runs that choose the learning rate of " + method.name);
  }
  for (StudyQuestion& question : study.questions) {
    const std::string where = "question \"" + printable(question.ask) + "\"";
    if (question.task.empty()) question.task = study.tasks.front().name;
    names.require_task(question.task, where);
    for (const std::string* method : {&question.compare, &question.with}) {
      names.require_method(*method, where);
      if (!study.task(question.task).runs(*method)) names.fail(where + ": " + *method + " is not run on " + question.task);
    }
  }
}

}  // namespace

bool StudyTask::runs(const std::string& method) const { return methods.empty() || std::find(methods.begin(), methods.end(), method) != methods.end(); }

const StudyTask& Study::task(const std::string& wanted) const {
  return *std::find_if(tasks.begin(), tasks.end(), [&](const StudyTask& task) { return task.name == wanted; });
}

const StudyMethod* Study::method(const std::string& wanted) const {
  const auto at = std::find_if(methods.begin(), methods.end(), [&](const StudyMethod& method) { return method.name == wanted; });
  return at == methods.end() ? nullptr : &*at;
}

Study read_study(Filesystem& fs, const std::string& path) {
  const std::string text = read_text_file(fs, path);
  Study study;
  study.sha256 = dstore::sha256(as_bytes(text)).hex();
  read_yaml(text, path, "study", [&](const YamlPart& top) { read_members(study, top, kKeys); });
  check(study, path);
  return study;
}

std::string density_name(double density) { return shortest_decimal(std::round(density * 1e8) / 1e6); }

std::string condition_text(const StudyQuestion& question) {
  const std::string points = shortest_decimal(question.points) + (std::fabs(question.points) == 1 ? " point" : " points");
  if (question.kind == StudyQuestion::Kind::within) return "within " + points + " either way";
  return (question.kind == StudyQuestion::Kind::above ? "above " : "at least ") + points;
}

}  // namespace dstore::cli
