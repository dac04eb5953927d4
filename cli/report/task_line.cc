#include "report/task_line.h"

#include <algorithm>

#include "evaluation_view.h"
#include "repo/history.h"

namespace dstore::cli {
namespace {

constexpr std::size_t kCommits = 200;

std::vector<CommitFacts> commits_of(const Repository& repository, const ObjectId& head) {
  std::vector<CommitFacts> out;
  for (const ObjectId& id : first_parents(repository, head)) {
    CommitFacts facts;
    facts.id = id;
    facts.commit = repository.read_commit(id);
    if (!facts.is_task() || out.size() == kCommits) break;
    read_evaluations(repository, facts);
    out.push_back(std::move(facts));
  }
  std::reverse(out.begin(), out.end());
  return out;
}

CommitFacts computed_facts(const Repository& repository, const TaskStats& task) {
  CommitFacts facts;
  facts.commit = task.commit.commit;
  set_evaluations(facts, recorded_for(repository, task.revision));
  return facts;
}

}  // namespace

std::vector<TaskLine> task_lines(const Repository& repository, const ComparedTasks& compared) {
  std::vector<TaskLine> out;
  for (const TaskStats& task : compared.tasks) {
    out.push_back({task.is_computed() ? std::vector{computed_facts(repository, task)} : commits_of(repository, task.commit.id)});
  }
  return out;
}

}  // namespace dstore::cli
