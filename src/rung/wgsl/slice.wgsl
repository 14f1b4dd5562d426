// Sums of EACH rows of TENSOR times activations in digits, within a function: after units.wgsl.
//
//     #include "slice.wgsl" TENSOR=w_NK ROW=row_of FIRST=first COUNT=N
//
// A thread has units thread, thread + THREADS, … of every row, UNROLL in all; where some have none
// left RAGGED is true. Its part of the sum over row ROW(rank), ranks from FIRST on and below COUNT,
// is sum_0, sum_1 …, to be declared before.

    // All that comes from far is asked for before anything is computed.
#repeat u UNROLL
    let unit_u = min(thread + u * THREADS, TENSOR_UNITS - 1u);
#end
#repeat r EACH
    let row_r = ROW(min(FIRST + r, COUNT - 1u));
#repeat u UNROLL
    let w_r_u = TENSOR_raw(row_r, unit_u);
#end
#end
    var largest = vec4(0.0);
    var odd = 0.0;
#repeat u UNROLL
#if RAGGED
    var x_u = TENSOR_Values();
    if (thread + u * THREADS < TENSOR_UNITS) {
        x_u = TENSOR_activations(0u, unit_u);
    }
#else
    let x_u = TENSOR_activations(0u, unit_u);
#endif
#repeat i TENSOR_QUADS
    largest = max(largest, abs(x_u[i]));
    odd += dot(vec4(0.0), x_u[i]);
#end
#end
    let most = max(max(max(largest.x, largest.y), max(largest.z, largest.w)), 1e-30);
#repeat u UNROLL
    let digits_u = TENSOR_digits(x_u, MOST_STEPS / most);
#end
    // What is not finite has no digits: it makes the step no number.
    let step = most / MOST_STEPS + odd;
#repeat r EACH
    var steps_r = 0.0;
#repeat u UNROLL
    steps_r += TENSOR_dot_digits(row_r, unit_u, w_r_u, digits_u);
#end
    sum_r = step * steps_r;
#end
