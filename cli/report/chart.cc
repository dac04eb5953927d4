#include "report/chart.h"

#include <algorithm>
#include <cmath>

#include "number_text.h"
#include "report/html.h"

namespace dstore::cli {
namespace {

constexpr double kLeft = 46, kRight = 14, kTop = 12, kBottom = 40;
constexpr double kLetter = 6.2, kLine = 12;  ///< about, of 11 px text

struct Box {
  double x0, x1, y0, y1;
  bool meets(const Box& o) const { return x0 < o.x1 && o.x0 < x1 && y0 < o.y1 && o.y0 < y1; }
};

/// Columns of UTF-8 text, nearly.
double letters(const std::string& text) {
  return static_cast<double>(std::count_if(text.begin(), text.end(), [](char c) { return (static_cast<unsigned char>(c) & 0xC0) != 0x80; }));
}

class Drawing {
 public:
  explicit Drawing(const Chart& chart) : chart_(chart) {
    double low = INFINITY, high = -INFINITY;
    for (const ChartSeries& series : chart.series) {
      for (const ChartPoint& point : series.points) {
        x_low_ = std::min(x_low_, scaled(point.x));
        x_high_ = std::max(x_high_, scaled(point.x));
        low = std::min({low, point.y, point.low == point.high ? point.y : point.low});
        high = std::max({high, point.y, point.low == point.high ? point.y : point.high});
      }
    }
    empty_ = !(low <= high);
    if (empty_) return;
    low = std::min(low, chart.y_low.value_or(low));
    high = std::max(high, chart.y_high.value_or(high));
    y_ = axis_of(low, high, 4);
    if (!chart.log_x) {
      x_ = axis_of(std::min(x_low_, 0.0), x_high_, 4);
      x_low_ = x_.low;
      x_high_ = std::max(x_high_, x_low_ + 1e-9);
    } else {
      const double margin = std::max(0.08 * (x_high_ - x_low_), 0.1);
      x_low_ -= margin;
      x_high_ += margin;
    }
  }
  bool is_empty() const { return empty_; }

  std::string svg() {
    std::string out = "<svg class=\"chart wide\" viewBox=\"0 0 " + place(chart_.width) + " " + place(chart_.height) + "\" role=\"img\" aria-labelledby=\"" + chart_.id + "-t\">\n<title id=\"" +
                      chart_.id + "-t\">" + escaped(chart_.title) + "</title>\n" + grid() + marks();
    for (const ChartSeries& series : chart_.series) out += lines(series);
    for (const ChartSeries& series : chart_.series) out += dots(series);
    for (const ChartSeries& series : chart_.series) out += label(series);
    return out + "</svg>\n";
  }

 private:
  double scaled(double x) const { return chart_.log_x ? std::log10(x) : x; }
  double at_x(double x) const { return kLeft + (chart_.width - kLeft - kRight) * (scaled(x) - x_low_) / (x_high_ - x_low_); }
  double at_y(double y) const { return chart_.height - kBottom - (chart_.height - kTop - kBottom) * (y - y_.low) / (y_.high - y_.low); }

