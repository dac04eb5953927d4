#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <functional>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

namespace dstore {

/// The state of a training on its way into bytes or out of them: a class names its members once, for both directions.
/// Numbers as they lie in memory (little-endian). Error{corrupt} where the bytes are not a state of this training.
class StateArchive {
 public:
  using Sink = std::function<void(std::span<const std::byte>)>;
  /// Collects.
  StateArchive() = default;
  /// Gives the bytes to `sink`, piece by piece.
  explicit StateArchive(Sink sink) : sink_(std::move(sink)) {}
  /// Restores from `bytes`, which must outlive it.
  explicit StateArchive(std::span<const std::byte> bytes) : reading_(true), in_(bytes) {}

  bool reading() const { return reading_; }
  /// What was collected.
  std::vector<std::byte> take() { return std::move(out_); }
  /// Error{corrupt} naming `member` unless `fits`.
  static void require(bool fits, std::string_view member);
  /// Error{corrupt} unless every byte was used.
  void finish() const;

  template <typename T>
  void value(std::string_view name, T& value) {
    array(name, std::span<T>(&value, 1));
  }
  /// `values` keeps its length: a state of another length is refused.
  template <typename T>
  void array(std::string_view name, std::span<T> values) {
    static_assert(std::is_trivially_copyable_v<T>);
    exchange(name, std::as_writable_bytes(values));
  }
  /// Takes the state's length. Error{corrupt} above `limit`.
  template <typename T>
  void list(std::string_view name, std::vector<T>& values, std::size_t limit) {
    values.resize(length(name, values.size(), limit));
    array(name, std::span<T>(values));
  }
  void text(std::string_view name, std::string& text);
  void texts(std::string_view name, std::map<std::string, std::string>& texts);

 private:
  void exchange(std::string_view name, std::span<std::byte> bytes);
  std::size_t length(std::string_view name, std::size_t count, std::size_t limit);
  std::span<const std::byte> next(std::string_view name, std::size_t size);
  void put(const void* data, std::size_t size);

  bool reading_ = false;
  std::vector<std::byte> out_;
  Sink sink_;
  std::span<const std::byte> in_;
};

}  // namespace dstore
