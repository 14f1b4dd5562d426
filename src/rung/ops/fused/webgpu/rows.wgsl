// fn TENSOR_rows(sums, base, first, lane): adds a thread's part of the products of EACH rows of
// TENSOR, from rank `first` on, to sums[base …]; ROW(rank) is the row of a rank.

fn TENSOR_rows(sums: ptr<function, array<f32, SUMS>>, base: u32, first: u32, lane: u32) {
    for (var unit = lane; unit < TENSOR_UNITS; unit += THREADS) {
        let x = TENSOR_activations(0u, unit);
        for (var r = 0u; r < EACH; r++) {
            (*sums)[base + r] += TENSOR_dot_unit(ROW(min(first + r, COUNT - 1u)), unit, x);
        }
    }
}
