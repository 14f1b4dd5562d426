// A thread's activations in digits, within a function: digits_0, digits_1 …, and the `step` of them.
//
//     #include "slice.wgsl" WEIGHT=w_NK PLACE=thread
//
// They are those that meet units PLACE, PLACE + THREADS, … of a row, UNROLL in all; where some
// threads have none left RAGGED is true.

    var largest = vec4(0.0);
    var odd = 0.0;
#repeat u UNROLL
#if RAGGED
    var x_u = WEIGHT_Values();
    if (PLACE + u * THREADS < WEIGHT_UNITS) {
        x_u = WEIGHT_activations(0u, PLACE + u * THREADS);
    }
#else
    let x_u = WEIGHT_activations(0u, PLACE + u * THREADS);
#endif
#repeat i WEIGHT_QUADS
    largest = max(largest, abs(x_u[i]));
    odd += dot(vec4(0.0), x_u[i]);
#end
#end
    let most = max(max(max(largest.x, largest.y), max(largest.z, largest.w)), 1e-30);
#repeat u UNROLL
    let digits_u = WEIGHT_digits(x_u, MOST_STEPS / most);
#end
    // What is not finite has no digits: it makes the step no number.
    let step = most / MOST_STEPS + odd;
