#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "trainer/loop/run_config.h"
#include "trainer/methods/method.h"
#include "trainer/text/batches.h"
#include "trainer/text/table.h"

namespace dstore {

/// The data files of a run and how to read them.
struct DataOptions {
  std::string data, dev, test;
  std::string format, text_column, label_column, pair_column;
  std::string task = "classification";
  std::size_t max_length = 128;
};

struct TrainOptions {
  std::string repository = ".";
  std::string out;
  std::string model;  ///< revision or folder
  std::string method;
  DataOptions data;
  std::optional<double> density;
  std::optional<double> lr, head_lr, warmup;
  double weight_decay = 0;
  double clip = 1;
  std::string schedule = "linear";
  std::string pooling;
  std::uint64_t seed = 1;
  double epochs = 3;
  long steps = 0;  ///< 0: from epochs
  std::size_t batch = 32;
  std::size_t accumulate = 1;
  std::string precision = "fp32";
  bool checkpoint_activations = false;
  bool ignore_memory = false;
  std::size_t buckets = kBucketBatches;
  long eval_every = 0;  ///< 0: once an epoch
  std::size_t train_sample = 0;  ///< training texts that the result is measured on too
  unsigned threads = 0;
  std::string device = "cpu";
  std::vector<std::string> settings;
  long patience = 0;
  double min_delta = 0;
  std::string keep = "best";
  std::string log, tensorboard;
  std::string name;     ///< of the task, for messages
  std::string run;      ///< folder where the run is saved
  std::optional<long> save_every;  ///< 0: it is not
  bool resume = false;
  bool restart = false;
  std::optional<long> from_step;
  std::string expected_data;  ///< digests as the record of a run has them; empty: any
  RunConfig given;  ///< what was typed, by option, config files included
  bool dry_run = false;
  bool quiet = false;
  bool json = false;
};

struct EvalOptions {
  std::string repository = ".";
  std::string out;  ///< a file for the result, which is then not printed
  std::string model;
  DataOptions data;
  std::string predictions;
  std::size_t batch = 64;
  unsigned threads = 0;
  std::string device = "cpu";
  bool json = false;
  bool quiet = false;
};

struct PredictOptions {
  std::string repository = ".";
  std::string model;
  DataOptions data;    ///< data "-": standard input
  std::string output;  ///< empty: standard output
  std::size_t batch = 64;
  unsigned threads = 0;
  std::string device = "cpu";
  bool json = false;
  bool quiet = false;
};

struct StatisticsOptions {
  std::string repository = ".";
  std::string kind;     ///< fisher or gram
  std::string model;
  std::string weights;  ///< id of the model's weights, for the file; empty: not known
  DataOptions data;
  std::string output;
  std::size_t examples = 0;  ///< the first so many; 0: all
  std::size_t batch = 32;
  unsigned threads = 0;
  std::string device = "cpu";
  bool json = false;
  bool quiet = false;
};

/// Parses the command line and runs what it asks for; returns the exit status. Errors leave as exceptions.
int run_command_line(int argc, char** argv);

Device parse_device(const std::string& name);
Precision parse_precision(const std::string& name);
TableOptions table_options(const DataOptions& options, LabelForm labels);

}  // namespace dstore
