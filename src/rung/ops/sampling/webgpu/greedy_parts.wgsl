// The best of each part of a row: one workgroup a part.
// T rows, V vocabulary, PARTS parts of PART values

var<storage, read> x_TV: array<u32>;
var<storage, read_write> part_keys: array<u32>;
var<storage, read_write> part_ids: array<u32>;

#include "order.wgsl"
#include "best_of_workgroup.wgsl"

@compute @workgroup_size(THREADS)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let end = min(V, (group.x + 1u) * PART);
    var best = 0u;
    var best_id = NO_ID;
    for (var v = group.x * PART + lane; v < end; v += THREADS) {
        let key = key_of(x_TV[group.y * V + v]);
        if (is_before(key, v, best, best_id)) {
            best = key;
            best_id = v;
        }
    }
    keys[lane] = best;
    ids[lane] = best_id;
    best_of_workgroup(lane);
    if (lane == 0u) {
        part_keys[group.y * PARTS + group.x] = keys[0];
        part_ids[group.y * PARTS + group.x] = ids[0];
    }
}
