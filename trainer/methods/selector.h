#pragma once

#include <string_view>
#include <vector>

#include "trainer/model/parameters.h"

namespace dstore {

/// The tensors of a model that a selector names, one flag for each parameter. Terms are joined by commas; a tensor is selected if one
/// of them names it. Only whole words of roles count (family.h), never parts of tensor names:
///   attn.q             roles that begin with these words; * stands for any one word, and alone for every tensor
///   bias, layer-norm, attention, feed-forward, linear   groups of roles
///   layer[-1].ffn      only in these layers: a number (negative: from the end) or a range as in Python: layer[2:], layer[:-1]
///   random:p=0.25,unit=module,seed=1    that share of the encoder layers' modules (a weight with its bias), or of their tensors
/// An empty selector selects nothing; "role=" before a selector may stand there. Error{invalid_argument} for a term that names nothing
/// in this model, with what is near; where the selector is that of a `method` and not a user's, the message says so.
std::vector<bool> select_parameters(const ParameterTable& table, std::string_view selector, std::string_view method = {});

}  // namespace dstore
