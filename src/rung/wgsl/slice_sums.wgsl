// A thread's part of the sums over EACH rows of WEIGHT, within a function: SUM_0, SUM_1 …, which are
// there already. After slice_rows.wgsl and slice.wgsl.
//
//     #include "slice_sums.wgsl" WEIGHT=w_NK NAME=w PLACE=thread SUM=sum

#repeat r EACH
    var NAME_steps_r = 0.0;
#repeat u UNROLL
    NAME_steps_r += WEIGHT_dot_digits(
        NAME_row_r, min(PLACE + u * THREADS, WEIGHT_UNITS - 1u), NAME_r_u, digits_u
    );
#end
    SUM_r = step * NAME_steps_r;
#end
