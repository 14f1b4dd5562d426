// Adds a thread's part of the products of EACH rows of TENSOR, from rank FIRST on, to sum_0, sum_1 …;
// ROW(rank) is the row of a rank; ROW is empty where it is the rank. A thread has UNROLL units on their way at once.

#repeat r EACH
        let row_r = ROW(min(FIRST + r, COUNT - 1u));
#end
        var unit = at.lane;
        for (; unit + (UNROLL - 1u) * THREADS < TENSOR_UNITS; unit += UNROLL * THREADS) {
#repeat u UNROLL
            let x_u = TENSOR_activations(0u, unit + u * THREADS);
#end
#repeat r EACH
#repeat u UNROLL
            sum_r += TENSOR_dot_unit(row_r, unit + u * THREADS, x_u);
#end
#end
        }
        for (; unit < TENSOR_UNITS; unit += THREADS) {
            let x = TENSOR_activations(0u, unit);
#repeat r EACH
            sum_r += TENSOR_dot_unit(row_r, unit, x);
#end
        }
