#include "trainer/loop/event_file.h"

#include <unistd.h>

#include <array>
#include <bit>
#include <chrono>
#include <nlohmann/json.hpp>

#include "base/bytes.h"

namespace dstore {
namespace {

constexpr std::array<std::uint32_t, 256> crc_table() {
  std::array<std::uint32_t, 256> table{};
  for (std::uint32_t i = 0; i < 256; ++i) {
    std::uint32_t value = i;
    for (int bit = 0; bit < 8; ++bit) value = (value >> 1) ^ ((value & 1) != 0 ? 0x82f63b78u : 0u);
    table[i] = value;
  }
  return table;
}
constexpr std::array<std::uint32_t, 256> kCrcTable = crc_table();

double now() { return std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count(); }

/// Protocol buffers, as far as events need them.
class Message {
 public:
  void number(std::uint32_t field, std::uint64_t value) {
    key(field, 0);
    varint(value);
  }
  void real(std::uint32_t field, double value) {
    key(field, 1);
    writer_.u64(std::bit_cast<std::uint64_t>(value));
  }
  void real(std::uint32_t field, float value) {
    key(field, 5);
    writer_.u32(std::bit_cast<std::uint32_t>(value));
  }
  void text(std::uint32_t field, std::string_view value) {
    key(field, 2);
    varint(value.size());
    writer_.text(value);
  }
  std::string take() { return std::string(as_text(writer_.data())); }

 private:
  void key(std::uint32_t field, std::uint32_t type) { varint(field << 3 | type); }
  void varint(std::uint64_t value) {
    for (; value >= 0x80; value >>= 7) writer_.u8(static_cast<std::uint8_t>(value | 0x80));
    writer_.u8(static_cast<std::uint8_t>(value));
  }

  Writer writer_;
};

// Fields of tensorflow/core/util/event.proto and tensorflow/core/framework/summary.proto.
enum EventField : std::uint32_t { kWallTime = 1, kStep = 2, kFileVersion = 3, kSummary = 5, kSessionLog = 7 };
enum SummaryField : std::uint32_t { kValue = 1 };
enum ValueField : std::uint32_t { kTag = 1, kSimpleValue = 2 };
enum SessionLogField : std::uint32_t { kStatus = 1 };
constexpr std::uint64_t kSessionStart = 1;

Message event(long step) {
  Message message;
  message.real(kWallTime, now());
  message.number(kStep, static_cast<std::uint64_t>(step));
  return message;
}

std::string new_path(const std::string& folder) {
  char host[256] = "host";
  ::gethostname(host, sizeof host - 1);
  return join_path(folder, "events.out.tfevents." + std::to_string(static_cast<long>(now())) + "." + host + "." + random_name().substr(0, 8) +
                   ".dstore");
}

}  // namespace

std::uint32_t masked_crc32c(ByteSpan bytes) {
  std::uint32_t crc = ~0u;
  for (const std::byte byte : bytes) crc = kCrcTable[(crc ^ static_cast<std::uint32_t>(byte)) & 0xff] ^ (crc >> 8);
  crc = ~crc;
  return ((crc >> 15) | (crc << 17)) + 0xa282ead8u;
}

EventFile::EventFile(const std::string& folder, long done) {
  make_directories(posix_filesystem(), folder);
  file_ = posix_filesystem().open(new_path(folder), OpenMode::create_new);
  Message version;
  version.real(kWallTime, now());
  version.text(kFileVersion, "brain.Event:2");
  append(version.take());
  Message status;
  status.number(kStatus, kSessionStart);
  Message start = event(done + 1);
  start.text(kSessionLog, status.take());
  append(start.take());
}

void EventFile::write(const nlohmann::ordered_json& record) {
  if (!record.contains("step") || !record.contains("event")) return;
  const std::string prefix = record["event"] == "dev" ? "dev/" : "train/";
  Message summary;
  for (const auto& [name, value] : record.items()) {
    if (name == "step" || !value.is_number()) continue;
    Message scalar;
    scalar.text(kTag, prefix + name);
    scalar.real(kSimpleValue, value.get<float>());
    summary.text(kValue, scalar.take());
  }
  Message message = event(record["step"].get<long>());
  message.text(kSummary, summary.take());
  append(message.take());
}

void EventFile::append(const std::string& message) {
  Writer length;
  length.u64(message.size());
  Writer record;
  record.bytes(length.data());
  record.u32(masked_crc32c(length.data()));
  record.text(message);
  record.u32(masked_crc32c(as_bytes(message)));
  file_->write_at(size_, record.data());
  size_ += record.size();
}

}  // namespace dstore
