#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "repo/repository.h"
#include "session.h"
#include "study/study_file.h"

namespace dstore::cli {

/// A fact of a study's commits: the cell that it is the result of, as Cell::facts.
inline constexpr const char* kCellFact = "study.cell";
/// Why there is none: the commit then holds the base's weights.
inline constexpr const char* kErrorFact = "study.error";
/// Wall time of the whole cell.
inline constexpr const char* kSecondsFact = "study.seconds";

/// One run of the trainer and the branch that its result is committed to.
struct Cell {
  enum class State { waiting, todo, done, failed };
  std::string name;    ///< without the study's prefix: "topic/fish/seed-1", "topic/fish/0.1/seed-1", "topic/fish/lr-0.001"
  std::string branch;
  const StudyTask* task = nullptr;
  const StudyMethod* method = nullptr;
  std::optional<double> density;
  std::optional<double> rate;  ///< none: the method's own
  std::uint64_t seed = 1, steps = 0, eval_every = 0;
  bool candidate = false;      ///< it is there to choose the learning rate
  bool sweep = false;
  std::string facts;           ///< all that decides its result
  State state = State::waiting;  ///< waiting: its learning rate is not chosen yet
  ObjectId commit;             ///< where it is done or failed
  Commit content;

  /// The first metric of that split: the one that counts.
  std::optional<double> metric(std::string_view split) const;
  bool is_done() const { return state == State::done; }
};

/// All cells of a study in the order in which they run, with what the store says of them.
class Cells {
 public:
  /// Reads the data files' digests. Error{not_found} for a file or the base. The study must outlive it.
  Cells(const Session& session, const Study& study, const Repository& repository);

  /// Looks at the store again.
  void read(const Repository& repository);
  const std::vector<Cell>& all() const { return cells_; }
  /// The runs that choose the learning rate of this one; none where it is not chosen.
  std::vector<const Cell*> candidates_of(const Cell& cell) const;
  const std::string& base() const { return revision_; }
  /// What `dstore train` is given for it.
  std::vector<std::string> words(const Cell& cell) const;
  /// The fact data_sha256 that the trainer must record.
  std::string digests(const Cell& cell) const;

 private:
  void add(const Repository& repository, Cell cell);
  Cell run(const StudyTask& task, const StudyMethod& method, std::uint64_t seed, std::optional<double> density) const;
  Cell candidate(const StudyTask& task, const StudyMethod& method, double rate) const;
  void choose_rate(Cell& cell) const;
  std::string facts(const Cell& cell) const;

  const Study& study_;
  std::string revision_;  ///< id of the base's commit
  std::string base_;      ///< id of its checkpoint
  std::map<std::string, std::string> digests_;
  std::vector<Cell> cells_;
};

/// As a shell matches words: `*` also stands for names with '/' in them.
bool matches(const std::string& pattern, const std::string& name);

}  // namespace dstore::cli
