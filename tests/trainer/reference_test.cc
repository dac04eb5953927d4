// Methods beside their formulas written out plainly: double precision, a full sort, one loop over entries. Only forward and backward are the
// trainer's own, and those are compared with transformers elsewhere (parity.py).
#include <algorithm>
#include <cmath>
#include <map>
#include <set>

#include "catch.h"
#include "tests/trainer/run_by_hand.h"
#include "trainer/model/squared_gradients.h"

using namespace dstore;
using namespace dstore::test;

namespace {

struct Entry {
  std::size_t parameter, at;
  bool operator==(const Entry&) const = default;
};

constexpr double kLr = 1e-3, kHeadLr = 1e-2, kClip = 0.5;

void plainly(MethodOptions& options) {
  options.schedule = Schedule::constant;
  options.warmup = 0;
  options.clip = kClip;
  options.lr = kLr;
  options.head_lr = kHeadLr;
}

/// A network with everything trainable, and copies of what it began with.
struct Reference {
  Run run{find_method("full")};
  Network& network = run.network();
  std::vector<std::vector<float>> base = values();

  std::vector<std::vector<float>> values() {
    std::vector<std::vector<float>> all;
    for (std::size_t i = 0; i < network.parameters().size(); ++i) all.emplace_back(network.values(i).begin(), network.values(i).end());
    return all;
  }
  void put(const std::vector<std::vector<float>>& all) {
    for (std::size_t i = 0; i < all.size(); ++i) std::copy(all[i].begin(), all[i].end(), network.values(i).begin());
  }
  bool is_head(const Entry& e) const { return network.parameters()[e.parameter].is_head; }
  std::vector<Entry> entries(bool heads) const {
    std::vector<Entry> all;
    for (std::size_t i = 0; i < network.parameters().size(); ++i) {
      for (std::size_t j = 0; j < network.parameters()[i].count && network.parameters()[i].is_head == heads; ++j) all.push_back({i, j});
    }
    return all;
  }
  std::vector<Entry> with_head(std::vector<Entry> body) const {
    const std::vector<Entry> head = entries(true);
    body.insert(body.end(), head.begin(), head.end());
    return body;
  }
  double l1_sign(const Entry& e) {
    const float value = network.values(e.parameter)[e.at], before = base[e.parameter][e.at];
    return is_head(e) ? 0 : (value > before) - (value < before);
  }
  /// AdamW with clipping over the entries for `steps` steps of the run from `first` on.
  void train(const std::vector<Entry>& entries, long first, long steps, double lr, double l1 = 0) {
    std::vector<double> x, m(entries.size()), v(entries.size()), g(entries.size());
    for (const Entry& e : entries) x.push_back(static_cast<double>(network.values(e.parameter)[e.at]));
    for (long t = 1; t <= steps; ++t) {
      run.gradients(network, first + t - 1);
      double squares = 0;
      for (std::size_t i = 0; i < entries.size(); ++i) {
        g[i] = static_cast<double>(network.gradient(entries[i].parameter).at(entries[i].at)) + l1 * l1_sign(entries[i]);
        squares += g[i] * g[i];
      }
      const double scale = std::min(1.0, kClip / (std::sqrt(squares) + 1e-6));
      for (std::size_t i = 0; i < entries.size(); ++i) {
        m[i] = 0.9 * m[i] + 0.1 * g[i] * scale;
        v[i] = 0.999 * v[i] + 0.001 * g[i] * g[i] * scale * scale;
        const double up = m[i] / (1 - std::pow(0.9, t)), down = std::sqrt(v[i] / (1 - std::pow(0.999, t))) + 1e-8;
        x[i] -= (is_head(entries[i]) ? kHeadLr : lr) * up / down;
        network.values(entries[i].parameter)[entries[i].at] = static_cast<float>(x[i]);
      }
    }
  }
  /// The `k` entries with the largest scores, of those that are not taken yet.
  std::vector<Entry> largest(std::size_t k, const std::vector<Entry>& taken, const std::function<double(const Entry&)>& score) const {
    std::vector<std::pair<double, Entry>> ranked;
    for (const Entry& e : entries(false)) {
      if (std::find(taken.begin(), taken.end(), e) == taken.end()) ranked.emplace_back(score(e), e);
    }
    std::stable_sort(ranked.begin(), ranked.end(), [](const auto& a, const auto& b) { return a.first > b.first; });
    std::vector<Entry> best;
    for (std::size_t i = 0; i < k; ++i) best.push_back(ranked[i].second);
    return best;
  }
  std::vector<Entry> moved_most(std::size_t k, const std::vector<Entry>& taken) {
    return largest(k, taken, [&](const Entry& e) {
      return std::abs(static_cast<double>(network.values(e.parameter)[e.at]) - static_cast<double>(base[e.parameter][e.at]));
    });
  }
};

/// Entries where ours and the reference's differ by more than rounding. (A key's bias has no gradient but rounding's, so Adam moves it at random.)
std::size_t different(Run& ours, Reference& reference) {
  std::size_t count = 0;
  for (std::size_t i = 0; i < reference.base.size(); ++i) {
    if (ours.network().parameters()[i].role == Role::attn_k_b) continue;
    const std::span<const float> a = ours.network().values(i), b = reference.network.values(i);
    for (std::size_t j = 0; j < a.size(); ++j) count += std::abs(a[j] - b[j]) > 2e-6f + 1e-5f * std::abs(b[j]);
  }
  return count;
}

std::size_t selected_count(Run& run) { return static_cast<std::size_t>(run.training().selected()); }

}  // namespace

