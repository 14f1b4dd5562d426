// A thread's part of the sums over EACH rows of WEIGHT, within a function: SUM_0, SUM_1 …, which are
// there already. After slice_rows.wgsl and slice.wgsl.
//
//     #include "slice_sums.wgsl" WEIGHT=w_NK NAME=w PLACE=thread SUM=sum

#if WEIGHT_I8
#repeat r EACH
    var NAME_sums_r = vec3(0);
#repeat u UNROLL
    NAME_sums_r += WEIGHT_digit_sums(NAME_r_u, digits_u);
#end
    SUM_r = step * steps_of(NAME_sums_r);
#end
#else
#repeat r EACH
    var NAME_steps_r = 0.0;
#repeat u UNROLL
    NAME_steps_r += WEIGHT_dot_digits(
        NAME_row_r, min(PLACE + u * THREADS, WEIGHT_UNITS - 1u), NAME_r_u, digits_u
    );
#end
    SUM_r = step * NAME_steps_r;
#end
#endif
