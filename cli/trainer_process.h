#pragma once

#include <functional>
#include <string>
#include <vector>

#include "command.h"

namespace dstore::cli {

/// What is said where dstore-train is not installed.
std::string no_trainer();
bool has_trainer(const Session& session);
/// Whether it asks for --help.
bool is_help(const std::string& word);
/// --help where the program whose options these are is not there: what the command is for, and what to install. False: nothing was said.
bool explain_without_trainer(const Session& session, const Command& command, const std::vector<std::string>& rest);

/// "dstore-train COMMAND --repository . ..." with the session's --json and --quiet, then `rest`. Error{unsupported} where it is not installed.
std::vector<std::string> trainer_words(const Session& session, const std::string& command, const std::vector<std::string>& rest);
/// Hears a line that the trainer says on stderr.
using TrainerLine = std::function<void(const std::string&)>;
/// Runs it in the session's directory (-C DIR counts for its data files too). Exit status, 128 + signal if one ended it. With `line` its
/// stderr goes there, and what it prints is dropped.
int run_trainer(const Session& session, const std::vector<std::string>& words, const TrainerLine& line = {});

}  // namespace dstore::cli
