#pragma once

#include <nlohmann/json_fwd.hpp>

#include "repo/evaluations.h"
#include "session.h"

namespace dstore::cli {

/// "test.tsv 3a6eb0790f": what it was measured on.
std::string data_text(const Evaluation& evaluation);
/// "accuracy 0.7512, macro_f1 0.7498".
std::string metrics_text(const Evaluation& evaluation);
/// "test accuracy 0.7512, macro_f1 0.7498 (n 5,000)".
std::string measured_text(const Evaluation& evaluation);
/// measured_text() and on what, when, by whom: one line.
std::string evaluation_line(const Session& session, const CheckedEvaluation& evaluation);
/// A line each: the newest, a few of them; then how many more there are.
std::string evaluation_lines(const Session& session, const std::vector<CheckedEvaluation>& evaluations);

/// {id, commit (null where computed), commits[], revision, split, data, data_sha256, n, metrics[{name, value}], environment{}, evaluator, time,
/// signature{verdict, principal, fingerprint}}.
nlohmann::ordered_json evaluation_json(const CheckedEvaluation& evaluation);
/// {verdict, principal, fingerprint (null where there is no key)}.
nlohmann::ordered_json signature_json(const Verification& signature);

/// Of a commit all that name it, of what is computed those of that very revision; newest first.
std::vector<CheckedEvaluation> recorded_for(const Repository& repository, const std::string& revision);
/// `dstore eval --list`: of a commit all that name it, of what is computed those of that very revision, else all; newest first.
int list_evaluations(const Session& session, const Repository& repository, const std::string& revision);

}  // namespace dstore::cli
