#include "trainer/loop/options.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <iostream>
#include <memory>

#include "base/bytes.h"
#include "base/decimal.h"
#include "base/filesystem.h"
#include "dstore/error.h"
#include "trainer/loop/config_words.h"
#include "trainer/loop/evaluate.h"
#include "trainer/loop/predict.h"
#include "trainer/loop/run_folder.h"
#include "trainer/loop/statistics.h"
#include "trainer/loop/train.h"

namespace dstore {
namespace {

void add_data_options(CLI::App& app, DataOptions& d) {
  app.add_option("--data", d.data, "data file: .tsv, .csv or .jsonl with a text and a label column")->type_name("FILE");
  app.add_option("--format", d.format, "tsv, csv or jsonl (else by the file's name)")->type_name("FORMAT");
  app.add_option("--text-column", d.text_column, "column with the text (else text, sentence, ... or the first)")->type_name("NAME");
  app.add_option("--pair-column", d.pair_column, "column with the second text of a pair (else text2, sentence2)")->type_name("NAME");
  app.add_option("--label-column", d.label_column, "column with the label (else label)")->type_name("NAME");
  app.add_option("--max-length", d.max_length, "tokens a text is cut to")->check(CLI::Range(3, 1 << 20))->capture_default_str();
}

void print_methods() {
  for (const MethodRow& row : methods()) {
    std::cout << row.name << "\n    " << row.help << "\n    --lr " << shortest_decimal(row.lr) << ", --head-lr " << shortest_decimal(row.head_lr);
    if (row.density > 0) std::cout << ", --density " << shortest_decimal(row.density * 100) << "%";
    std::cout << '\n';
    for (const Hyperparameter& h : row.hyperparameters) {
      std::cout << "    --set " << h.name << '=' << (h.value.empty() ? "..." : h.value) << "  " << h.help << '\n';
    }
    for (const Preset& preset : row.presets) {
      std::cout << "    --set preset=" << preset.name << "  " << preset.help << '\n';
    }
  }
}

void print_models() {
  for (const ModelFamily& family : families()) {
    std::cout << family.model_type << "  " << family.help << "\n    roles for --train:";
    for (const RoleName& row : family.names) std::cout << ' ' << role_info(row.role).word;
    std::cout << '\n';
  }
}

struct Commands {
  CLI::App app{"Training and evaluation for dstore (started by `dstore train`, `dstore eval` and `dstore predict`)", "dstore-train"};
  TrainOptions train;
  EvalOptions eval;
  PredictOptions predict;
  StatisticsOptions statistics;
  std::string density, structure, selector, config;
  bool list_methods = false, list_models = false;
  CLI::App* train_command = nullptr;
  CLI::App* eval_command = nullptr;
  CLI::App* predict_command = nullptr;
  CLI::App* statistics_command = nullptr;
};

void add_train(Commands& c) {
  TrainOptions& o = c.train;
  CLI::App& app = *(c.train_command = c.app.add_subcommand("train", "Train a task on a base"));
  app.footer(
      "Example: dstore train base --method diff-pruning --density 0.5% --data train.tsv --dev dev.tsv --name topic");
  for (const auto& [name, text] : {std::pair{"--repository", &o.repository}, {"--out", &o.out}, {"--run", &o.run}, {"--name", &o.name},
                                   {"--expect-data", &o.expected_data}}) {
    app.add_option(name, *text)->group("");
  }
  app.add_flag("--resume", o.resume)->group("");
  app.add_option("model", o.model, "base to train on: a revision or a folder")->type_name("REV");
  app.add_option("--method", o.method, "how to train; --list-methods shows all")->type_name("NAME");
  app.add_flag("--list-methods", c.list_methods, "show the methods with their settings");
  app.add_flag("--list-models", c.list_models, "show the model types that can be trained");
  add_data_options(app, o.data);
  app.add_option("--dev", o.data.dev, "data to choose the best step by")->type_name("FILE");
  app.add_option("--test", o.data.test, "data for the number that is reported")->type_name("FILE");
  app.add_option("--task", o.data.task, "classification, multi-label (a list in JSONL, else labels between commas) or regression")
      ->capture_default_str();
  app.add_option("--pooling", o.pooling, "first-token (as transformers) or mean")->type_name("NAME");
  app.add_option("--density", c.density, "share of the base's weights that may change: 0.5% or 0.005")->type_name("T");
  app.add_option("--seed", o.seed, "seed of everything random")->capture_default_str();
  auto* epochs = app.add_option("--epochs", o.epochs, "passes over the data")->check(CLI::PositiveNumber)->capture_default_str();
  app.add_option("--steps", o.steps, "optimiser steps instead of epochs")->check(CLI::PositiveNumber)->excludes(epochs);
  app.add_option("--batch", o.batch, "texts a step")->check(CLI::Range(1, 1 << 16))->capture_default_str();
  app.add_option("--accumulate", o.accumulate, "parts that each batch is computed in: less memory, the same training but for rounding")
      ->check(CLI::Range(1, 1 << 16))->capture_default_str();
  app.add_option("--precision", o.precision, "fp32, or bf16: matrix products of training in bf16, all else in fp32")->capture_default_str();
  app.add_flag("--checkpoint-activations", o.checkpoint_activations,
               "compute each layer twice instead of keeping what is in it: less memory, the same bits");
  app.add_flag("--ignore-memory", o.ignore_memory, "train also where the memory seems not to suffice");
  app.add_option("--buckets", o.buckets, "batches that are filled together, sorted by length; 1: not sorted")
      ->check(CLI::Range(1, 1 << 20))
      ->capture_default_str();
  app.add_option("--lr", o.lr, "peak learning rate (else the method's)");
  app.add_option("--head-lr", o.head_lr, "peak learning rate of the new head (else the method's)");
  app.add_option("--warmup", o.warmup, "share of the steps in which the rate rises (else the method's)")->check(CLI::Range(0.0, 1.0));
  app.add_option("--schedule", o.schedule, "linear, constant, cosine or polynomial:POWER")->capture_default_str();
  app.add_option("--weight-decay", o.weight_decay, "AdamW's, on weight matrices; it changes every row of a full fine-tune")
      ->check(CLI::NonNegativeNumber)->capture_default_str();
  app.add_option("--clip", o.clip, "gradient norm limit, 0: none")->check(CLI::NonNegativeNumber)->capture_default_str();
  app.add_option("--eval-every", o.eval_every, "steps between evaluations on --dev (else once an epoch)")->check(CLI::PositiveNumber);
  app.add_option("--patience", o.patience, "stop after so many evaluations on --dev without improvement")->check(CLI::PositiveNumber);
  app.add_option("--min-delta", o.min_delta, "what counts as an improvement")->check(CLI::NonNegativeNumber)->capture_default_str();
  app.add_option("--keep", o.keep, "the result: best on --dev, or last")->check(CLI::IsMember({"best", "last"}))->capture_default_str();
  app.add_option("--save-every", o.save_every, "steps between saved states, from which --resume TASK goes on; 0: none (else about one a minute)")
      ->check(CLI::NonNegativeNumber);
  app.add_option("--from-step", o.from_step, "with --resume: the saved step to go on from (else the last)")->check(CLI::PositiveNumber);
  app.add_flag("--restart", o.restart, "start anew where a saved run of that name is unfinished");
  app.add_option("--log", o.log, "write the log there too, a line of JSON a step")->type_name("FILE");
  app.add_option("--tensorboard", o.tensorboard, "write TensorBoard event files there")->type_name("DIR");
  app.add_option("--config", c.config, "YAML or JSON with options by their long names; the command line wins")->type_name("FILE");
  app.add_option("--train-sample", o.train_sample, "measure the result on so many training texts too, evenly spread over the file")
      ->check(CLI::PositiveNumber);
  app.add_option("--threads", o.threads, "threads (else all processors)")->check(CLI::Range(1, 4096));
  app.add_option("--device", o.device, "cpu or cuda")->capture_default_str();
  app.add_option("--set", o.settings, "a method's setting; --set preset=NAME for several")->type_name("KEY=VALUE")->allow_extra_args(false);
  app.add_option("--structure", c.structure, "diff pruning's gates: none or matrix; as --set structure=...")->type_name("NAME");
  app.add_option("--train", c.selector,
                 "tensors to train or to select from, by layer and role: 'layer[-1].*', attn.q,attn.v, bias; alone: --method select")
      ->type_name("SELECTOR");
  app.add_flag("--dry-run", o.dry_run, "show what would train, and stop");
  app.add_flag("-q,--quiet", o.quiet, "no progress and no summary");
  app.add_flag("--json", o.json, "leave the output to dstore");
}

void add_eval(Commands& c) {
  EvalOptions& o = c.eval;
  CLI::App& app = *(c.eval_command = c.app.add_subcommand("eval", "Measure a task on labelled data"));
  app.footer("Example: dstore eval topic --data test.tsv");
  app.add_option("--repository", o.repository)->group("");
  app.add_option("--out", o.out)->group("");
  app.add_option("model", o.model, "revision or folder")->type_name("REV|FOLDER");
  add_data_options(app, o.data);
  app.add_option("--predictions", o.predictions, "write a TSV: index, label, one logit for each class")->type_name("FILE");
  app.add_option("--batch", o.batch, "texts at a time")->check(CLI::Range(1, 1 << 16))->capture_default_str();
  app.add_option("--threads", o.threads, "threads (else all processors)")->check(CLI::Range(1, 4096));
  app.add_option("--device", o.device, "cpu or cuda")->capture_default_str();
  app.add_flag("--json", o.json, "print JSON");
  app.add_flag("-q,--quiet", o.quiet)->group("");
}

void add_predict(Commands& c) {
  PredictOptions& o = c.predict;
  CLI::App& app = *(c.predict_command = c.app.add_subcommand("predict", "Label texts: one line out for each row, in order"));
  app.footer("Example: dstore predict base+topic --data texts.tsv -o predictions.tsv\n"
             "  printf 'text\\na flat sheet of glass\\n' | dstore predict topic --data - --format tsv --json");
  app.add_option("--repository", o.repository)->group("");
  app.add_option("model", o.model, "revision or folder")->type_name("REV|FOLDER");
  add_data_options(app, o.data);
  app.get_option("--data")->description("texts: .tsv, .csv or .jsonl, or - for standard input (with --format)");
  app.get_option("--label-column")->description("column that is not a text (else label); its content is ignored");
  app.add_option("-o,--output", o.output, ".tsv or .jsonl (else to standard output: TSV, or JSON lines with --json)")->type_name("FILE");
  app.add_option("--batch", o.batch, "texts at a time")->check(CLI::Range(1, 1 << 16))->capture_default_str();
  app.add_option("--threads", o.threads, "threads (else all processors)")->check(CLI::Range(1, 4096));
  app.add_option("--device", o.device, "cpu or cuda")->capture_default_str();
  app.add_flag("--json", o.json, "print JSON");
  app.add_flag("-q,--quiet", o.quiet)->group("");
}

void add_statistics(Commands& c) {
  StatisticsOptions& o = c.statistics;
  CLI::App& app = *(c.statistics_command = c.app.add_subcommand("statistics", "Fisher information or Gram matrices of a task, for merges"));
  app.add_option("kind", o.kind)->required();
  app.add_option("model", o.model)->required();
  app.add_option("--repository", o.repository);
  app.add_option("--weights", o.weights);
  add_data_options(app, o.data);
  app.add_option("--output", o.output)->required();
  app.add_option("--examples", o.examples)->check(CLI::PositiveNumber);
  app.add_option("--batch", o.batch)->check(CLI::Range(1, 1 << 16));
  app.add_option("--threads", o.threads)->check(CLI::Range(1, 4096));
  app.add_option("--device", o.device);
  app.add_flag("--json", o.json);
  app.add_flag("-q,--quiet", o.quiet);
}

void require(const std::string& value, const char* option, const char* command) {
  if (value.empty()) throw Error(ErrorCode::invalid_argument, std::string(option) + " is missing (dstore " + command + " --help shows an example)");
}

/// The words of the command line, last first, as CLI11 wants them.
std::vector<std::string> reversed(int argc, char** argv) {
  std::vector<std::string> words(argv + 1, argv + argc);
  std::reverse(words.begin(), words.end());
  return words;
}

/// Options that the command line leaves open, from a config: parses it again with them in front.
void add_config(Commands& c, std::vector<std::string>& words, const RunConfig& config) {
  const std::vector<std::string> more = config_words(*c.train_command, config);
  words.insert(words.end() - 1, more.rbegin(), more.rend());
  c.app.parse(std::vector<std::string>(words));
}

/// Config file and saved run. The run stays held for what follows.
std::unique_ptr<RunFolder> complete_train(Commands& c, std::vector<std::string> words) {
  std::unique_ptr<RunFolder> folder;
  if (!c.config.empty()) add_config(c, words, parse_config(read_text_file(posix_filesystem(), c.config), c.config, config_keys(*c.train_command)));
  if (c.train.resume) {
    folder = std::make_unique<RunFolder>(c.train.run, c.train.name);
    if (!folder->started()) {
      throw Error(ErrorCode::not_found, "nothing is saved of " + printable(c.train.name));
    }
    add_config(c, words, folder->record().config_here());
  }
  c.train.given = given_options(*c.train_command);
  return folder;
}

}  // namespace

int run_command_line(int argc, char** argv) {
  Commands c;
  std::unique_ptr<RunFolder> folder;
  c.app.require_subcommand(1);
  add_train(c);
  add_eval(c);
  add_predict(c);
  add_statistics(c);
  try {
    const std::vector<std::string> words = reversed(argc, argv);
    c.app.parse(std::vector<std::string>(words));
    if (*c.train_command) folder = complete_train(c, words);
  } catch (const CLI::CallForHelp& help) {
    return c.app.exit(help);
  } catch (const CLI::ParseError& error) {
    throw Error(ErrorCode::invalid_argument, error.what());
  }
  if (*c.eval_command) {
    require(c.eval.model, "REV or FOLDER", "eval");
    require(c.eval.data.data, "--data", "eval");
    return run_evaluation(c.eval);
  }
  if (*c.predict_command) {
    require(c.predict.model, "REV or FOLDER", "predict");
    require(c.predict.data.data, "--data", "predict");
    return run_prediction(c.predict);
  }
  if (*c.statistics_command) {
    require(c.statistics.data.data, "--data", "stats");
    return run_statistics(c.statistics);
  }
  if (c.list_methods) return print_methods(), 0;
  if (c.list_models) return print_models(), 0;
  if (!c.selector.empty()) c.train.settings.push_back("train=" + c.selector);
  if (!c.selector.empty() && c.train.method.empty()) c.train.method = "select";
  require(c.train.model, "REV", "train");
  require(c.train.method, "--method", "train");
  require(c.train.data.data, "--data", "train");
  if (!c.train.dry_run) require(c.train.out, "--out", "train");
  if (!c.density.empty()) c.train.density = parse_density(c.density);
  if (!c.structure.empty()) c.train.settings.push_back("structure=" + c.structure);
  return run_training(c.train, std::move(folder));
}

Device parse_device(const std::string& name) {
  if (name == "cpu") return Device::cpu;
  if (name == "cuda") return Device::cuda;
  throw Error(ErrorCode::invalid_argument, "--device " + printable(name) + ": cpu or cuda");
}

Precision parse_precision(const std::string& name) {
  if (name == "fp32") return Precision::fp32;
  if (name == "bf16") return Precision::bf16;
  throw Error(ErrorCode::invalid_argument, "--precision " + printable(name) + ": fp32 or bf16");
}

TableOptions table_options(const DataOptions& options, LabelForm labels) {
  TableOptions table;
  table.labels = labels;
  if (!options.format.empty()) table.format = table_format(options.format);
  table.text_column = options.text_column;
  table.pair_column = options.pair_column;
  table.label_column = options.label_column;
  return table;
}

}  // namespace dstore
