#pragma once

#include "command.h"

namespace dstore::cli {

/// `dstore train --reproduce COMMIT`: the recorded training again, with the recorded options on the recorded base and data, and what differs
/// between the two. Stages nothing. 0 where the weights are the same bit for bit, else 1.
int reproduce(const Arguments& arguments, Session& session);

}  // namespace dstore::cli
