// The best 64 of each part of a row, best first, and what all of its weights, exp((x − best) /
// temperature), sum to: one workgroup a part.
// T rows, V vocabulary, PARTS parts

var<storage, read> x_TV: array<u32>;
var<storage, read> settings_P: array<f32>;
var<storage, read_write> best_keys: array<u32>;
var<storage, read_write> best_ids: array<u32>;
var<storage, read_write> part_sums: array<f32>;

#include "order.wgsl"
#include "lists.wgsl"
#include "reduce.wgsl"

@compute @workgroup_size(THREADS)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    for (var i = lane; i < SLOTS; i += THREADS) {
        let v = group.x * SLOTS + i;
        keys[i] = 0u;
        ids[i] = NO_ID;
        if (v < V) {
            keys[i] = key_of(x_TV[group.y * V + v]);
            ids[i] = v;
        }
    }
    sort_lists(lane);
    merge_lists(lane);
    // Only where top-k is off do those beyond the best count.
    var sum = 0.0;
    if (settings_P[1] == 0.0) {
        let best = value_of(keys[0]);
        let end = min(V, (group.x + 1u) * SLOTS);
        for (var v = group.x * SLOTS + lane; v < end; v += THREADS) {
            sum += exp((bitcast<f32>(x_TV[group.y * V + v]) - best) / settings_P[0]);
        }
    }
    sum = sum_of_workgroup(sum, lane);
    if (lane == 0u) {
        part_sums[group.y * PARTS + group.x] = sum;
    }
    if (lane < LIST) {
        let place = (group.y * PARTS + group.x) * LIST + lane;
        best_keys[place] = keys[lane];
        best_ids[place] = ids[lane];
    }
}
