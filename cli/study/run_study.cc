#include "study/run_study.h"

#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <iostream>
#include <set>

#include "base/decimal.h"
#include "base/interrupt.h"
#include "dstore/error.h"
#include "exit_code.h"
#include "output.h"
#include "study/cell_output.h"
#include "study/cell_stage.h"
#include "study/estimate.h"
#include "training_run.h"

namespace dstore::cli {
namespace {

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point start) { return std::chrono::duration<double>(Clock::now() - start).count(); }

constexpr int kTerminated = 128 + 15;  ///< dstore-train before it listens to signals
constexpr std::string_view kErrorMark = "dstore: ", kWarningMark = "warning: ";

/// One line on a terminal, drawn over and over; nothing elsewhere.
class StatusLine {
 public:
  explicit StatusLine(const Session& session) : visible_(!session.quiet && ::isatty(STDERR_FILENO) == 1) {}
  ~StatusLine() { clear(); }
  bool is_visible() const { return visible_; }
  void draw(const std::string& text) const {
    if (!visible_) return;
    std::fprintf(stderr, "\r\x1b[K%s", shorten(text, terminal_width() - 1).c_str());
    std::fflush(stderr);
  }
  void clear() const {
    if (visible_) std::fputs("\r\x1b[K", stderr);
  }

 private:
  bool visible_;
};

class Runner {
 public:
  Runner(const Arguments& arguments, Session& session, const Study& study)
      : arguments_(arguments), session_(session), study_(study), cells_(session, study, session.open()), status_line_(session),
        only_(arguments.get("only")), minutes_(limit(arguments)) {
    if (chosen().empty()) throw Error(ErrorCode::not_found, "--only " + printable(only_) + ": no cell has such a name; --dry-run lists them");
  }

  int run() {
    committer_ = session_.committer(arguments_);  // a missing key is better known now
    try {
      validate();
      return finish(run_cells());
    } catch (const Interrupted&) {
      status_line_.clear();
      const auto all = chosen();
      std::cerr << "dstore: interrupted; " << count_left(all) << " of " << all.size() << " cells are left, the same command goes on\n";
      return kInterrupted;
    }
  }

 private:
  /// Whether the limit of time stopped it.
  bool run_cells() {
    while (const Cell* cell = next()) {
      if (past_limit(*cell)) return true;
      run_cell(*cell);
      cells_.read(session_.open());
      say_result();
      check_interrupt();
    }
    return false;
  }

  static std::optional<double> limit(const Arguments& arguments) {
    if (!arguments.has("max-minutes")) return std::nullopt;
    const auto value = parse_number(arguments.get("max-minutes"));
    if (!value || !(*value > 0)) throw Error(ErrorCode::invalid_argument, "--max-minutes " + printable(arguments.get("max-minutes")) + ": expected a number above 0");
    return value;
  }

  std::vector<const Cell*> chosen() const { return chosen_cells(cells_, only_); }

  const Cell* next() const {
    for (const Cell* cell : chosen()) {
      if (cell->state == Cell::State::todo && !tried_.contains(cell->name)) return cell;
    }
    return nullptr;
  }

  /// Whether it is not to be begun any more. The first one always is: else nothing would ever be done.
  bool past_limit(const Cell& cell) const {
    if (!minutes_ || tried_.empty()) return false;
    return seconds_since(start_) + estimated_seconds(cells_, cell).value_or(0) > *minutes_ * 60;
  }

  std::string place() const {
    const auto all = chosen();
    return "[" + std::to_string(all.size() - count_left(all)) + "/" + std::to_string(all.size()) + "] ";
  }

  /// The trainer's last error; warnings are passed on.
  std::string hear(const Cell& cell, const std::string& line, const std::string& error) const {
    if (line.starts_with(kErrorMark)) return line.substr(kErrorMark.size());
    if (line.starts_with(kWarningMark)) {
      status_line_.clear();
      session_.note(line.substr(0, kWarningMark.size()) + cell.name + ": " + line.substr(kWarningMark.size()));
    } else {
      status_line_.draw(place() + cell.name + "  " + line);
    }
    return error;
  }

  std::vector<std::string> words(const Cell& cell, std::initializer_list<const char*> more) const {
    std::vector<std::string> out = cells_.words(cell);
    out.insert(out.end(), more.begin(), more.end());
    return out;
  }