TEST_CASE("lottery-ticket fine-tuning is two rounds of search, reset and masked training") {
  Reference reference;
  Run ours(find_method("lt-sft"), {"iterations=2", "full_l1=30", "mask_l1=20", "mask_lr=3e-3"}, plainly);
  ours.steps(0, kSteps);
  double elements = 0;
  for (const Parameter& p : reference.network.parameters()) elements += static_cast<double>(p.count);
  std::vector<Entry> chosen;
  const std::size_t k = selected_count(ours);
  for (long round = 0; round < 2; ++round) {
    const auto before = reference.values();
    reference.train(reference.with_head(reference.entries(false)), 6 * round, 3, kLr, 30 / elements);
    const std::vector<Entry> more = reference.moved_most(round == 0 ? k / 2 : k - k / 2, chosen);
    chosen.insert(chosen.end(), more.begin(), more.end());
    reference.put(before);
    reference.train(reference.with_head(chosen), 6 * round + 3, 3, 3e-3, 20 / elements);
  }
  CHECK(different(ours, reference) == 0);
}

TEST_CASE("the controls keep the largest changes of a fine-tune") {
  for (const std::string start : {"base", "found", "none"}) {
    INFO(start);
    Reference reference;
    Run ours(find_method("top-k"), {"start=" + start, "mask_lr=3e-3"}, plainly);
    ours.steps(0, kSteps);
    const long search = start == "none" ? kSteps : kSteps / 2;
    const auto before = reference.values();
    reference.train(reference.with_head(reference.entries(false)), 0, search, kLr);
    const std::vector<Entry> chosen = reference.moved_most(selected_count(ours), {});
    auto kept = reference.values();
    for (std::size_t i = 0; i < kept.size(); ++i) {
      if (!reference.network.parameters()[i].is_head || start == "base") kept[i] = before[i];
    }
    if (start != "base") {
      for (const Entry& e : chosen) kept[e.parameter][e.at] = reference.network.values(e.parameter)[e.at];
    }
    reference.put(kept);
    if (start != "none") reference.train(reference.with_head(chosen), search, search, 3e-3);
    CHECK(different(ours, reference) == 0);
  }
}

TEST_CASE("a FISH mask is made of gradients of single examples") {
  for (const std::string estimate : {"label", "expect"}) {
    INFO(estimate);
    Reference reference;
    Run ours(find_method("fish"), {"estimate=" + estimate}, plainly);
    ours.steps(0, kSteps);
    std::vector<std::vector<double>> fisher, of_means;
    for (const auto& values : reference.base) fisher.emplace_back(values.size());
    of_means = fisher;
    Network& network = reference.network;
    const auto each = [&](std::vector<std::vector<double>>& sums, double weight) {
      for (const Entry& e : reference.entries(false)) {
        const double g = static_cast<double>(network.gradient(e.parameter).at(e.at));
        sums[e.parameter][e.at] += weight * g * g;
      }
    };
    const TaskData& data = reference.run.data();
    for (std::uint32_t i = 0; i < data.train.examples.size(); ++i) {
      const Batch example = make_batch(data.train, std::span(&i, 1), data.pad_id);
      std::int64_t label = 0;  // the gradients of log-probabilities, where training asks for that of the loss
      network.for_each_class(example, [&](double probability) {
        if (estimate == "expect") each(fisher, probability);
        if (estimate == "label" && label == example.labels[0]) each(fisher, 1);
        ++label;
      });
    }
    std::vector<std::uint32_t> everything(data.train.examples.size());
    for (std::uint32_t i = 0; i < everything.size(); ++i) everything[i] = i;
    network.loss_and_gradients(make_batch(data.train, everything, data.pad_id), std::nullopt);
    each(of_means, 1);

    const std::size_t k = selected_count(ours);
    const std::vector<Entry> chosen = reference.largest(k, {}, [&](const Entry& e) { return fisher[e.parameter][e.at]; });
    const std::vector<Entry> other = reference.largest(k, {}, [&](const Entry& e) { return of_means[e.parameter][e.at]; });
    const auto shared = std::count_if(other.begin(), other.end(), [&](const Entry& e) { return std::find(chosen.begin(), chosen.end(), e) != chosen.end(); });
    CHECK(static_cast<std::size_t>(shared) < k - k / 10);  // squares of a mean gradient choose others
    reference.train(reference.with_head(chosen), 0, kSteps, kLr);
    CHECK(different(ours, reference) == 0);
  }
}

