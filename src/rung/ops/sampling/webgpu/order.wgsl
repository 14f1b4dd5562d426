// Floats as whole numbers that compare as they do, so that a compiler which takes all floats for
// finite cannot lose those that are not.

const NOT_FINITE: u32 = 0xffffffffu;
const NO_ID: u32 = 0xffffffffu;
const TOO_MANY: u32 = 0xfffffffeu;

// A float's bits to its key: greater for greater floats, NOT_FINITE above all; both zeros are one.
fn key_of(bits: u32) -> u32 {
    if ((bits & 0x7f800000u) == 0x7f800000u) {
        return NOT_FINITE;
    }
    if ((bits << 1u) == 0u) {
        return 0x80000000u;
    }
    return select(bits | 0x80000000u, ~bits, bits >= 0x80000000u);
}

fn value_of(key: u32) -> f32 {
    return bitcast<f32>(select(~key, key & 0x7fffffffu, key >= 0x80000000u));
}

// Whether the first goes before the second: greater, or as great with a lower id.
fn is_before(key: u32, id: u32, other_key: u32, other_id: u32) -> bool {
    return key > other_key || (key == other_key && id < other_id);
}
