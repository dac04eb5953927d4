#include <cmath>
#include <concepts>

#include "base/decimal.h"
#include "study/report.h"

namespace dstore::cli {
namespace {

std::string number(const std::optional<double>& value) { return value ? shortest_decimal(*value) : ""; }

/// A field that a spreadsheet reads as it is.
std::string field(const std::string& text) {
  if (text.find_first_of(",\"\n\r") == std::string::npos) return text;
  std::string out = "\"";
  for (const char c : text) out += c == '"' ? std::string("\"\"") : std::string(1, c);
  return out + "\"";
}

class Csv {
 public:
  explicit Csv(std::initializer_list<const char*> headings) {
    for (const char* heading : headings) add(heading);
    end();
  }
  Csv& add(const std::string& text) {
    out_ += (start_ ? "" : ",") + field(text);
    start_ = false;
    return *this;
  }
  Csv& add(const std::optional<double>& value) { return add(number(value)); }
  Csv& add(std::integral auto value) { return add(std::to_string(value)); }
  void end() {
    out_ += '\n';
    start_ = true;
  }
  const std::string& text() const { return out_; }

 private:
  std::string out_;
  bool start_ = true;
};

Csv& add_names(Csv& csv, const Cell& cell) { return csv.add(cell.task->name).add(cell.method->name).add(cell.density).add(cell.seed); }

constexpr const char* kStates[] = {"waiting", "todo", "done", "failed"};

std::string cells_table(const Results& results) {
  Csv csv({"task", "method", "density", "seed", "kind", "state", "lr", "steps", "dev", "test", "train", "gap", "stored_bytes", "changed", "seconds_per_step",
           "cpu_seconds_per_step", "peak_bytes", "seconds", "commit"});
  for (const Cell& cell : results.cells.all()) {
    const RunResult* run = nullptr;
    for (const RunResult& one : results.runs) {
      if (one.cell == &cell) run = &one;
    }
    const auto fact = [&](const char* name) { return cell.content.fact(name); };
    add_names(csv, cell).add(cell.candidate ? "candidate" : cell.sweep ? "sweep" : "run").add(kStates[static_cast<int>(cell.state)]).add(cell.rate).add(cell.steps);
    csv.add(cell.metric("dev")).add(cell.metric("test")).add(cell.metric("train")).add(run ? run->gap() : std::nullopt);
    csv.add(run ? std::to_string(run->bytes()) : "").add(fact("changed")).add(fact("seconds_per_step")).add(fact("cpu_seconds_per_step"));
    csv.add(fact("peak_rss_bytes")).add(fact(kSecondsFact)).add(cell.commit.is_none() ? "" : cell.commit.hex()).end();
  }
  return csv.text();
}

std::string curves_table(const Results& results) {
  Csv csv({"task", "method", "density", "seed", "step", "dev"});
  for (const RunResult& run : results.runs) {
    for (const auto& [step, value] : run.details.curve) add_names(csv, *run.cell).add(step).add(value).end();
  }
  return csv.text();
}

std::string overlap_table(const Results& results) {
  Csv csv({"task", "a", "seed_a", "b", "seed_b", "shared", "either", "jaccard"});
  for (const TaskMasks& masks : results.masks) {
    for (const TaskPair& pair : masks.compared.comparison.pairs) {
      const Cell &a = *masks.runs[pair.a]->cell, &b = *masks.runs[pair.b]->cell;
      csv.add(masks.task->name).add(a.method->name).add(a.seed).add(b.method->name).add(b.seed).add(pair.shared).add(pair.either).add(std::optional(pair.jaccard())).end();
    }
  }
  return csv.text();
}

std::string shares_table(const Results& results) {
  Csv csv({"task", "method", "seed", "by", "part", "weights", "changed", "share"});
  for (const TaskMasks& masks : results.masks) {
    for (std::size_t i = 0; i < masks.runs.size(); ++i) {
      const Cell& cell = *masks.runs[i]->cell;
      for (const MaskShare& share : mask_shares(masks.compared.comparison.tasks[i])) {
        csv.add(masks.task->name).add(cell.method->name).add(cell.seed).add(share.by).add(share.part).add(share.weights).add(share.changed).add(std::optional(share.share)).end();
      }
    }
  }
  return csv.text();
}

std::string intervals_table(const Results& results) {
  Csv csv({"task", "method", "density", "against", "seeds", "texts", "difference", "low", "high"});
  const auto add = [&](const RunGroup& group, const RunGroup& against, const PairedInterval& interval) {
    csv.add(group.task->name).add(group.method->name).add(group.density).add(against.method->name).add(interval.seeds).add(interval.texts);
    csv.add(std::optional(interval.difference)).add(std::optional(interval.low)).add(std::optional(interval.high)).end();
  };
  for (const GroupComparison& one : results.comparisons) add(*one.group, *one.against, one.interval);
  for (const StudyQuestion& question : results.study.questions) {
    const RunGroup *a = results.group(question.task, question.compare), *b = results.group(question.task, question.with);
    if (a == nullptr || b == nullptr || question.with == results.study.against) continue;
    if (const auto interval = Results::compare(*a, *b)) add(*a, *b, *interval);
  }
  return csv.text();
}

}  // namespace

std::vector<MaskShare> mask_shares(const TaskChanges& changes) {
  std::vector<MaskShare> out;
  const auto add = [&](const char* by, const std::vector<PartStats>& parts) {
    for (const PartStats& part : parts) {
      if (part.difference.units == 0) continue;
      const double total = static_cast<double>(changes.total.changed);
      const double share = total > 0 ? static_cast<double>(part.difference.changed) / total : 0;
      out.push_back({by, part.name, part.difference.units, part.difference.changed, share});
    }
  };
  add("layer", parts_by_layer(changes));
  add("role", parts_by_role(changes));
  return out;
}

std::vector<std::pair<std::string, std::string>> study_tables(const Results& results) {
  return {{"cells.csv", cells_table(results)},
          {"curves.csv", curves_table(results)},
          {"overlap.csv", overlap_table(results)},
          {"shares.csv", shares_table(results)},
          {"intervals.csv", intervals_table(results)}};
}

}  // namespace dstore::cli
