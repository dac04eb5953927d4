#include "repo/sparse_patch.h"

#include <cstring>

#include "delta/element.h"
#include "dstore/error.h"
#include "tensor/dtype.h"
#include "tensor/shape_text.h"

namespace dstore {
namespace {

constexpr std::string_view kExtension = ".safetensors";

std::vector<std::string> files_in(Filesystem& fs, const std::string& path) {
  const auto info = fs.stat(path, true);
  if (!info) throw Error(ErrorCode::not_found, printable(path) + ": no such file or folder");
  if (info->type == FileInfo::Type::regular) return {path};
  std::vector<std::string> out;
  if (info->type != FileInfo::Type::directory) return out;
  for (const std::string& name : fs.list(path)) {
    if (name.ends_with(kExtension)) out.push_back(join_path(path, name));
  }
  return out;
}

const PatchLayout* layout_of(const SafetensorsFile& file) {
  for (const PatchLayout& layout : patch_layouts()) {
    if (layout.matches(file)) return &layout;
  }
  return nullptr;
}

/// slime's third encoding is a whole file in zstd.
bool is_zstd(Filesystem& fs, const std::string& path) {
  constexpr unsigned char kMagic[] = {0x28, 0xb5, 0x2f, 0xfd};
  Bytes start(4);
  return fs.open(path, OpenMode::read)->read_at(0, start) == start.size() && std::memcmp(start.data(), kMagic, start.size()) == 0;
}

[[noreturn]] void fail(const std::string& path, const std::string& tensor, const std::string& why) {
  throw Error(ErrorCode::invalid_argument, printable(path) + ": tensor " + printable(tensor) + ": " + why);
}

std::uint64_t little_endian(const std::byte* at, unsigned width) {
  std::uint64_t value = 0;
  std::memcpy(&value, at, width);
  return value;
}

}  // namespace

bool SparsePatch::is_patch(Filesystem& fs, const std::string& path) {
  const std::vector<std::string> files = files_in(fs, path);
  if (files.empty() || !files.front().ends_with(kExtension)) return false;
  try {
    return is_zstd(fs, files.front()) || layout_of(SafetensorsFile(files.front())) != nullptr;
  } catch (const Error&) {
    if (files.front() == path) throw;
    return false;  // whoever reads the folder says what is wrong with it, if it needs that file at all
  }
}

SparsePatch SparsePatch::open(Filesystem& fs, const std::string& path) {
  SparsePatch out;
  out.path_ = path;
  for (const std::string& name : files_in(fs, path)) {
    if (is_zstd(fs, name)) throw Error(ErrorCode::unsupported, printable(name) + ": compressed with zstd; decompress it first: zstd -d " + printable(name) + " -o FILE");
    const auto& file = out.files_.emplace_back(std::make_unique<SafetensorsFile>(name));
    const PatchLayout* layout = layout_of(*file);
    if (layout == nullptr) throw Error(ErrorCode::unsupported, printable(name) + ": not a sparse patch in a known layout (docs/adapters.md lists them)");
    out.layout_ = layout->name;
    layout->read(*file, out.files_.size() - 1, out.content_);
  }
  if (out.files_.empty()) throw Error(ErrorCode::not_found, printable(path) + ": no .safetensors file here");
  return out;
}

std::uint64_t SparsePatch::bytes() const {
  std::uint64_t sum = 0;
  for (const auto& file : files_) sum += file->bytes().size();
  return sum;
}

std::vector<std::uint64_t> SparsePatch::read_positions(const Part& part, std::uint64_t elements) const {
  const Positions& from = part.positions;
  const auto raw = files_[from.file]->view(from.tensor);
  std::vector<std::uint64_t> out;
  out.reserve(from.count);
  std::uint64_t next = 0;  // the smallest position that may follow
  for (std::uint64_t i = 0; i < from.count; ++i) {
    const std::uint64_t number = little_endian(raw.data() + from.offset + i * from.width, from.width);
    const bool gap = from.kind == Positions::Kind::gaps;
    if (!gap && number < next) fail(path_, part.name, "its indices are not in ascending order without duplicates (index " + std::to_string(i) + ")");
    const std::uint64_t position = gap ? next + number : number;
    if (position >= elements || (gap && number >= elements)) {
      fail(path_, part.name, "index " + std::to_string(i) + " is out of range: the base's tensor has " + std::to_string(elements) + " elements");
    }
    out.push_back(position);
    next = position + 1;
  }
  return out;
}

TensorEdit SparsePatch::edit_of(const Part& part, const TensorSource& base, std::size_t index) const {
  const TensorInfo& info = base.tensors()[index];
  const DType dtype = files_[part.values_file]->tensors()[part.values].dtype;
  if (dtype != info.dtype || (part.dtype && *part.dtype != info.dtype)) {
    fail(path_, part.name, "its values are " + std::string(dtype_info(part.dtype.value_or(dtype)).name) + ", the base's tensor is " + std::string(dtype_info(info.dtype).name));
  }
  if (part.shape && *part.shape != info.shape) {
    fail(path_, part.name, "the patch is for a tensor of " + shape_text({"", info.dtype, *part.shape, 0}) + ", the base's is " + shape_text(info));
  }
  if (dtype_info(info.dtype).bytes() != unit_type(info.dtype).bytes) fail(path_, part.name, "single elements of the dtype " + std::string(dtype_info(info.dtype).name) + " cannot be patched");
  TensorEdit edit;
  const std::uint64_t elements = info.bytes / dtype_info(info.dtype).bytes();
  edit.sparse = SparseEdit{read_positions(part, elements), files_[part.values_file].get(), part.values, part.first_value, std::nullopt};
  return edit;
}

std::vector<TensorEdit> SparsePatch::edits(const TensorSource& base, const ObjectId& base_weights) const {
  if (content_.base_weights && *content_.base_weights != base_weights) {
    throw Error(ErrorCode::conflict, printable(path_) + ": is for the weights " + content_.base_weights->short_hex() + ", this base has the weights " + base_weights.short_hex());
  }
  std::vector<TensorEdit> by_base(base.tensors().size()), out;
  const auto find = [&](const std::string& name) { return base.find(name); };
  for (std::size_t i = 0; i < by_base.size(); ++i) by_base[i].name = base.tensors()[i].name;
  for (const auto& [name, from] : content_.renamed) {
    const auto index = find(from);
    if (!index) fail(path_, from, "the base has no tensor of this name");
    by_base[*index].name = name;
  }
  const auto result_of = [&](const std::string& name) {
    const auto renamed = content_.renamed.find(name);
    return find(renamed == content_.renamed.end() ? name : renamed->second);
  };
  const auto put = [&](std::size_t index, TensorEdit edit) {
    if (by_base[index].changes()) fail(path_, by_base[index].name, "the patch changes it twice");
    edit.name = by_base[index].name;
    by_base[index] = std::move(edit);
  };
  for (const Part& part : content_.parts) {
    const auto index = result_of(part.name);
    if (!index) fail(path_, part.name, "the base has no tensor of this name");
    put(*index, edit_of(part, base, *index));
  }
  for (const Whole& whole : content_.whole) {
    TensorEdit edit{whole.name, result_of(whole.name), TensorEdit::Whole{files_[whole.file].get(), whole.tensor}};
    if (edit.base) {
      const std::size_t index = *edit.base;
      put(index, std::move(edit));
    } else {
      out.push_back(std::move(edit));
    }
  }
  for (const std::string& name : content_.removed) {
    if (!find(name)) fail(path_, name, "the base has no tensor of this name");
  }
  for (std::size_t i = 0; i < by_base.size(); ++i) {
    if (content_.removed.contains(base.tensors()[i].name)) continue;
    by_base[i].base = i;
    out.push_back(std::move(by_base[i]));
  }
  return out;
}

}  // namespace dstore