  /// Every method and every task that has cells left is looked at by the trainer before the first one runs.
  void validate() const {
    std::set<const void*> seen;
    for (const Cell* cell : chosen()) {
      if (cell->is_done()) seen.insert({cell->method, cell->task});
    }
    for (const Cell* cell : chosen()) {
      if (cell->state != Cell::State::todo || (seen.contains(cell->method) && seen.contains(cell->task))) continue;
      seen.insert({cell->method, cell->task});
      status_line_.draw("looking at " + cell->method->name + " on " + cell->task->name);
      std::string error;
      const int status = run_trainer(session_, trainer_words(session_, "train", words(*cell, {"--dry-run"})),
                                     [&](const std::string& line) { error = hear(*cell, line, error); });
      if (status == kInterrupted || status == kTerminated) throw Interrupted();
      if (status != 0) throw Error(ErrorCode::invalid_argument, "method " + cell->method->name + " on " + cell->task->name + ": " + error);
    }
    status_line_.clear();
  }

  /// What a run that was killed had finished.
  bool take_stage(Repository& repository, const Cell& cell, const RefName& branch) {
    const auto stages = list_stages(repository);
    if (std::find(stages.begin(), stages.end(), branch.text()) == stages.end()) return false;
    const Stage stage = read_stage(repository, branch);
    const auto fact = stage.training.find(kCellFact);
    if (fact == stage.training.end() || fact->second != cell.facts) return false;
    commit(repository, cell, branch);
    return true;
  }

  void commit(Repository& repository, const Cell& cell, const RefName& branch) {
    committer_.time = now();
    commit_stage(repository, read_stage(repository, branch), "study " + study_.name + ": " + cell.name, committer_, {});
  }

  void run_cell(const Cell& cell) {
    tried_.insert(cell.name);
    last_ = cell.name;
    const auto begin = Clock::now();
    Repository repository = session_.open();
    const RefName branch = RefName::parse(cell.branch);
    if (take_stage(repository, cell, branch)) return;
    TrainingRun training(session_, repository, cells_.base());
    status_line_.draw(place() + cell.name);
    std::string error;
    const int status = training.run(status_line_.is_visible() ? cells_.words(cell) : words(cell, {"--quiet"}),
                                    [&](const std::string& line) { error = hear(cell, line, error); });
    status_line_.clear();
    if (status == kInterrupted || status == kTerminated) throw Interrupted();
    if (status == exit_code(ErrorCode::io)) throw Error(ErrorCode::io, cell.name + ": " + error);
    if (status == exit_code(ErrorCode::invalid_argument) || status == exit_code(ErrorCode::unsupported)) {
      write_failed_stage(session_.fs(), training.folder(), cells_, cell, error);
    } else if (status != 0) {
      // Not of the cell's own making, as far as one can tell (killed, out of memory): the next run tries it again.
      session_.report(Error(ErrorCode::io, cell.name + ": " + (error.empty() ? "the trainer ended with status " + std::to_string(status) : error)));
      return;
    } else {
      complete_stage(session_.fs(), training.folder(), cells_, cell, seconds_since(begin));
    }
    training.stage(branch);
    commit(repository, cell, branch);
  }

  void say_result() const {
    for (const Cell* cell : chosen()) {
      if (cell->name != last_ || cell->state == Cell::State::todo) continue;
      std::string line = place() + cell->name + "  ";
      if (cell->is_done()) {
        line += "dev " + share_of_texts(cell->metric("dev"));
        if (const auto test = cell->metric("test")) line += "  test " + share_of_texts(test);
        line += "  " + std::to_string(static_cast<long>(seconds_of(*cell).value_or(0))) + " s";
      } else {
        line += "failed: " + printable(cell->content.fact(kErrorFact));
      }
      session_.say(line);
      std::cout.flush();  // for whoever watches a log file
    }
  }

  int finish(bool stopped) const {
    const auto all = chosen();
    const std::size_t left = count_left(all);
    if (session_.json) {
      print_cells(session_, study_, cells_, all);
    } else if (stopped) {
      session_.say(std::to_string(left) + " of " + std::to_string(all.size()) + " cells are left: the next one would go beyond --max-minutes; the same command goes on");
    } else if (left == 0) {
      session_.say("all " + std::to_string(all.size()) + " cells are done; the report: dstore study FILE --report DIR");
    }
    return left == 0 ? kSuccess : kFindings;
  }

  const Arguments& arguments_;
  Session& session_;
  const Study& study_;
  Cells cells_;
  StatusLine status_line_;
  std::string only_;
  std::optional<double> minutes_;
  Committer committer_;
  Clock::time_point start_ = Clock::now();
  std::set<std::string> tried_;
  std::string last_;
};

}  // namespace

int run_study(const Arguments& arguments, Session& session, const Study& study) { return Runner(arguments, session, study).run(); }

}  // namespace dstore::cli
