#include "trainer/loop/progress.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include <cstdio>

namespace dstore {
namespace {

using Clock = std::chrono::steady_clock;
constexpr long kLineEvery = 50;

double seconds(Clock::duration d) { return std::chrono::duration<double>(d).count(); }

/// Columns that a line may fill without wrapping.
std::size_t line_columns() {
  struct winsize size = {};
  if (ioctl(STDERR_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_col == 0) return 79;
  return size.ws_col - 1u;
}

std::string format(const char* pattern, double value) {
  char text[64];
  std::snprintf(text, sizeof text, pattern, value);
  return text;
}

}  // namespace

std::string clock_text(double total) {
  const long s = static_cast<long>(total);
  char text[64];
  if (s >= 3600) {
    std::snprintf(text, sizeof text, "%ld:%02ld:%02ld", s / 3600, s / 60 % 60, s % 60);
  } else {
    std::snprintf(text, sizeof text, "%ld:%02ld", s / 60, s % 60);
  }
  return text;
}

Progress::Progress(long steps, bool quiet)
    : steps_(steps), quiet_(quiet), terminal_(isatty(STDERR_FILENO) == 1), start_(Clock::now()), last_draw_(start_ - std::chrono::hours(1)) {}

std::string Progress::line(long done, std::string_view phase, double loss, const std::vector<Reading>& readings) const {
  const double elapsed = seconds(Clock::now() - start_);
  const double rate = elapsed > 0 ? static_cast<double>(done - before_) / elapsed : 0;
  std::string text = std::string(phase) + " " + std::to_string(done) + "/" + std::to_string(steps_) + "  loss " + format("%.3f", loss) + "  " +
                     format("%.2f", rate) + " steps/s  ETA " + clock_text(rate > 0 ? static_cast<double>(steps_ - done) / rate : 0);
  for (const Reading& reading : readings) {
    text += "  " + (reading.name == "mean_open" ? "P(z>0) " : reading.name + " ") + format("%.2f%%", 100 * reading.value);
  }
  return text;
}

void Progress::clear() {
  if (drawn_) std::fputs("\r\033[K", stderr);
  drawn_ = false;
}

void Progress::go_on_from(long done) {
  before_ = done;
  note("goes on after step " + std::to_string(done) + " of " + std::to_string(steps_));
}

void Progress::step(long done, std::string_view phase, double loss, const std::vector<Reading>& readings) {
  smooth_loss_ = smooth_loss_ ? 0.95 * *smooth_loss_ + 0.05 * loss : loss;
  if (quiet_) return;
  if (!terminal_) {
    if (done % kLineEvery == 0 || done == steps_) std::fprintf(stderr, "%s\n", line(done, phase, *smooth_loss_, readings).c_str());
    return;
  }
  const auto now = Clock::now();
  if (seconds(now - last_draw_) < 0.2 && done != steps_) return;
  last_draw_ = now;
  constexpr long kWidth = 20;
  const long filled = steps_ > 0 ? done * kWidth / steps_ : kWidth;
  std::string bar = "[" + std::string(static_cast<std::size_t>(filled), '=') + std::string(static_cast<std::size_t>(kWidth - filled), ' ') + "] ";
  std::fprintf(stderr, "\r\033[K%s", (bar + line(done, phase, *smooth_loss_, readings)).substr(0, line_columns()).c_str());
  std::fflush(stderr);
  drawn_ = true;
}

void Progress::note(const std::string& text) {
  if (!quiet_) warn(text);
}

void Progress::warn(const std::string& text) {
  clear();
  std::fprintf(stderr, "%s\n", text.c_str());
}

void Progress::finish() {
  if (drawn_) std::fputc('\n', stderr);
  drawn_ = false;
}

}  // namespace dstore
