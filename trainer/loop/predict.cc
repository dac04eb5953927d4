#include "trainer/loop/predict.h"

#include <iostream>
#include <nlohmann/json.hpp>

#include "base/atomic_file.h"
#include "base/bytes.h"
#include "dstore/error.h"
#include "trainer/loop/evaluate.h"
#include "trainer/loop/interrupt.h"
#include "trainer/loop/prediction_lines.h"
#include "trainer/loop/task_data.h"
#include "trainer/text/table_stream.h"

namespace dstore {
namespace {

/// Where lines go: standard output at once, or a file that appears at the end.
class PredictionOutput {
 public:
  explicit PredictionOutput(const std::string& path) {
    if (!path.empty()) file_.emplace(posix_filesystem(), path);
  }
  void write(const std::string& text) {
    if (file_) return file_->write(as_bytes(text));
    std::cout << text << std::flush;
    if (!std::cout) throw Error(ErrorCode::io, "cannot write to standard output");
  }
  void commit() {
    if (file_) file_->commit();
  }

 private:
  std::optional<AtomicFile> file_;
};

void refuse_output_over_data(const PredictOptions& o) {
  if (o.output.empty()) return;
  const auto data = posix_filesystem().stat(o.data.data, true), output = posix_filesystem().stat(o.output, true);
  if (data && output && data->device == output->device && data->inode == output->inode) {
    throw Error(ErrorCode::invalid_argument, "--output " + printable(o.output) + " is the data itself");
  }
}

/// Lines for these rows, in their order; nothing after an interrupt.
std::string predicted_lines(TrainedModel& trained, const Dataset& rows, std::size_t batch, const PredictionLines& lines, const std::string& path) {
  const Predictions predictions = predict(*trained.network, rows, trained.pad_id, batch);
  if (interrupted()) return "";
  if (!predictions.finite()) {
    throw Error(ErrorCode::invalid_argument, trained.model->description() + ": its outputs on " + printable(path) + " are not finite");
  }
  std::string text;
  for (std::size_t i = 0; i < predictions.size(); ++i) text += lines.line(predictions.of(i));
  return text;
}

void say_done(const PredictOptions& o, std::size_t rows, const std::string& description) {
  if (o.output.empty() || (o.quiet && !o.json)) return;
  if (o.json) {
    std::cout << nlohmann::ordered_json{{"model", o.model}, {"data", o.data.data}, {"n", rows}, {"output", o.output}}.dump() << '\n';
  } else {
    std::cout << description << " on " << printable(o.data.data) << ": " << rows << (rows == 1 ? " prediction" : " predictions") << " in "
        << printable(o.output) << '\n';
  }
}

}  // namespace

int run_prediction(const PredictOptions& o) {
  const PredictionFormat format = !o.output.empty() ? prediction_format(o.output) : o.json ? PredictionFormat::jsonl : PredictionFormat::tsv;
  refuse_output_over_data(o);
  const InterruptGuard guard;
  TableStream stream(o.data.data, table_options(o.data, LabelForm::ignored), interrupted);
  TrainedModel trained = load_trained_model(o.model, o.repository, o.data.max_length, o.threads, o.device);
  const PredictionLines lines(format, trained.encoding.task, trained.labels);
  PredictionOutput output(o.output);
  std::size_t done = 0;
  while (const TextTable* rows = stream.next()) {
    const Dataset dataset = encode_table(*rows, *trained.tokenizer, trained.labels, trained.encoding);
    check_ids(dataset, trained.config);
    const std::string text = predicted_lines(trained, dataset, o.batch, lines, rows->path);
    if (interrupted()) break;
    output.write(done == 0 ? lines.header() + text : text);
    done += dataset.examples.size();
  }
  if (interrupted()) {
    std::cerr << "dstore: interrupted after " << done << " rows" << (o.output.empty() ? "" : "; nothing is written") << '\n';
    return 130;
  }
  output.commit();
  say_done(o, done, trained.model->description());
  return 0;
}

}  // namespace dstore
