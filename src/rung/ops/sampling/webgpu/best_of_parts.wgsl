// The best 64 of each part of a row, best first: one workgroup a part.
// T rows, V vocabulary, PARTS parts

var<storage, read> x_TV: array<u32>;
var<storage, read_write> best_keys: array<u32>;
var<storage, read_write> best_ids: array<u32>;

#include "order.wgsl"
#include "lists.wgsl"

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
    if (lane < LIST) {
        let place = (group.y * PARTS + group.x) * LIST + lane;
        best_keys[place] = keys[lane];
        best_ids[place] = ids[lane];
    }
}
