#include "trainer/methods/selector.h"

#include <algorithm>

#include "catch.h"
#include "tests/trainer/message_of.h"
#include "tests/trainer/tiny_model.h"

using namespace dstore;
using namespace dstore::test;

namespace {

const ParameterTable& table() {
  static const ModelConfig config = tiny_config();
  static const MemoryTensors base = tiny_bert(config);
  static const ParameterTable all = match_parameters(base, config, 3, "tiny");
  return all;
}

/// "0.attn.q.w emb.tok ...": layer and role of what is selected, sorted.
std::vector<std::string> selected(const std::string& selector) {
  const std::vector<bool> flags = select_parameters(table(), selector);
  std::vector<std::string> names;
  for (std::size_t i = 0; i < flags.size(); ++i) {
    const Parameter& p = table().parameters[i];
    if (flags[i]) names.push_back((p.layer < 0 ? "" : std::to_string(p.layer) + ".") + std::string(role_info(p.role).word));
  }
  std::sort(names.begin(), names.end());
  return names;
}

using Names = std::vector<std::string>;

}  // namespace

TEST_CASE("selectors name tensors by layer and role") {
  CHECK(selected("attn.q.w") == Names{"0.attn.q.w", "1.attn.q.w"});
  CHECK(selected("role=attn.q,attn.v.b") == Names{"0.attn.q.b", "0.attn.q.w", "0.attn.v.b", "1.attn.q.b", "1.attn.q.w", "1.attn.v.b"});
  CHECK(selected("layer[-1].ffn.in") == Names{"1.ffn.in.b", "1.ffn.in.w"});
  CHECK(selected("layer[0].*.ln.b") == Names{"0.attn.ln.b", "0.ffn.ln.b"});
  CHECK(selected("layer[1]").size() == 16);
  CHECK(selected("layer[1].*") == selected("layer[-1]"));
  CHECK(selected("layer[:1],layer[1:]").size() == 32);
  CHECK(selected("layer[-5:]").size() == 32);  // as last-layer with more layers than there are
  CHECK(selected("layer[1:].bias").size() == 8);
  CHECK(selected("*").size() == table().parameters.size());
  CHECK(selected("").empty());
  CHECK(selected("pooler,emb.ln") == Names{"emb.ln.b", "emb.ln.w", "pooler.b", "pooler.w"});
}

TEST_CASE("groups are roles, not parts of names") {
  CHECK(selected("layer-norm").size() == 2 + 2 * 4);
  CHECK(selected("layer[0].attention") ==
        Names{"0.attn.k.b", "0.attn.k.w", "0.attn.o.b", "0.attn.o.w", "0.attn.q.b", "0.attn.q.w", "0.attn.v.b", "0.attn.v.w"});
  CHECK(selected("layer[0].feed-forward") == Names{"0.ffn.in.b", "0.ffn.in.w", "0.ffn.out.b", "0.ffn.out.w"});
  CHECK(selected("linear").size() == 2 * 6 + 1);
  for (const std::string& name : selected("bias")) CHECK(name.ends_with(".b"));
}

TEST_CASE("random modules are a share of the encoder's, the same for a seed") {
  const Names half = selected("random:p=0.5,unit=module,seed=3");
  CHECK(half == selected("random:p=0.5,seed=3"));
  CHECK(half != selected("random:p=0.5,seed=4"));
  CHECK(half.size() == 16);  // 8 of 16 modules, each a weight and a bias
  for (const std::string& name : half) {
    const std::string module = name.substr(0, name.rfind('.'));
    CHECK(std::count_if(half.begin(), half.end(), [&](const std::string& other) { return other.substr(0, other.rfind('.')) == module; }) == 2);
  }
  CHECK(selected("random:p=0.25,unit=tensor").size() == 8);
  CHECK(selected("random:p=1").size() == 32);
  CHECK(selected("random:p=0.001").size() == 2);
  CHECK(selected("pooler,random:p=0.5,seed=3,emb.tok").size() == 19);
}

TEST_CASE("a selector that names nothing says what is near") {
  const auto refused = [](const std::string& selector) { return message_of([&] { (void)select_parameters(table(), selector); }); };
  CHECK(refused("atn.q").find("did you mean attn.q?") != std::string::npos);
  CHECK(refused("query").find("linear, emb, attn, ffn, pooler, head and the roles") != std::string::npos);
  CHECK(refused("encoder.layer.0.attention").find("--list-models") != std::string::npos);
  CHECK(refused("layer[0].ffn.inn").find("did you mean ffn.in?") != std::string::npos);
  CHECK(refused("attn.q.w,").find("names no tensor") != std::string::npos);
  CHECK(refused("layer[2]").find("layers 0 to 1") != std::string::npos);
  CHECK(refused("layer[-3].ffn").find("layers 0 to 1") != std::string::npos);
  CHECK(refused("layer[2:].ffn").find("names no tensor") != std::string::npos);
  CHECK(refused("layer[0.ffn").find("bracket") != std::string::npos);
  CHECK(refused("layer[x].ffn").find("layer number") != std::string::npos);
  CHECK(refused("layer[0]ffn").find("dot") != std::string::npos);
  CHECK(refused("layer[0].emb").find("names no tensor") != std::string::npos);
  for (const char* bad : {"random:", "random:p=0", "random:p=2", "random:p=nan", "random:p=0.5x", "random:unit=layer", "random:seed=1"}) {
    INFO(bad);
    CHECK(refused(bad).starts_with("--train:"));
  }
}
