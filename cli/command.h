#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "session.h"

namespace dstore::cli {

/// An option of a command as the table declares it. Without `value` it is a flag.
struct OptionSpec {
  const char* names;  ///< "-m,--message"; the long one is the key in Arguments
  const char* value;  ///< what the value is called in --help ("MSG"), or null
  const char* help;
  bool repeatable = false;
};

struct PositionalSpec {
  const char* name;
  const char* help;
  enum Count { one, optional, any, some } count = one;
};

/// What was typed, by the long option name without dashes, or the positional's name.
class Arguments {
 public:
  bool has(const std::string& key) const { return values_.count(key) > 0; }
  /// The (last) value; empty if it was not given.
  std::string get(const std::string& key, const std::string& fallback = "") const;
  std::vector<std::string> all(const std::string& key) const;
  std::optional<std::uint64_t> number(const std::string& key) const;

  std::map<std::string, std::vector<std::string>> values_;
  std::vector<std::string> rest;  ///< pass-through commands: everything that is not an own option, in order
};

/// One row of the table of commands.
struct Command {
  const char* name;
  const char* group;    ///< heading in `dstore --help`
  const char* summary;  ///< one line
  const char* example;  ///< shown at the end of its --help
  std::vector<PositionalSpec> positionals;
  std::vector<OptionSpec> options;
  int (*run)(const Arguments&, Session&);
  bool pass_through = false;  ///< unknown arguments (and --help) belong to another program
};

/// All commands, in the order of `dstore --help`.
const std::vector<Command>& command_table();

// One function a file cmd_NAME.cc.
Command apply_command();
Command branch_command();
Command bundle_command();
Command cat_command();
Command checkout_command();
Command clone_command();
Command commit_command();
Command compare_command();
Command diff_command();
Command du_command();
Command eval_command();
Command export_command();
Command fetch_command();
Command forget_command();
Command fsck_command();
Command gc_command();
Command import_command();
Command init_command();
Command key_command();
Command log_command();
Command merge_command();
Command predict_command();
Command pull_command();
Command push_command();
Command query_command();
Command rebase_command();
Command remote_command();
Command repack_command();
Command reset_command();
Command show_command();
Command sparsify_command();
Command stats_command();
Command status_command();
Command study_command();
Command switch_command();
Command tag_command();
Command tasks_command();
Command train_command();
Command unapply_command();
Command verify_command();

/// Parses argv, runs the command, returns the exit status. The only user of CLI11.
int run_command_line(int argc, char** argv);

}  // namespace dstore::cli
