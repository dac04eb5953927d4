#include "object/name_table.h"

#include "dstore/error.h"

namespace dstore {
namespace {
constexpr std::size_t kMaxName = 4096;
}

void NameWriter::add(Writer& records, std::string_view name) {
  if (!is_utf8(name)) throw Error(ErrorCode::invalid_argument, "a name that is not UTF-8 cannot be stored: " + printable(name.substr(0, 80)));
  if (name.size() > kMaxName || text_.size() + name.size() > 0xFFFFFFFFu) {
    throw Error(ErrorCode::unsupported, "names too long for a table: " + printable(name.substr(0, 80)));
  }
  records.u32(static_cast<std::uint32_t>(text_.size()));
  records.u32(static_cast<std::uint32_t>(name.size()));
  text_ += name;
}

std::string NameReader::next(Reader& records) {
  const std::uint32_t offset = records.u32();
  const std::uint32_t length = records.u32();
  if (offset != used_ || length > kMaxName || length > text_.size() - used_) records.fail("name reference");
  const std::string_view name = text_.substr(used_, length);
  if (!is_utf8(name)) records.fail("name is not UTF-8");
  used_ += length;
  return std::string(name);
}

void NameReader::expect_end(const Reader& records) const {
  if (used_ != text_.size()) records.fail("unused bytes in the name table");
}

}  // namespace dstore
