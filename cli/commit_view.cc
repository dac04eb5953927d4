#include "commit_view.h"

#include <algorithm>

#include "evaluation_view.h"
#include "number_text.h"
#include "output.h"

namespace dstore::cli {
namespace {

std::vector<RefEntry> readable_heads(const Session& session, const RefLog& log, const std::string& prefix, RefNames& names) {
  RefHeads found = log.listed_heads();
  for (const Error& error : found.damaged) session.report(error);
  for (const RefEntry& head : found.heads) names[head.new_commit].push_back((head.kind == RefKind::tag ? "tag: " : "") + prefix + head.ref.text());
  return std::move(found.heads);
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
    text += metric.split + " " + metric.name + " " + brief_number(metric.value);
    if (metric.n > 0) text += " (n " + grouped(static_cast<std::uint64_t>(metric.n)) + ")";
  }
  return printable(text);
}

}  // namespace

RefView view_refs(const Session& session, const Repository& repository) {
  RefView view;
  for (const ObjectId& commit : forgotten_commits(repository)) view.names[commit].push_back("forgotten");
  view.local = readable_heads(session, repository.refs(), "", view.names);
  for (const auto& [remote, url] : repository.config().remotes) {
    view.remotes[remote] = readable_heads(session, repository.remote_refs(remote), remote + "/", view.names);
  }
  return view;
}

std::vector<ObjectId> RefView::commits(bool all) const {
  std::vector<ObjectId> out;
  for (const RefEntry& head : local) out.push_back(head.new_commit);
  for (const auto& [remote, heads] : remotes) {
    for (const RefEntry& head : heads) {
      if (all) out.push_back(head.new_commit);
    }
  }
  return out;
}

std::vector<std::pair<std::string, ObjectId>> RefView::branches() const {
  std::vector<std::pair<std::string, ObjectId>> out;
  const auto append = [&](const std::string& prefix, const std::vector<RefEntry>& heads) {
    for (const RefEntry& head : heads) {
      if (head.kind == RefKind::branch) out.emplace_back(prefix + head.ref.text(), head.new_commit);
    }
  };
  append("", local);
  for (const auto& [remote, heads] : remotes) append(remote + "/", heads);
  return out;
}

std::string joined_refs(const RefNames& names, const ObjectId& commit) {
  const auto found = names.find(commit);
  std::string text;
  if (found == names.end()) return text;
  for (const std::string& name : found->second) text += (text.empty() ? "" : ", ") + printable(name);
  return text;
}

std::string method_text(const Commit& commit) { return printable(method_of(commit)); }

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

std::string commit_block(const Session& session, const RefNames& refs, const CommitFacts& facts) {
  const Commit& commit = facts.commit;
  const CommitSizes& sizes = facts.sizes;
  const std::string names = joined_refs(refs, facts.id);
  const VerdictMark mark = verdict_mark(facts.signature);
  const bool is_unsigned = facts.signature.verdict == Verdict::unsigned_;
  std::string out = session.paint("33", "commit " + facts.id.hex()) + (names.empty() ? "" : " (" + session.paint("1;32", names) + ")") + "\n";
  out += "Author:    " + printable(commit.author) + "\n";
  out += "Date:      " + timestamp(commit.time) + " (" + age(commit.time, now()) + ")\n";
  out += "Signature: " + session.paint(mark.color, is_unsigned ? mark.text : mark.text.substr(0, mark.text.find(' ') + 1) + printable(facts.signature.reason)) + "\n";
  if (commit.is_task()) {
    out += "Task:      " + method_text(commit) + (facts.density ? ", density " + share_text(*facts.density) : std::string());
    if (commit.base) out += ", on base " + commit.base->short_hex() + (joined_refs(refs, *commit.base).empty() ? "" : " (" + joined_refs(refs, *commit.base) + ")");
    out += "\n";
  }
  if (!commit.metrics.empty()) out += "Metrics:   " + metrics_text(commit) + "\n";
  out += evaluation_lines(session, facts.evaluations);
  const std::string ratio = ratio_text(sizes.checkpoint, sizes.stored());
  out += "Size:      " + human_size(sizes.checkpoint) + " → " + human_size(sizes.stored()) + " stored" + (ratio.empty() ? "" : ", " + ratio) + "\n";
  return out + "\n" + indented(commit.message);
}

}  // namespace dstore::cli
