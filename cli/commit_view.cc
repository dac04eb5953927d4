#include "commit_view.h"

#include <algorithm>

#include "number_text.h"
#include "output.h"

namespace dstore::cli {
namespace {

void add_refs(const RefLog& log, const std::string& prefix, RefNames& names) {
  for (const RefEntry& head : log.heads()) {
    names[head.new_commit].push_back((head.kind == RefKind::tag ? "tag: " : "") + prefix + head.ref.text());
  }
}

std::string indented(const std::string& message) {
  std::string out;
  for (std::size_t at = 0; at < message.size();) {
    const std::size_t end = std::min(message.find('\n', at), message.size());
    out += (end == at ? "" : "    " + printable(message.substr(at, end - at))) + "\n";
    at = end + 1;
  }
  return out;
}

std::string metrics_text(const Commit& commit) {
  std::string text;
  for (const Metric& metric : commit.metrics) {
    if (!text.empty()) text += ", ";
    text += metric.split + " " + metric.name + " " + metric.value;
    if (metric.n > 0) text += " (n " + grouped(static_cast<std::uint64_t>(metric.n)) + ")";
  }
  return printable(text);
}

}  // namespace

RefNames ref_names(const Repository& repository, bool remotes) {
  RefNames names;
  for (const ObjectId& commit : forgotten_commits(repository)) names[commit].push_back("forgotten");
  add_refs(repository.refs(), "", names);
  if (!remotes) return names;
  for (const auto& [remote, url] : repository.config().remotes) add_refs(repository.remote_refs(remote), remote + "/", names);
  return names;
}

std::string joined_refs(const RefNames& names, const ObjectId& commit) {
  const auto found = names.find(commit);
  std::string text;
  if (found == names.end()) return text;
  for (const std::string& name : found->second) text += (text.empty() ? "" : ", ") + printable(name);
  return text;
}

const Metric* headline_metric(const Commit& commit) {
  for (const char* split : {"test", "dev"}) {
    for (const Metric& metric : commit.metrics) {
      if (metric.split == split) return &metric;
    }
  }
  return commit.metrics.empty() ? nullptr : &commit.metrics.front();
}

std::optional<double> metric_value(const Commit& commit, const std::string& name) {
  for (const char* split : {"test", "dev", ""}) {
    for (auto metric = commit.metrics.rbegin(); metric != commit.metrics.rend(); ++metric) {
      if (metric->name == name && (*split == '\0' || metric->split == split)) return parse_number(metric->value);
    }
  }
  return std::nullopt;
}

std::string method_text(const Commit& commit) {
  if (!commit.is_task()) return "base";
  const std::string method = printable(commit.fact("method"));
  return method.empty() ? "folder" : method;
}

VerdictMark verdict_mark(const Verification& signature) {
  switch (signature.verdict) {
    case Verdict::good: return {"✓ " + printable(signature.principal), "32"};
    case Verdict::untrusted_key: return {"✗ untrusted", "31"};
    case Verdict::revoked: return {"✗ revoked", "31"};
    case Verdict::bad: return {"✗ bad", "31"};
    case Verdict::unsigned_: break;
  }
  return {"unsigned", "33"};
}

std::string ratio_text(std::uint64_t full, std::uint64_t stored) {
  if (stored == 0 || full < stored + stored / 20) return "";
  const double ratio = static_cast<double>(full) / static_cast<double>(stored);
  return (ratio < 99.5 ? number_text(ratio, 2) : grouped(static_cast<std::uint64_t>(ratio + 0.5))) + "x smaller";
}

std::string commit_block(const Session& session, const Repository& repository, CommitSizer& sizer, const RefNames& refs,
                         const CheckedCommit& checked) {
  const Commit& commit = checked.commit;
  const CommitSizes sizes = sizer.sizes(checked.id, commit);
  const std::string names = joined_refs(refs, checked.id);
  const VerdictMark mark = verdict_mark(checked.signature);
  const bool is_unsigned = checked.signature.verdict == Verdict::unsigned_;
  std::string out = session.paint("33", "commit " + checked.id.hex()) + (names.empty() ? "" : " (" + session.paint("1;32", names) + ")") + "\n";
  out += "Author:    " + printable(commit.author) + "\n";
  out += "Date:      " + timestamp(commit.time) + " (" + age(commit.time, now()) + ")\n";
  out += "Signature: " + session.paint(mark.color, is_unsigned ? mark.text : mark.text.substr(0, mark.text.find(' ') + 1) + printable(checked.signature.reason)) + "\n";
  if (commit.is_task()) {
    const auto density = task_density(repository, sizer, checked);
    out += "Task:      " + method_text(commit) + (density ? ", density " + share_text(*density) : std::string());
    if (commit.base) out += ", on base " + commit.base->short_hex() + (joined_refs(refs, *commit.base).empty() ? "" : " (" + joined_refs(refs, *commit.base) + ")");
    out += "\n";
  }
  if (!commit.metrics.empty()) out += "Metrics:   " + metrics_text(commit) + "\n";
  const std::string ratio = ratio_text(sizes.checkpoint, sizes.stored());
  out += "Size:      " + human_size(sizes.checkpoint) + " → " + human_size(sizes.stored()) + " stored" + (ratio.empty() ? "" : ", " + ratio) + "\n";
  return out + "\n" + indented(commit.message);
}

}  // namespace dstore::cli