TEST_CASE("the FISH budget counts the head where it is asked to") {
  Run body(find_method("fish")), all(find_method("fish"), {"budget=all"}), few(find_method("fish"), {"samples=1"});
  for (Run* run : {&body, &all, &few}) run->steps(0, 1);
  std::uint64_t head = 0;
  for (const Parameter& p : body.network().parameters()) head += p.is_head ? p.count : 0;
  const double elements = static_cast<double>(body.network().table().body_elements());
  CHECK(body.training().selected() == static_cast<std::uint64_t>(0.05 * elements));
  CHECK(all.training().selected() == static_cast<std::uint64_t>(0.05 * (elements + static_cast<double>(head))) - head);
  CHECK(few.training().facts().at("fisher_examples") == "1");
}

TEST_CASE("scores of a mask follow the straight-through gradient") {
  Reference reference;
  Run ours(find_method("masking"), {"sparsity=0.2", "width=0.02"}, plainly);
  ours.steps(0, kSteps);
  Network& network = reference.network;
  std::vector<Entry> masked;
  for (const Entry& e : reference.entries(false)) {
    const RoleInfo& role = role_info(network.parameters()[e.parameter].role);
    if (role.kind == RoleKind::weight && role.part != RolePart::embedding) masked.push_back(e);
  }
  std::vector<double> score, m(masked.size()), v(masked.size());
  for (const Entry& e : masked) {
    const Philox random(7, RandomStream::selection, 2, static_cast<std::uint32_t>(e.parameter));
    score.push_back(0.02 * (static_cast<double>(random.uniform(e.at)) - 0.2));
  }
  const std::vector<Entry> head = reference.entries(true);
  std::vector<double> x, hm(head.size()), hv(head.size());
  for (const Entry& e : head) x.push_back(static_cast<double>(network.values(e.parameter)[e.at]));
  const auto apply = [&] {
    for (std::size_t i = 0; i < masked.size(); ++i) {
      const Entry& e = masked[i];
      network.values(e.parameter)[e.at] = score[i] >= 0 ? reference.base[e.parameter][e.at] : 0.0f;
    }
  };
  apply();
  const auto adam = [](double& value, double& first, double& second, double g, double lr, long t) {
    first = 0.9 * first + 0.1 * g;
    second = 0.999 * second + 0.001 * g * g;
    value -= lr * first / (1 - std::pow(0.9, t)) / (std::sqrt(second / (1 - std::pow(0.999, t))) + 1e-8);
  };
  for (long t = 1; t <= kSteps; ++t) {
    reference.run.gradients(network, t - 1);
    const auto gradient = [&](const Entry& e, bool weight) {
      return static_cast<double>(network.gradient(e.parameter).at(e.at)) * (weight ? static_cast<double>(reference.base[e.parameter][e.at]) : 1);
    };
    double squares = 0;
    for (const Entry& e : masked) squares += gradient(e, true) * gradient(e, true);
    for (const Entry& e : head) squares += gradient(e, false) * gradient(e, false);
    const double scale = std::min(1.0, kClip / (std::sqrt(squares) + 1e-6));
    for (std::size_t i = 0; i < masked.size(); ++i) adam(score[i], m[i], v[i], gradient(masked[i], true) * scale, kLr, t);
    for (std::size_t i = 0; i < head.size(); ++i) {
      adam(x[i], hm[i], hv[i], gradient(head[i], false) * scale, kHeadLr, t);
      network.values(head[i].parameter)[head[i].at] = static_cast<float>(x[i]);
    }
    apply();
  }
  CHECK(different(ours, reference) == 0);
  std::size_t flipped = 0;  // the masks at the start and at the end differ
  for (std::size_t i = 0; i < masked.size(); ++i) {
    const Philox random(7, RandomStream::selection, 2, static_cast<std::uint32_t>(masked[i].parameter));
    flipped += (static_cast<double>(random.uniform(masked[i].at)) >= 0.2) != (score[i] >= 0);
  }
  CHECK(flipped > 100);
}

