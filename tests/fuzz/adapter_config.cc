#include "repo/adapter_config.h"

#include <cmath>

#include "fuzz.h"

void dstore::fuzz::test_input(ByteSpan input) {
  accepted({ErrorCode::corrupt, ErrorCode::unsupported}, [&] {
    const AdapterConfig config = parse_adapter_config(as_text(input), "input");
    require(config.rank > 0 && std::isfinite(config.alpha), "a rank and a finite alpha");
    for (const char* module : {"encoder.layer.0.query", "q", ""}) require(config.rank_of(module) > 0, "a module's rank");
    config.scale_of("encoder.layer.0.query");
    require(config.facts().contains("method"), "an adapter has a method");
  });
}
