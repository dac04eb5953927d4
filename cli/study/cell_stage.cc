#include "study/cell_stage.h"

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <sstream>

#include "base/atomic_file.h"
#include "base/decimal.h"
#include "dstore/error.h"
#include "repo/model_files.h"
#include "repo/safetensors_output.h"

namespace dstore::cli {
namespace {

using nlohmann::ordered_json;

void write_json(Filesystem& fs, const std::string& path, const ordered_json& json) { write_file_atomically(fs, path, as_bytes(json.dump() + "\n")); }

/// A '1' for each row whose two fields are the same.
std::string correct_rows(const std::string& table) {
  std::istringstream lines(table);
  std::string line, out;
  std::getline(lines, line);
  while (std::getline(lines, line)) {
    const std::size_t tab = line.find('\t');
    out += tab != std::string::npos && line.substr(0, tab) == line.substr(tab + 1) ? '1' : '0';
  }
  return out;
}

/// [[step, score], ...] of a training's log.
ordered_json dev_curve(const std::string& log, const std::string& metric) {
  ordered_json curve = ordered_json::array();
  std::istringstream lines(log);
  for (std::string line; std::getline(lines, line);) {
    const auto record = ordered_json::parse(line, nullptr, false);
    if (!record.is_object() || record.value("event", "") != "dev" || !record.contains(metric) || !record[metric].is_number()) continue;
    curve.push_back({record.at("step"), record[metric]});
  }
  return curve;
}

std::string dev_metric(const ordered_json& stage) {
  for (const auto& metric : stage.at("metrics")) {
    if (metric.at("split") == "dev") return metric.at("metric");
  }
  return "accuracy";
}

}  // namespace

void complete_stage(Filesystem& fs, const std::string& folder, const Cells& cells, const Cell& cell, double seconds) {
  const std::string path = join_path(folder, "stage.json");
  ordered_json stage = ordered_json::parse(read_text_file(fs, path));
  if (stage.at("training").at("data_sha256") != cells.digests(cell)) {
    throw Error(ErrorCode::conflict, cell.name + ": its data files changed while the study ran; start it again");
  }
  stage["training"][kCellFact] = cell.facts;
  stage["training"][kSecondsFact] = shortest_decimal(std::round(seconds * 10) / 10);
  write_json(fs, path, stage);
  if (cell.candidate) return;
  write_json(fs, join_path(folder, std::string("files/") + kDetailsFile),
             {{"version", 1},
              {"correct", correct_rows(read_text_file(fs, join_path(folder, "outcomes.tsv")))},
              {"curve", dev_curve(read_text_file(fs, join_path(folder, "train.jsonl")), dev_metric(stage))}});
}

void write_failed_stage(Filesystem& fs, const std::string& folder, const Cells& cells, const Cell& cell, const std::string& error) {
  fs.make_directory(folder);
  SafetensorsOutput(fs, join_path(folder, "tensors.safetensors"), {}, {{"format", "pt"}}).commit();
  const ordered_json facts{{"method", cell.method->method}, {"seed", std::to_string(cell.seed)}, {kCellFact, cell.facts}, {kErrorFact, error}};
  write_json(fs, join_path(folder, "stage.json"),
             {{"version", 1}, {"base_prefix", ""}, {"model_commit", cells.base()}, {"training", facts}, {"metrics", ordered_json::array()}});
}

CellDetails read_details(const Repository& repository, const Cell& cell) {
  const auto fail = [&]() -> Error { return {ErrorCode::corrupt, "commit " + cell.commit.hex() + ": its " + kDetailsFile + " is missing or damaged"}; };
  const auto files = read_checkpoint(repository, cell.content).files;
  const auto file = std::find_if(files.begin(), files.end(), [](const auto& row) { return row.path == kDetailsFile; });
  if (file == files.end()) throw fail();
  const auto json = ordered_json::parse(as_text(repository.read_file_object(file->file)), nullptr, false);
  CellDetails details;
  try {
    details.correct = json.at("correct").get<std::string>();
    for (const auto& point : json.at("curve")) details.curve.emplace_back(point.at(0).get<std::uint64_t>(), point.at(1).get<double>());
  } catch (const nlohmann::json::exception&) {
    throw fail();
  }
  return details;
}

}  // namespace dstore::cli
