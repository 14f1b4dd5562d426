// q = rope(head_norm(x)); rope(head_norm(k)) and v into the caches: one workgroup a head of a token.
// T tokens, H query heads, G key/value heads, D head width, A cosines and sines
// S slots, C positions, P pages of L positions

var<storage, read> x_THD: array<f32>;
var<storage, read> k_TGD: array<f32>;
var<storage, read> v_TGD: array<f32>;
#if gq_D
var<storage, read> gq_D: array<f32>;
var<storage, read> gk_D: array<f32>;
#include "reduce.wgsl"
#endif
#if angles_TA
var<storage, read> angles_TA: array<f32>;
#endif
var<storage, read> pos_T: array<i32>;
var<storage, read> slot_T: array<i32>;
var<storage, read_write> q_THD: array<f32>;
var<storage, read_write> cache_SGPDL: array<Element>;
var<storage, read_write> cache_SGCD: array<Element>;

fn query(at: u32, d: u32) -> f32 {
#if gq_D
    return x_THD[at + d] * gq_D[d];
#else
    return x_THD[at + d];
#endif
}

fn key(at: u32, d: u32) -> f32 {
#if gq_D
    return k_TGD[at + d] * gk_D[d];
#else
    return k_TGD[at + d];
#endif
}

#include "rotation.wgsl" ANGLES=A

fn turned(t: u32, turn: Turn, own: f32, other: f32) -> f32 {
#if angles_TA
    let c = angles_TA[t * A + turn.pair];
    let s = angles_TA[t * A + turn.pair + A / 2u];
    return own * c + select(s, -s, turn.is_first) * other;
#else
    return own;
#endif
}

@compute @workgroup_size(THREADS)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let row = min(group.x + group.y * groups.x, (H + 2u * G) * tokens() - 1u);
    let t = row / (H + 2u * G);
    let h = row % (H + 2u * G);
    let pos = u32(pos_T[t]);
    let slot = u32(slot_T[t]);
    if (h >= H + G) {
        let g = h - H - G;
        for (var d = lane; d < D; d += THREADS) {
            cache_SGCD[((slot * G + g) * C + pos) * D + d] = Element(v_TGD[(t * G + g) * D + d]);
        }
        return;
    }
    let is_query = h < H;
    let at = select((t * G + h - H) * D, (t * H + h) * D, is_query);
    var scale_of_head = 1.0;
#if gq_D
    var squares = 0.0;
    for (var d = lane; d < D; d += THREADS) {
        var x = 0.0;
        if (is_query) {
            x = x_THD[at + d];
        } else {
            x = k_TGD[at + d];
        }
        squares += x * x;
    }
    scale_of_head = inverseSqrt(sum_of_workgroup(squares, lane) / f32(D) + eps);
#endif
    for (var d = lane; d < D; d += THREADS) {
        var turn = Turn(d, 0u, false);
        if (d < A) {
            turn = turn_of(d);
        }
        var own_value: f32;
        var other_value: f32;
        if (is_query) {
            own_value = scale_of_head * query(at, d);
            other_value = scale_of_head * query(at, turn.other);
        } else {
            own_value = scale_of_head * key(at, d);
            other_value = scale_of_head * key(at, turn.other);
        }
        if (d < A) {
            own_value = turned(t, turn, own_value, other_value);
        }
        if (is_query) {
            q_THD[at + d] = own_value;
        } else {
            let head = slot * G + h - H;
            cache_SGPDL[((head * P + pos / L) * D + d) * L + pos % L] = Element(own_value);
        }
    }
}
