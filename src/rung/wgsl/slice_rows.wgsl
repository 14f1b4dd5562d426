// What a thread needs of EACH rows of WEIGHT, within a function; before slice.wgsl, so that all that
// comes from far is asked for before anything is computed.
//
//     #include "slice_rows.wgsl" WEIGHT=w_NK NAME=w PLACE=thread OF=row_of BEGIN=first RANKS=N
//
// Ranks are from BEGIN on and below RANKS, OF(rank) is the row of one, and rank itself without.

#repeat r EACH
    let NAME_row_r = OF(min(BEGIN + r, RANKS - 1u));
#repeat u UNROLL
    let NAME_r_u = WEIGHT_raw(NAME_row_r, min(PLACE + u * THREADS, WEIGHT_UNITS - 1u));
#end
#end
