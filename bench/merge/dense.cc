#include <cstdio>
#include <memory>
#include <mutex>
#include <stdexcept>

#include "base/ordered_pipeline.h"
#include "base/parallel.h"
#include "commands.h"
#include "delta/element.h"
#include "measure.h"
#include "merge/element_merge.h"
#include "tensor/safetensors_file.h"

namespace dstore::bench {
namespace {

constexpr std::uint64_t kStep = 1 << 20;  ///< bytes of a tensor merged at once

struct Models {
  SafetensorsFile base;
  std::vector<std::unique_ptr<SafetensorsFile>> tasks;

  RawElements range(std::size_t tensor, std::uint64_t offset, std::vector<ByteSpan>& views) const {
    const TensorInfo& info = base.tensors()[tensor];
    const std::uint64_t size = std::min(kStep, info.bytes - offset);
    views.clear();
    for (const auto& task : tasks) views.push_back(task->view(task->find(info.name).value()).subspan(offset, size));
    return {{unit_count(info.dtype, offset), {}}, base.view(tensor).subspan(offset, size), views};
  }
};

struct Step {
  std::size_t tensor;
  std::uint64_t offset;
};

}  // namespace

Json merge_files(const std::string& base, const std::vector<std::string>& tasks, const MethodChoice& choice, const std::string& out) {
  Json result = Json(Json::Object{});
  const std::int64_t cpu = cpu_nanoseconds(), wall = wall_nanoseconds();
  Models models{SafetensorsFile(base), {}};
  for (const std::string& task : tasks) models.tasks.push_back(std::make_unique<SafetensorsFile>(task));
  const SafetensorsHeader header = parse_safetensors_header(models.base.bytes(), models.base.bytes().size(), base);
  std::vector<std::unique_ptr<TensorMerge>> merges;
  for (const TensorInfo& info : models.base.tensors()) {
    merges.push_back(choice.method->make(choice.settings, {info.name, info.dtype, unit_count(info.dtype, info.bytes)}));
  }
  parallel_for(merges.size(), 0, [&](std::size_t t) {
    const TensorInfo& info = models.base.tensors()[t];
    std::vector<ByteSpan> views;
    ElementMerge elements(info.dtype);
    while (merges[t]->wants_pass()) {
      for (std::uint64_t at = 0; at < info.bytes; at += kStep) elements.look(*merges[t], models.range(t, at, views));
      merges[t]->end_pass();
    }
  });
  result.set("passes", cpu_nanoseconds() - cpu);
  std::vector<Step> steps;
  for (const SafetensorsEntry& entry : header.entries) {
    for (std::uint64_t at = 0; at < entry.info.bytes; at += kStep) steps.push_back({models.base.find(entry.info.name).value(), at});
  }
  std::FILE* file = std::fopen(out.c_str(), "wb");
  if (file == nullptr) throw std::runtime_error(out + ": cannot be written");
  bool good = std::fwrite(header.raw.data(), 1, header.raw.size(), file) == header.raw.size();
  std::int64_t writing = 0;
  ordered_pipeline(
      steps.size(), 0,
      [&](std::size_t i, Bytes& buffer) {
        const Step& step = steps[i];
        std::vector<ByteSpan> views;
        const RawElements raw = models.range(step.tensor, step.offset, views);
        buffer.resize(raw.base.size());
        ElementMerge(models.base.tensors()[step.tensor].dtype).apply(*merges[step.tensor], raw, buffer);
      },
      [&](std::size_t, const Bytes& buffer) {
        const std::int64_t start = wall_nanoseconds();
        good = good && std::fwrite(buffer.data(), 1, buffer.size(), file) == buffer.size();
        writing += wall_nanoseconds() - start;
      });
  good = std::fclose(file) == 0 && good;
  if (!good) throw std::runtime_error(out + ": could not be written");
  result.set("cpu", cpu_nanoseconds() - cpu);
  result.set("wall", wall_nanoseconds() - wall);
  result.set("writing_wall", writing);
  return result;
}

}  // namespace dstore::bench
