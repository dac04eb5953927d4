#pragma once

namespace dstore {

// By the operations of spec/merging.md, "Functions", and so to the same bits on every machine; within 5 units in the last place of the true values.

/// exp(x) of an x that is not below 0; infinity above 709.
double exponential(double x);
double hyperbolic_tangent(double x);

}  // namespace dstore
