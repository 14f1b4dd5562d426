// fn turn_of(d) -> Turn: how value d of a head turns, where d < ANGLES, its cosines and sines.
// Pairs are (0, 1), (2, 3) …, or with HALF (0, ANGLES / 2), (1, ANGLES / 2 + 1) …

// With value `other` by angle `pair`, as the first of the two or the second.
struct Turn { other: u32, pair: u32, is_first: bool }

fn turn_of(d: u32) -> Turn {
#if HALF
    let pair = d % (ANGLES / 2u);
    let is_first = d < ANGLES / 2u;
    return Turn(select(d - ANGLES / 2u, d + ANGLES / 2u, is_first), pair, is_first);
#else
    return Turn(d ^ 1u, d / 2u, (d & 1u) == 0u);
#endif
}