TEST_CASE("FAR is priming, a ranking of nodes by their movement, and training of the learners") {
  for (const std::vector<std::string>& set : {std::vector<std::string>{}, {"rank=model"}, {"rollback=no"}, {"rest=trainable"}, {"prime=ffn", "rank=model"}}) {
    INFO((set.empty() ? "defaults" : set.front()));
    const auto has = [&](const std::string& setting) { return std::find(set.begin(), set.end(), setting) != set.end(); };
    std::vector<std::string> all = set;
    all.insert(all.end(), {"priming=0.25", "learners=0.25"});
    Run ours(find_method("far"), all, plainly);
    ours.steps(0, kSteps);
    Reference reference;
    Network& network = reference.network;
    const auto is_node = [&](const Entry& e) {
      const std::string_view word = role_info(network.parameters()[e.parameter].role).word;
      return word.starts_with("ffn.in.") || word.starts_with("ffn.out.");
    };
    std::vector<Entry> nodes, others;
    for (const Entry& e : reference.entries(false)) (is_node(e) ? nodes : others).push_back(e);
    reference.train(reference.with_head(has("prime=ffn") ? nodes : reference.entries(false)), 0, 3, kLr);

    struct Node {
      Role weight;  ///< of its layer
      std::int64_t layer;
      std::size_t row;
      auto operator<=>(const Node&) const = default;
    };
    const auto node_of = [&](const Entry& e) {
      const Parameter& p = network.parameters()[e.parameter];
      const bool in = p.role == Role::ffn_in_w || p.role == Role::ffn_in_b;
      return Node{in ? Role::ffn_in_w : Role::ffn_out_w, p.layer, p.shape.size() == 1 ? e.at : e.at / p.width()};
    };
    std::map<Node, double> moved;
    for (const Entry& e : nodes) {
      moved[node_of(e)] += std::abs(static_cast<double>(network.values(e.parameter)[e.at]) - static_cast<double>(reference.base[e.parameter][e.at]));
    }
    std::vector<std::pair<double, Node>> ranked;
    for (const auto& [node, sum] : moved) ranked.emplace_back(-sum, node);
    std::sort(ranked.begin(), ranked.end());
    std::map<std::pair<Role, std::int64_t>, std::size_t> taken;
    std::set<Node> learners;
    for (const auto& [score, node] : ranked) {
      const std::size_t most = has("rank=model") ? 16 : node.weight == Role::ffn_in_w ? 5 : 3;
      std::size_t& count = taken[has("rank=model") ? std::pair{Role::emb_tok, std::int64_t{0}} : std::pair{node.weight, node.layer}];
      if (count++ < most) learners.insert(node);
    }

    std::vector<Entry> learn;
    for (const Entry& e : nodes) {
      if (learners.contains(node_of(e))) {
        learn.push_back(e);
      } else if (!has("rollback=no")) {
        network.values(e.parameter)[e.at] = reference.base[e.parameter][e.at];
      }
    }
    for (const Entry& e : others) {
      if (has("rest=trainable")) {
        learn.push_back(e);
      } else if (!has("rollback=no")) {
        network.values(e.parameter)[e.at] = reference.base[e.parameter][e.at];
      }
    }
    reference.train(reference.with_head(learn), 3, kSteps - 3, kLr);
    CHECK(different(ours, reference) == 0);
  }
}

TEST_CASE("a random mask is spread evenly, and another for another seed") {
  const auto changed = [](std::uint64_t seed) {
    Run run(find_method("random-mask"), {}, [&](MethodOptions& options) {
      options.density = 0.2;
      options.seed = seed;
    });
    Reference reference;
    run.steps(0, kSteps);
    std::vector<Entry> entries;
    for (const Entry& e : reference.entries(false)) {
      if (run.network().values(e.parameter)[e.at] != reference.base[e.parameter][e.at]) entries.push_back(e);
    }
    return entries;
  };
  Reference reference;
  const std::vector<Entry> a = changed(1), b = changed(2);
  const std::size_t in_first = reference.network.parameters()[reference.network.table().find(Role::ffn_in_w, 0)].count;
  const auto of_it = std::count_if(a.begin(), a.end(), [&](const Entry& e) { return e.parameter == reference.network.table().find(Role::ffn_in_w, 0); });
  CHECK(std::abs(static_cast<double>(of_it) - 0.2 * static_cast<double>(in_first)) < 4 * std::sqrt(0.16 * static_cast<double>(in_first)));
  const auto shared = std::count_if(a.begin(), a.end(), [&](const Entry& e) { return std::find(b.begin(), b.end(), e) != b.end(); });
  CHECK(static_cast<double>(shared) < 0.3 * static_cast<double>(a.size()));
}