  std::string text(double x, double y, const char* anchor, const std::string& words) const {
    return "<text x=\"" + place(x) + "\" y=\"" + place(y) + "\" text-anchor=\"" + anchor + "\">" + escaped(words) + "</text>\n";
  }
  std::string grid() const {
    std::string out;
    for (int i = 0; i <= static_cast<int>(std::lround((y_.high - y_.low) / y_.step)); ++i) {
      const double value = y_.low + i * y_.step;
      const std::string y = place(at_y(value));
      out += "<line class=\"grid\" x1=\"" + place(kLeft) + "\" x2=\"" + place(chart_.width - kRight) + "\" y1=\"" + y + "\" y2=\"" + y + "\"/>" +
             text(kLeft - 6, at_y(value) + 4, "end", axis_text(value, y_.step));
    }
    return out;
  }
  /// Numbers below the axis: of a logarithmic one 1, 2, 5, 10, ... as far as there is room, else round steps.
  std::string marks() const {
    std::string out = text((kLeft + chart_.width - kRight) / 2, chart_.height - 6, "middle", chart_.x_title);
    const auto mark = [&](double value) { out += text(at_x(value), chart_.height - kBottom + 16, "middle", chart_.x_text ? chart_.x_text(value) : number_text(value, 4)); };
    if (!chart_.log_x) {
      for (double value = x_.low; value <= x_high_ + 1e-9; value += x_.step) mark(value);
      return out;
    }
    const bool dense = x_high_ - x_low_ < 2.2;
    for (int power = static_cast<int>(std::floor(x_low_)); power <= x_high_; ++power) {
      for (const double factor : {1.0, 2.0, 5.0}) {
        if (factor != 1 && !dense) continue;
        const double value = factor * std::pow(10, power);
        if (std::log10(value) >= x_low_ && std::log10(value) <= x_high_) mark(value);
      }
    }
    return out;
  }
  std::string lines(const ChartSeries& series) const {
    std::string points, out;
    for (const ChartPoint& point : series.points) {
      points += (points.empty() ? "" : " ") + place(at_x(point.x)) + "," + place(at_y(point.y));
      if (point.low == point.high) continue;
      const std::string x = place(at_x(point.x));
      out += "<line class=\"bar b" + series.style + "\" x1=\"" + x + "\" x2=\"" + x + "\" y1=\"" + place(at_y(point.low)) + "\" y2=\"" + place(at_y(point.high)) + "\"/>\n";
    }
    if (series.line) out += "<polyline class=\"line l" + series.style + "\" points=\"" + points + "\"/>\n";
    return out;
  }
  std::string dots(const ChartSeries& series) {
    std::string out;
    for (const ChartPoint& point : series.points) {
      const double x = at_x(point.x), y = at_y(point.y);
      taken_.push_back({x - 4, x + 4, y - 4, y + 4});
      out += "<circle class=\"p" + series.style + "\" cx=\"" + place(x) + "\" cy=\"" + place(y) + "\" r=\"3.5\"><title>" + escaped(point.title) + "</title></circle>\n";
    }
    return out;
  }
  /// Beside the last point, where nothing else stands.
  std::string label(const ChartSeries& series) {
    if (!series.labelled || series.points.empty()) return "";
    const double x = at_x(series.points.back().x), y = at_y(series.points.back().y), width = kLetter * letters(series.name);
    for (int distance = 0; distance < 12; ++distance) {
      for (const double up : {1.0, -1.0}) {
        for (const bool right : {true, false}) {
          const double x0 = right ? x + 7 : x - 7 - width, middle = y - up * 6 * distance;
          const Box box{x0, x0 + width, middle - kLine / 2, middle + kLine / 2};
          if (box.x0 < kLeft || box.x1 > chart_.width || box.y0 < 0 || box.y1 > chart_.height - kBottom) continue;
          if (std::any_of(taken_.begin(), taken_.end(), [&](const Box& other) { return box.meets(other); })) continue;
          taken_.push_back(box);
          return text(right ? x0 : x - 7, middle + 4, right ? "start" : "end", series.name);
        }
      }
    }
    return text(x, y - 7, "middle", series.name);
  }

  const Chart& chart_;
  bool empty_ = true;
  double x_low_ = INFINITY, x_high_ = -INFINITY;  ///< scaled
  Axis x_, y_;
  std::vector<Box> taken_;
};

}  // namespace

Axis axis_of(double low, double high, int parts) {
  if (high - low < 1e-12 * std::max(1.0, std::fabs(high))) {
    const double around = std::max(std::fabs(high) * 0.05, 1e-6);
    low -= around;
    high += around;
  }
  const double rough = (high - low) / parts;
  const double power = std::pow(10, std::floor(std::log10(rough)));
  Axis axis;
  for (const double factor : {1.0, 2.0, 2.5, 5.0, 10.0}) {
    axis.step = factor * power;
    if (axis.step >= rough) break;
  }
  axis.low = std::floor(low / axis.step) * axis.step;
  axis.high = std::ceil(high / axis.step) * axis.step;
  return axis;
}

std::string place(double value) { return number_text(std::round(value * 10) / 10, 6); }

std::string axis_text(double value, double step) { return number_text(std::fabs(value) < step / 1e6 ? 0 : value, 4); }

std::string Chart::svg() const {
  Drawing drawing(*this);
  return drawing.is_empty() ? "" : drawing.svg();
}

std::string line_legend(const std::vector<ChartSeries>& series) {
  std::string out = "<ul class=\"legend\">";
  for (const ChartSeries& one : series) {
    out += "<li class=\"key\"><svg class=\"chart\" style=\"width:32px\" viewBox=\"0 0 32 10\" aria-hidden=\"true\"><line class=\"line l" + one.style +
           "\" x1=\"0\" x2=\"32\" y1=\"5\" y2=\"5\"/><circle class=\"p" + one.style + "\" cx=\"16\" cy=\"5\" r=\"3\"/></svg>" + name_html(one.name) + "</li>";
  }
  return out + "</ul>\n";
}

}  // namespace dstore::cli
