// dq = scale · ds · k with ds = p · (dy · vᵀ − along), p = exp(scale · q · kᵀ − lse): one workgroup a
// head of a token, THREADS keys at a time. It leaves along = Σ_D dy · y for the keys' gradients.
// B sequences, T tokens of each, H query heads, G key/value heads, D head width, M = H + 2G

var<storage, read> dy_BTHD: array<f32>;
var<storage, read> qkv_BTMD: array<f32>;
var<storage, read> y_BTHD: array<f32>;
var<storage, read> lse_BHT: array<f32>;
var<storage, read_write> along_BHT: array<f32>;
var<storage, read_write> d_BTMD: array<f32>;

#include "reduce.wgsl"

const VALUES = (D + THREADS - 1u) / THREADS;
var<workgroup> slopes: array<f32, THREADS>;

@compute @workgroup_size(THREADS)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let length = tokens();
    let row = min(group.x + group.y * groups.x, B * length * H - 1u);
    let h = row % H;
    let t = row / H % length;
    let first = row / (H * length) * length; // of the sequence
    let q = ((first + t) * M + h) * D;
    let head = H + h * G / H;
    let at = (first / length * H + h) * length + t;
    var along = 0.0;
    for (var d = lane; d < D; d += THREADS) {
        along += dy_BTHD[row * D + d] * y_BTHD[row * D + d];
    }
    along = sum_of_workgroup(along, lane);
    if (lane == 0u) {
        along_BHT[at] = along;
    }
    var sums: array<f32, VALUES>;
    for (var start = 0u; start <= t; start += THREADS) {
        let j = start + lane;
        var slope = 0.0;
        if (j <= t) {
            let k = ((first + j) * M + head) * D;
            var score = 0.0;
            for (var d = 0u; d < D; d++) {
                score += qkv_BTMD[q + d] * qkv_BTMD[k + d];
                slope += dy_BTHD[row * D + d] * qkv_BTMD[k + G * D + d];
            }
            slope = scale * exp(scale * score - lse_BHT[at]) * (slope - along);
        }
        workgroupBarrier();
        slopes[lane] = slope;
        workgroupBarrier();
        for (var l = 0u; l < min(THREADS, t + 1u - start); l++) {
            for (var i = 0u; i < VALUES; i++) {
                let d = min(lane + i * THREADS, D - 1u);
                sums[i] += slopes[l] * qkv_BTMD[((first + start + l) * M + head) * D + d];
            }
        }
    }
    for (var i = 0u; i < VALUES; i++) {
        let d = lane + i * THREADS;
        if (d < D) {
            d_BTMD[q + d] = sums[i];
        }
    }
}
