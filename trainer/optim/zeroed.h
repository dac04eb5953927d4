#pragma once

#include <cstdlib>
#include <memory>
#include <new>
#include <span>

namespace dstore {

/// An array of fp32 zeros whose pages cost memory only once they are written.
class ZeroedFloats {
 public:
  ZeroedFloats() = default;
  explicit ZeroedFloats(std::size_t count) : data_(static_cast<float*>(std::calloc(count ? count : 1, sizeof(float)))), count_(count) {
    if (!data_) throw std::bad_alloc();
  }
  float* data() const { return data_.get(); }
  std::size_t size() const { return count_; }
  std::span<float> span() const { return {data_.get(), count_}; }
  void release() { *this = ZeroedFloats(); }

 private:
  struct Free {
    void operator()(float* pointer) const { std::free(pointer); }
  };
  std::unique_ptr<float, Free> data_;
  std::size_t count_ = 0;
};

}  // namespace dstore
