// id_t = argmax_V(x_t), from the best of each part, and pos_t + 1: one workgroup a row.
// T rows, PARTS parts

var<storage, read> part_keys: array<u32>;
var<storage, read> part_ids: array<u32>;
var<storage, read_write> ids_T: array<u32>;
var<storage, read_write> pos_T: array<u32>;

#include "order.wgsl"
#include "best_of_workgroup.wgsl"

@compute @workgroup_size(THREADS)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let t = group.x + group.y * groups.x;
    var best = 0u;
    var best_id = NO_ID;
    for (var part = lane; part < PARTS; part += THREADS) {
        let key = part_keys[t * PARTS + part];
        let id = part_ids[t * PARTS + part];
        if (is_before(key, id, best, best_id)) {
            best = key;
            best_id = id;
        }
    }
    keys[lane] = best;
    ids[lane] = best_id;
    best_of_workgroup(lane);
    if (lane == 0u && t < tokens()) {
        ids_T[t] = select(ids[0], NO_ID, keys[0] == NOT_FINITE);
        pos_T[t] += 1u;
    }
}
