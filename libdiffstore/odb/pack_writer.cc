#include <algorithm>

#include "base/mutant.h"
#include "base/sha256.h"
#include "dstore/error.h"
#include "odb/layout.h"
#include "odb/pack.h"
#include "odb/pack_format.h"

namespace dstore {
namespace {

constexpr std::uint64_t kWritebackStep = 4 << 20;

}  // namespace

PackWriter::PackWriter(Filesystem& fs, const std::string& temporary_dir)
    : fs_(fs), temporary_(join_path(temporary_dir, random_name())) {
  file_ = fs_.open(temporary_, OpenMode::create_new, 0444);
  Writer header;
  header.text(layout::kPackMagic);
  header.u32(version_);
  header.u32(0);
  try {
    file_->write_at(0, header.data());
  } catch (...) {
    discard();
    throw;
  }
  size_ = header.size();
}

PackWriter::~PackWriter() { discard(); }

void PackWriter::discard() {
  if (temporary_.empty()) return;
  file_.reset();
  try {
    fs_.remove(temporary_);
  } catch (const Error&) {
    // An unreferenced temporary stays behind; whatever made us discard it is the error to report.
  }
  temporary_.clear();
}

void PackWriter::append(ObjectKind kind, const ObjectId& id, std::uint64_t raw_size, Codec codec, ByteSpan stored) {
  const PackEntry entry{id, kind, codec, raw_size, stored.size(), stored_checksum(stored), size_};
  if (const auto problem = entry_problem(entry)) {
    throw Error(ErrorCode::invalid_argument, std::string(kind_name(kind)) + " " + id.hex() + " cannot be stored: " + *problem);
  }
  file_->write_at(size_, record_header(entry));
  file_->write_at(size_ + layout::kRecordHeaderSize, stored);
  size_ += layout::kRecordHeaderSize + stored.size();
  if (size_ - on_its_way_ >= kWritebackStep) {
    file_->start_writeback(on_its_way_, size_ - on_its_way_);
    on_its_way_ = size_;
  }
  version_ = std::max(version_, pack_version_of(codec));
  entries_.push_back(entry);
}

ObjectId PackWriter::finish() {
  Writer version;
  version.u32(version_);
  if (version_ > 1) file_->write_at(layout::kPackMagic.size(), version.data());
  Writer trailer;
  trailer.u32(layout::kTrailerMagic);
  trailer.u32(version_);
  trailer.u64(entries_.size());
  for (const PackEntry& entry : entries_) write_trailer_entry(entry, trailer);
  trailer.u64(size_);
  name_ = sha256(trailer.data());
  trailer.id(name_);
  file_->write_at(size_, trailer.data());
  size_ += trailer.size();
  if (!mutant("pack-sync-skipped")) file_->sync();
  file_.reset();
  return name_;
}

void PackWriter::publish(const std::string& packs_dir) {
  const std::string target = join_path(packs_dir, pack_file_name(name_));
  // The same trailer means the same records: keep the old file if it is whole, else put this one in its place.
  if (!fs_.link(temporary_, target) && !is_whole_pack(fs_, target, name_)) {
    fs_.rename(temporary_, target);
    temporary_.clear();
  }
  discard();
}

}  // namespace dstore
