#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <vector>

#include "trainer/methods/method.h"

namespace dstore {

/// What the user sees while training, on stderr: a bar that redraws itself on a terminal, else a line every 50 steps.
class Progress {
 public:
  Progress(long steps, bool quiet);
  /// So many steps were done before.
  void go_on_from(long done);
  void step(long done, std::string_view phase, double loss, const std::vector<Reading>& readings);
  /// A line above the bar.
  void note(const std::string& line);
  /// The same, also where the user asked for quiet.
  void warn(const std::string& line);
  void finish();

 private:
  void clear();
  std::string line(long done, std::string_view phase, double loss, const std::vector<Reading>& readings) const;

  long steps_;
  long before_ = 0;  ///< steps of an earlier process
  bool quiet_;
  bool terminal_;
  bool drawn_ = false;
  std::optional<double> smooth_loss_;
  std::chrono::steady_clock::time_point start_, last_draw_;
};

/// "1:05" or "2:03:04".
std::string clock_text(double seconds);

}  // namespace dstore
