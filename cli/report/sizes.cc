#include <algorithm>

#include "number_text.h"
#include "output.h"
#include "report/html.h"
#include "report/sections.h"

namespace dstore::cli {
namespace {

struct Kind {
  const char* name;
  const char* style;
  std::uint64_t CommitSizes::*bytes;
};
constexpr Kind kKinds[] = {{"differences", "s1", &CommitSizes::delta}, {"new tensors", "s2", &CommitSizes::added},
                           {"side files", "s3", &CommitSizes::files}, {"records", "s4", &CommitSizes::records}};

}  // namespace

std::string size_section(const ComparedTasks& compared) {
  std::uint64_t most = 1;
  for (const TaskStats& task : compared.tasks) most = std::max(most, task.sizes.stored());
  std::string key = "<ul class=\"legend\">";
  std::vector<HtmlTable::Cell> headings{{"task", "left"}};
  for (const Kind& kind : kKinds) {
    key += std::string("<li class=\"key\"><span class=\"swatch ") + kind.style + "\"></span>" + kind.name + "</li>";
    headings.push_back({kind.name});
  }
  headings.push_back({"stored"});
  HtmlTable table("list", headings);
  std::string bars;
  for (const TaskStats& task : compared.tasks) {
    std::vector<HtmlTable::Cell> row{{name_html(task.revision), "name"}};
    std::string track = "<p class=\"note\">" + name_html(task.revision) + ": " + human_size(task.sizes.stored()) + "</p>\n" +
                        "<div class=\"track\" aria-hidden=\"true\">";
    for (const Kind& kind : kKinds) {
      const std::uint64_t bytes = task.sizes.*kind.bytes;
      row.push_back({human_size(bytes)});
      if (bytes == 0) continue;
      const std::string width = number_text(100 * static_cast<double>(bytes) / static_cast<double>(most), 4);
      track += std::string("<span class=\"") + kind.style + "\" style=\"width:" + width + "%\"></span>";
    }
    row.push_back({human_size(task.sizes.stored())});
    table.add(std::move(row));
    bars += track + "</div>\n";
  }
  return section("What is stored", "Bytes in the store that the task needs beside its base.", key + "</ul>\n" + bars + scrolling("Stored bytes", table.html()));
}

}  // namespace dstore::cli
