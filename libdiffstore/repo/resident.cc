#include "dstore/resident.h"

#include <algorithm>
#include <numeric>

#include "delta/memory_patch.h"
#include "dstore/error.h"
#include "repo/open_task.h"

namespace dstore {
namespace {

/// The tensors of a program as a source, sorted by name.
class ResidentSource : public TensorSource {
 public:
  explicit ResidentSource(const std::vector<ResidentTensor>& tensors) : order_(tensors.size()) {
    std::iota(order_.begin(), order_.end(), std::uint32_t{0});
    std::sort(order_.begin(), order_.end(), [&](std::uint32_t a, std::uint32_t b) { return tensors[a].info.name < tensors[b].info.name; });
    for (const std::uint32_t i : order_) {
      if (tensors[i].bytes.size() != tensors[i].info.bytes) {
        throw Error(ErrorCode::invalid_argument, "tensor " + printable(tensors[i].info.name) + ": its memory has another size than its shape");
      }
      infos_.push_back(tensors[i].info);
      bytes_.push_back(tensors[i].bytes);
    }
  }
  const std::vector<TensorInfo>& tensors() const override { return infos_; }
  void read(std::size_t index, std::uint64_t offset, std::span<std::byte> out) const override {
    std::copy_n(bytes_[index].begin() + static_cast<std::ptrdiff_t>(offset), out.size(), out.begin());
  }
  std::span<const std::byte> view(std::size_t index) const override { return bytes_[index]; }
  /// Where the program has it.
  std::uint32_t position(std::size_t index) const { return order_[index]; }

 private:
  std::vector<std::uint32_t> order_;
  std::vector<TensorInfo> infos_;
  std::vector<std::span<std::byte>> bytes_;
};

std::vector<TensorInfo> infos_of(const std::vector<ResidentTensor>& tensors) {
  std::vector<TensorInfo> infos;
  for (const ResidentTensor& tensor : tensors) infos.push_back(tensor.info);
  return infos;
}

}  // namespace

struct ResidentTask::State {
  std::string name;
  MemoryPatch patch;
  std::vector<TensorInfo> infos;  ///< of what it was loaded with
  std::vector<std::string> added;
};

ResidentTask::ResidentTask(std::unique_ptr<State> state) : state_(std::move(state)) {}
ResidentTask::~ResidentTask() = default;
ResidentTask::ResidentTask(ResidentTask&&) noexcept = default;
ResidentTask& ResidentTask::operator=(ResidentTask&&) noexcept = default;

std::uint64_t ResidentTask::changed() const { return state_->patch.changed(); }
std::uint64_t ResidentTask::bytes() const { return state_->patch.bytes(); }
const std::vector<std::string>& ResidentTask::added() const { return state_->added; }

ResidentTask ResidentTask::load(const std::string& directory, const std::string& revision, const std::vector<ResidentTensor>& base) {
  const Repository repository = Repository::discover(posix_filesystem(), directory);
  OpenTask task = open_task(repository, resolve_revision(repository, revision));
  StoredWeights* const weights = &task.weights();
  const ResidentSource source(base);
  weights->read_base_from(source, "the model in memory");
  auto state = std::make_unique<State>();
  state->name = revision;
  state->infos = infos_of(base);
  Bytes after;
  for (std::size_t i = 0; i < weights->tensors().size(); ++i) {
    const TensorInfo& info = weights->tensors()[i];
    const DerivedTensor* derived = weights->derived(i);
    if (derived == nullptr) {
      const auto held = weights->base()->find(info.name);
      if (!held || weights->base()->tensor_id(*held) != weights->tensor_id(i)) state->added.push_back(info.name);
      continue;
    }
    if (derived->op == DeltaOp::convert) {
      throw Error(ErrorCode::unsupported, printable(revision) + ": gives the tensor " + printable(info.name) + " another shape or dtype: it cannot be put in place");
    }
    const unsigned unit = unit_type(info.dtype).bytes;
    for (std::uint64_t at = 0; at < info.bytes; at += kPieceBytes) {
      after.resize(std::min(kPieceBytes, info.bytes - at));
      weights->read(i, at, after);
      state->patch.add(source.position(derived->index), unit, at, source.view(derived->index).subspan(at, after.size()), after);
    }
  }
  return ResidentTask(std::move(state));
}

ResidentModel::ResidentModel(std::vector<ResidentTensor> tensors) : infos_(infos_of(tensors)) {
  for (const ResidentTensor& tensor : tensors) arrays_.push_back(tensor.bytes);
}

void ResidentModel::check_fits(const ResidentTask& task) const {
  if (task.state_->infos != infos_) throw Error(ErrorCode::conflict, printable(task.state_->name) + ": was loaded for other tensors");
}

void ResidentModel::apply(const ResidentTask& task) {
  if (applied_ != nullptr) throw Error(ErrorCode::conflict, printable(applied_->state_->name) + " is on the model; undo it first, or switch");
  check_fits(task);
  undo_.resize(task.state_->patch.values_bytes());
  if (!task.state_->patch.apply(arrays_, undo_)) throw Error(ErrorCode::conflict, printable(task.state_->name) + ": the model in memory is not its base any more");
  applied_ = &task;
}

void ResidentModel::undo() {
  if (applied_ == nullptr) throw Error(ErrorCode::conflict, "no task is on the model");
  if (!applied_->state_->patch.undo(arrays_, undo_)) {
    throw Error(ErrorCode::conflict, printable(applied_->state_->name) + ": the model in memory was changed since it was applied");
  }
  applied_ = nullptr;
}

void ResidentModel::switch_to(const ResidentTask& task) {
  if (applied_ == nullptr) return apply(task);
  check_fits(task);
  Bytes undo(task.state_->patch.values_bytes());
  if (!MemoryPatch::exchange(applied_->state_->patch, undo_, task.state_->patch, undo, arrays_)) {
    throw Error(ErrorCode::conflict, printable(applied_->state_->name) + " or its base: the model in memory was changed since it was applied");
  }
  undo_ = std::move(undo);
  applied_ = &task;
}

}  // namespace dstore
