// A weight with its units, and what its shared sums come to:
//
//     fn NAME(s, row) -> f32        sum s, of this row of WEIGHT, and BIAS where there is one
//
// FIRST is the row that this part of the weight begins with.

#include "units.wgsl" TENSOR=WEIGHT WIDTH=K LOAD=normed_quad
#if BIAS
var<storage, read> BIAS: array<f32>;
#endif

fn NAME(s: u32, row: u32) -> f32 {
    let y = WEIGHT_finished(row, shared_sums[s] * factor());
#if BIAS
    return y + BIAS[FIRST + row];
#else
    return y;
#endif
}
