// Adds a thread's part of the products of EACH rows of TENSOR, from rank FIRST on, to sum_0, sum_1 …;
// ROW(rank) is the row of a rank.

#repeat r EACH
        let row_r = ROW(min(FIRST + r, COUNT - 1u));
#end
        for (var unit = lane; unit < TENSOR_UNITS; unit += THREADS) {
            let x = TENSOR_activations(0u, unit);
#repeat r EACH
            sum_r += TENSOR_dot_unit(row_r, unit, x);
#end
        }
