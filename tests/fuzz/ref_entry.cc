#include "fuzz.h"
#include "odb/ref_log.h"

void dstore::fuzz::test_input(ByteSpan input) {
  accepted({ErrorCode::corrupt, ErrorCode::unsupported}, [&] {
    const RefEntry entry = RefEntry::parse(as_text(input), "input");
    require(entry.serialize() == as_text(input), "what is read is the only form");
    require(RefName::decode(entry.ref.encode()) == entry.ref, "a name survives as a path component");
  });
}
