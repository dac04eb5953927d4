#include "trainer/methods/state.h"

#include "dstore/error.h"

namespace dstore {
namespace {

constexpr std::size_t kTextLimit = std::size_t{1} << 20;

}  // namespace

void StateArchive::put(const void* data, std::size_t size) {
  const std::span<const std::byte> bytes(static_cast<const std::byte*>(data), size);
  if (sink_) return sink_(bytes);
  out_.insert(out_.end(), bytes.begin(), bytes.end());
}

void StateArchive::require(bool fits, std::string_view member) {
  if (!fits) throw Error(ErrorCode::corrupt, "the saved state of the training does not fit this one at \"" + std::string(member) + "\"");
}

std::span<const std::byte> StateArchive::next(std::string_view name, std::size_t size) {
  require(in_.size() >= size, name);
  const std::span<const std::byte> head = in_.first(size);
  in_ = in_.subspan(size);
  return head;
}

/// A record: name length (u64), name, payload length (u64), payload.
void StateArchive::exchange(std::string_view name, std::span<std::byte> bytes) {
  const std::uint64_t sizes[] = {name.size(), bytes.size()};
  if (!reading_) {
    put(&sizes[0], sizeof sizes[0]);
    put(name.data(), name.size());
    put(&sizes[1], sizeof sizes[1]);
    put(bytes.data(), bytes.size());
    return;
  }
  const auto expect = [&](const void* data, std::size_t size) {
    require(size == 0 || std::memcmp(next(name, size).data(), data, size) == 0, name);
  };
  expect(&sizes[0], sizeof sizes[0]);
  expect(name.data(), name.size());
  expect(&sizes[1], sizeof sizes[1]);
  if (!bytes.empty()) std::memcpy(bytes.data(), next(name, bytes.size()).data(), bytes.size());
}

std::size_t StateArchive::length(std::string_view name, std::size_t count, std::size_t limit) {
  std::uint64_t number = count;
  value(std::string(name) + ".length", number);
  require(number <= limit, name);
  return static_cast<std::size_t>(number);
}

void StateArchive::text(std::string_view name, std::string& text) {
  text.resize(length(name, text.size(), kTextLimit));
  array(name, std::span<char>(text));
}

void StateArchive::texts(std::string_view name, std::map<std::string, std::string>& texts) {
  std::vector<std::pair<std::string, std::string>> rows(texts.begin(), texts.end());
  rows.resize(length(name, rows.size(), kTextLimit));
  for (auto& [key, value] : rows) {
    text(name, key);
    text(name, value);
  }
  texts = {rows.begin(), rows.end()};
}

void StateArchive::finish() const {
  require(in_.empty(), "its end");
}

}  // namespace dstore
