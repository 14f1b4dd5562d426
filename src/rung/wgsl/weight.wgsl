// fn weight(row, k) -> f32: one value of TENSOR, whose rows have WIDTH values; any storage type.
// For kernels that anyone can read: each value is decoded by itself.

fn byte_of(word: u32, index: u32) -> u32 {
    return (word >> (8u * (index & 3u))) & 0xffu;
}

fn signed_byte(word: u32, index: u32) -> f32 {
    return f32(extractBits(bitcast<i32>(word), 8u * (index & 3u), 8u));
}

fn half_of(word: u32, index: u32) -> f32 {
    return unpack2x16float(word)[index & 1u];
}

#if F32
var<storage, read> TENSOR: array<f32>;

fn weight(row: u32, k: u32) -> f32 {
    return TENSOR[row * WIDTH + k];
}
#endif
#if F16
var<storage, read> TENSOR: array<u32>;

fn weight(row: u32, k: u32) -> f32 {
    let i = row * WIDTH + k;
    return half_of(TENSOR[i / 2u], i);
}
#endif
#if BF16
var<storage, read> TENSOR: array<u32>;

fn weight(row: u32, k: u32) -> f32 {
    let i = row * WIDTH + k;
    return bitcast<f32>((TENSOR[i / 2u] >> (16u * (i & 1u))) << 16u);
}
#endif
#if I8
var<storage, read> TENSOR: array<u32>;
var<storage, read> TENSOR_scales: array<f32>;

fn weight(row: u32, k: u32) -> f32 {
    let i = row * WIDTH + k;
    return signed_byte(TENSOR[i / 4u], i) * TENSOR_scales[row];
}
#endif
#if I8_G
var<storage, read> TENSOR: array<u32>;
var<storage, read> TENSOR_scales: array<f32>;

fn weight(row: u32, k: u32) -> f32 {
    let i = row * WIDTH + k;
    return signed_byte(TENSOR[i / 4u], i) * TENSOR_scales[i / GROUP];
}
#endif
#if Q8_0
var<storage, read> TENSOR: array<u32>;
var<storage, read> TENSOR_scales: array<u32>;

fn weight(row: u32, k: u32) -> f32 {
    let i = row * WIDTH + k;
    let block = i / 32u;
    return signed_byte(TENSOR[i / 4u], i) * half_of(TENSOR_scales[block / 2u], block);
}
#endif
#if Q4_0
var<storage, read> TENSOR: array<u32>;
var<storage, read> TENSOR_scales: array<u32>;

// Byte j of a block holds value j in its low and value j + 16 in its high half.
fn weight(row: u32, k: u32) -> f32 {
    let block = row * (WIDTH / 32u) + k / 32u;
    let j = block * 16u + (k & 15u);
    let q = (byte_of(TENSOR[j / 4u], j) >> (4u * ((k >> 4u) & 1u))) & 15u;
    return (f32(q) - 8.0) * half_of(TENSOR_scales[block / 2u], block);
}
#endif
#if Q4_K
var<storage, read> TENSOR: array<u32>;

// 36 words a block: d and e, 12 bytes of scales and minimums with 6 bits each, 128 bytes of nibbles.
fn weight(row: u32, k: u32) -> f32 {
    let at = (row * (WIDTH / 256u) + k / 256u) * 36u;
    let i = k & 255u;
    let sub = i / 32u;
    let d = unpack2x16float(TENSOR[at]);
    let s = six_bits(vec3(TENSOR[at + 1u], TENSOR[at + 2u], TENSOR[at + 3u]), sub);
    let j = (i / 64u) * 32u + (i & 31u);
    let q = (byte_of(TENSOR[at + 4u + j / 4u], j) >> (4u * (sub & 1u))) & 15u;
    return d.x * s.x * f32(q) - d.y * s.y;
}
#endif
#if Q5_K
var<storage, read> TENSOR: array<u32>;

// 44 words a block: as q4_k, with 32 bytes of fifth bits before the nibbles; bit s for sub-block s.
fn weight(row: u32, k: u32) -> f32 {
    let at = (row * (WIDTH / 256u) + k / 256u) * 44u;
    let i = k & 255u;
    let sub = i / 32u;
    let d = unpack2x16float(TENSOR[at]);
    let s = six_bits(vec3(TENSOR[at + 1u], TENSOR[at + 2u], TENSOR[at + 3u]), sub);
    let j = (i / 64u) * 32u + (i & 31u);
    let low = (byte_of(TENSOR[at + 12u + j / 4u], j) >> (4u * (sub & 1u))) & 15u;
    let high = (byte_of(TENSOR[at + 4u + (i & 31u) / 4u], i) >> sub) & 1u;
    return d.x * s.x * f32(low + 16u * high) - d.y * s.y;
}
#endif
#if Q6_K
var<storage, read> TENSOR: array<u32>;
var<storage, read> TENSOR_high: array<u32>;
var<storage, read> TENSOR_scales: array<u32>;
var<storage, read> TENSOR_d: array<u32>;

// Halves of 128 values; in each, four runs of 32: nibbles of runs 0 and 2 share bytes, so do those
// of 1 and 3; two high bits of all four share a byte.
fn weight(row: u32, k: u32) -> f32 {
    let block = row * (WIDTH / 256u) + k / 256u;
    let i = k & 255u;
    let section = i / 128u;
    let run = (i / 32u) & 3u;
    let l = i & 31u;
    let j = block * 128u + section * 64u + (run & 1u) * 32u + l;
    let low = (byte_of(TENSOR[j / 4u], j) >> (4u * (run >> 1u))) & 15u;
    let h = block * 64u + section * 32u + l;
    let high = (byte_of(TENSOR_high[h / 4u], h) >> (2u * run)) & 3u;
    let s = block * 16u + i / 16u;
    let q = f32(low + 16u * high) - 32.0;
    return half_of(TENSOR_d[block / 2u], block) * signed_byte(TENSOR_scales[s / 4u], s) * q;
}
#endif

// Scale and minimum of a sub-block, from the 12 bytes of a K type.
fn six_bits(words: vec3<u32>, sub: u32) -> vec2<f32> {
    if (sub < 4u) {
        return vec2(f32(byte_of(words.x, sub) & 63u), f32(byte_of(words.y, sub) & 63u));
    }
    let low = byte_of(words.z, sub);
    let scale = (low & 15u) | ((byte_of(words.x, sub) >> 6u) << 4u);
    let minimum = (low >> 4u) | ((byte_of(words.y, sub) >> 6u) << 4u);
    return vec2(f32(scale), f32(minimum));
}
