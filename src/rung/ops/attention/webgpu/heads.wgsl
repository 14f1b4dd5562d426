// y = softmax(cap(scale · q · kᵀ)) · v: one workgroup a head of a token, a page of 64 keys at a time.
// T tokens, H query heads, G key/value heads, D head width, C positions, P pages of L positions
//
// Source of the running maximum and sum: Milakov and Gimelshein, Online normalizer calculation, 2018.

var<storage, read> q_THD: array<f32>;
var<storage, read> k_SGPDL: array<Element>;
var<storage, read> v_SGCD: array<Element>;
var<storage, read> pos_T: array<i32>;
var<storage, read> slot_T: array<i32>;
var<storage, read_write> y_THD: array<f32>;

const THREADS = 64u;
const VALUES = (D + THREADS - 1u) / THREADS;

var<workgroup> weights: array<f32, THREADS>;

#include "reduce_max.wgsl"

@compute @workgroup_size(THREADS)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let row = min(group.x + group.y * groups.x, H * tokens() - 1u);
    let t = row / H;
    let h = row % H;
    let head = u32(slot_T[t]) * G + h * G / H;
    let end = u32(pos_T[t]) + 1u;
    var first = 0u;
    if (window > 0u && end > window) {
        first = end - window;
    }
    var sums: array<f32, VALUES>;
    var total = 0.0;
    var greatest = -1e30;
    for (var page = first / L; page * L < end; page++) {
        let at = page * L + lane;
        let seen = at >= first && at < end;
        var score = -1e30;
        if (seen) {
            score = 0.0;
            for (var d = 0u; d < D; d++) {
                score += q_THD[row * D + d] * f32(k_SGPDL[((head * P + page) * D + d) * L + lane]);
            }
            score *= scale;
            if (softcap > 0.0) {
                score = softcap * tanh(clamp(score / max(softcap, 1e-30), -15.0, 15.0));
            }
        }
        let highest = max(greatest, max_of_workgroup(score, lane));
        let shrink = exp(greatest - highest);
        greatest = highest;
        workgroupBarrier();
        weights[lane] = select(0.0, exp(score - highest), seen);
        workgroupBarrier();
        total *= shrink;
        for (var i = 0u; i < VALUES; i++) {
            sums[i] *= shrink;
        }
        let last = min(end - page * L, L);
        for (var l = max(first, page * L) - page * L; l < last; l++) {
            let weight = weights[l];
            total += weight;
            for (var i = 0u; i < VALUES; i++) {
                let d = lane + i * THREADS;
                if (d < D) {
                    sums[i] += weight * f32(v_SGCD[(head * C + page * L + l) * D + d]);
                }
            }
        }
    }
    for (var i = 0u; i < VALUES; i++) {
        let d = lane + i * THREADS;
        if (d < D) {
            y_THD[row * D + d] = sums[i] / total;
        }
    }
}
