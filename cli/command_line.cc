#include <CLI/CLI.hpp>
#include <unistd.h>

#include <algorithm>
#include <iostream>

#include "base/edit_distance.h"
#include "command.h"
#include "exit_code.h"
#include "version.h"

namespace dstore::cli {
namespace {

std::string key_of(const char* names) {
  const std::string_view all(names);
  const std::size_t dashes = all.find("--");
  return std::string(all.substr(dashes + 2));
}

/// Where CLI11 puts what it parsed, before it becomes Arguments.
struct Sink {
  std::map<std::string, std::vector<std::string>> values;
  std::map<std::string, bool> flags;
};

void add_positional(CLI::App& app, const PositionalSpec& spec, Sink& sink) {
  CLI::Option* option = app.add_option(spec.name, sink.values[spec.name], spec.help);
  const bool many = spec.count == PositionalSpec::any || spec.count == PositionalSpec::some;
  if (spec.count == PositionalSpec::one || spec.count == PositionalSpec::some) option->required();
  if (!many) option->expected(1)->allow_extra_args(false);
}

void add_option(CLI::App& app, const OptionSpec& spec, Sink& sink) {
  const std::string key = key_of(spec.names);
  if (spec.value == nullptr) {
    app.add_flag(spec.names, sink.flags[key], spec.help);
    return;
  }
  CLI::Option* option = app.add_option(spec.names, sink.values[key], spec.help)->type_name(spec.value)->allow_extra_args(false);
  if (!spec.repeatable) option->expected(1)->multi_option_policy(CLI::MultiOptionPolicy::TakeLast);
}

void declare(CLI::App& app, const Command& command, Sink& sink) {
  for (const PositionalSpec& spec : command.positionals) add_positional(app, spec, sink);
  for (const OptionSpec& spec : command.options) add_option(app, spec, sink);
  app.footer(std::string("Example:\n  ") + command.example);
  if (!command.pass_through) return;
  app.allow_extras();
  app.set_help_flag();
}

void add_global(CLI::App& app, Session& session) {
  app.add_option("-C", session.directory, "Work as if started in DIR")->type_name("DIR");
  app.add_flag("--json", session.json, "Print the result as JSON");
  app.add_flag("-q,--quiet", session.quiet, "Print errors only");
}

/// `dstore chekcout`: CLI11 only says that it expected a subcommand.
int fail_unknown_command(const std::string& word) {
  std::vector<std::string> names;
  for (const Command& command : command_table()) names.emplace_back(command.name);
  const auto near = nearest(word, names);
  std::cerr << "dstore: there is no command \"" << printable(word) << "\"" << (near ? "; did you mean " + *near + "?" : "; see `dstore --help`") << "\n";
  return exit_code(ErrorCode::invalid_argument);
}

int report_parse_error(const CLI::App& app, const CLI::ParseError& error) {
  if (error.get_exit_code() == 0) return app.exit(error);  // --help, --version
  std::string hint = "dstore";
  for (const CLI::App* sub : app.get_subcommands()) hint += " " + sub->get_name();
  std::cerr << "dstore: " << printable(error.what()) << "; see `" << hint << " --help`\n";
  return exit_code(ErrorCode::invalid_argument);
}

Arguments to_arguments(const Sink& sink, const CLI::App& parsed) {
  Arguments arguments;
  for (const auto& [key, values] : sink.values) {
    if (!values.empty()) arguments.values_[key] = values;
  }
  for (const auto& [key, set] : sink.flags) {
    if (set) arguments.values_[key] = {};
  }
  arguments.rest = parsed.remaining();
  return arguments;
}

}  // namespace

std::string Arguments::get(const std::string& key, const std::string& fallback) const {
  const auto it = values_.find(key);
  return it == values_.end() || it->second.empty() ? fallback : it->second.back();
}

std::vector<std::string> Arguments::all(const std::string& key) const {
  const auto it = values_.find(key);
  return it == values_.end() ? std::vector<std::string>() : it->second;
}

std::optional<std::uint64_t> Arguments::number(const std::string& key) const {
  if (!has(key)) return std::nullopt;
  const std::string text = get(key);
  if (text.empty() || text.size() > 18 || text.find_first_not_of("0123456789") != std::string::npos) {
    throw Error(ErrorCode::invalid_argument, "--" + key + ": expected a number, not \"" + printable(text) + "\"");
  }
  return std::stoull(text);
}

int run_command_line(int argc, char** argv) {
  CLI::App app("dstore: git for model weights. Keeps a base checkpoint once and every fine-tuned task as a small, exact, signed difference.", "dstore");
  app.require_subcommand(1);
  app.set_version_flag("--version", [] { return version_text(); }, "Show the version and what it was built with");
  app.footer("`dstore COMMAND --help` explains a command, with an example.\n\n" + exit_code_table());
  Session session;
  add_global(app, session);
  std::map<std::string, Sink> sinks;
  for (const Command& command : command_table()) {
    CLI::App* sub = app.add_subcommand(command.name, command.summary);
    sub->group(command.group);
    declare(*sub, command, sinks[command.name]);
    add_global(*sub, session);
  }
  for (int i = 1; i < argc; ++i) {
    const std::string word = argv[i];
    if (word == "-C") {
      ++i;
    } else if (!word.starts_with("-")) {
      const auto& table = command_table();
      if (std::none_of(table.begin(), table.end(), [&](const Command& command) { return command.name == word; })) return fail_unknown_command(word);
      break;
    }
  }
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return report_parse_error(app, error);
  }
  session.color = ::isatty(STDOUT_FILENO) != 0 && std::getenv("NO_COLOR") == nullptr;
  const CLI::App* chosen = app.get_subcommands().front();
  for (const Command& command : command_table()) {
    if (chosen->get_name() != command.name) continue;
    const int status = command.run(to_arguments(sinks[command.name], *chosen), session);
    return status == kSuccess && session.reported() ? exit_code(session.reported()->code()) : status;
  }
  return kFindings;
}

}  // namespace dstore::cli
