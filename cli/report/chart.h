#pragma once

#include <optional>
#include <string>
#include <vector>

namespace dstore::cli {

/// Values of an axis: round ones that enclose what is shown.
struct Axis {
  double low = 0, high = 1, step = 0.25;
};
/// About `parts` steps.
Axis axis_of(double low, double high, int parts = 3);
/// A coordinate of a drawing, to a tenth of a unit.
std::string place(double value);
/// A number beside an axis with such steps.
std::string axis_text(double value, double step);

struct ChartPoint {
  double x = 0, y = 0;
  double low = 0, high = 0;  ///< of a bar through it; none where they are equal
  std::string title;         ///< plain text, shown under the pointer
};
struct ChartSeries {
  std::string name;   ///< plain text
  std::string style;  ///< "1" to "4" of the page's, or "base"
  bool line = true;
  bool labelled = false;  ///< its name stands beside its last point
  std::vector<ChartPoint> points{};
};

/// Points and lines over an axis, as SVG that a page of this folder shows. Text is plain.
struct Chart {
  std::string id;  ///< of the drawing on its page
  std::string title;
  std::string x_title;
  bool log_x = false;  ///< x is above 0
  std::string (*x_text)(double) = nullptr;  ///< of a value on the axis
  double width = 440, height = 300;
  std::optional<double> y_low{}, y_high{};  ///< for charts that are looked at together: at least this is shown
  std::vector<ChartSeries> series{};

  /// Empty where there are no points.
  std::string svg() const;
};
/// A legend of lines: plain name and style.
std::string line_legend(const std::vector<ChartSeries>& series);

}  // namespace dstore::cli
