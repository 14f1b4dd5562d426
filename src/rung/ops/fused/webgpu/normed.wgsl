// Activations that are normed while they are read, and sums over them: one token, one workgroup of
// THREADS threads, SUMS sums, the last of which is Σ x².
//
//     fn prepare(lane)              before all else
//     fn normed_quad(t, quad)       four activations, for units.wgsl; rms_norm leaves out a factor
//     fn share(s, value, at)        a thread's part of sum s
//     fn gather(at)                 sums of all threads, to be found in `shared_sums`
//     fn factor() -> f32            what a shared sum is to be multiplied by
//
// It has main, which calls what the file that includes it has to offer:
//
//     fn work(block, at)            all that workgroup `block` does, for the thread at this place
//
// rms_norm costs nothing so: y = Σ x·g·w / sqrt(mean(x²) + eps), and x is read for the product
// anyway. layer_norm, with c, goes through x before.

struct Place { lane: u32, subgroup: u32, subgroups: u32, sublane: u32 }

var<storage, read> x_TK: array<vec4<f32>>;
var<storage, read> g_K: array<vec4<f32>>;
#if c_K
var<storage, read> c_K: array<vec4<f32>>;
#include "reduce.wgsl"

var<private> mean: f32;
var<private> scale_of_x: f32;

fn prepare(lane: u32) {
    var sum = 0.0;
    for (var quad = lane; quad < K / 4u; quad += THREADS) {
        sum += dot(x_TK[quad], vec4(1.0));
    }
    mean = sum_of_workgroup(sum, lane) / f32(K);
    var squares = 0.0;
    for (var quad = lane; quad < K / 4u; quad += THREADS) {
        let x = x_TK[quad] - vec4(mean);
        squares += dot(x, x);
    }
    scale_of_x = inverseSqrt(sum_of_workgroup(squares, lane) / f32(K) + eps);
}

fn normed_quad(t: u32, quad: u32) -> vec4<f32> {
    return (x_TK[quad] - vec4(mean)) * scale_of_x * g_K[quad] + c_K[quad];
}

fn factor() -> f32 {
    return 1.0;
}
#else

var<private> squares: f32;

fn prepare(lane: u32) {
    squares = 0.0;
}

fn normed_quad(t: u32, quad: u32) -> vec4<f32> {
    let x = x_TK[quad];
    squares += dot(x, x);
    return x * g_K[quad];
}

fn factor() -> f32 {
    return inverseSqrt(shared_sums[SUMS - 1u] / f32(K) + eps);
}
#endif

var<workgroup> shared_sums: array<f32, SUMS>;
#if subgroups
const PIECES = THREADS / 4u; // no subgroup is smaller
#else
const PIECES = THREADS;
#endif
var<workgroup> pieces: array<f32, SUMS * PIECES>;

fn share(s: u32, value: f32, at: Place) {
#if subgroups
    let piece = subgroupAdd(value);
    if (at.sublane == 0u) {
        pieces[s * PIECES + at.subgroup] = piece;
    }
#else
    pieces[s * PIECES + at.lane] = value;
#endif
}

fn gather(at: Place) {
#if !c_K
    share(SUMS - 1u, squares, at);
#endif
    workgroupBarrier();
#if subgroups
    let count = at.subgroups;
#else
    var count = THREADS;
    while (count > 8u) {
        count /= 2u;
        for (var i = at.lane; i < SUMS * count; i += THREADS) {
            let piece = i / count * PIECES + i % count;
            pieces[piece] += pieces[piece + count];
        }
        workgroupBarrier();
    }
#endif
    for (var s = at.lane; s < SUMS; s += THREADS) {
        var sum = 0.0;
        for (var i = 0u; i < count; i++) {
            sum += pieces[s * PIECES + i];
        }
        shared_sums[s] = sum;
    }
    workgroupBarrier();
}

@compute @workgroup_size(THREADS)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
#if subgroups
    @builtin(subgroup_id) subgroup: u32,
    @builtin(num_subgroups) subgroups: u32,
    @builtin(subgroup_invocation_id) sublane: u32,
#endif
) {
    let block = group.x + group.y * groups.x;
#if subgroups
    work(block, Place(lane, subgroup, subgroups, sublane));
#else
    work(block, Place(lane, 0u, 1u, lane));
#endif
}
