// id_t, drawn from the best of all parts by uniform[pos_t], and pos_t + 1: one workgroup a row.
// T rows, PARTS parts, C positions

var<storage, read> best_keys: array<u32>;
var<storage, read> best_ids: array<u32>;
var<storage, read> part_sums: array<f32>;
var<storage, read> uniform_C: array<f32>;
var<storage, read> settings_P: array<f32>;
var<storage, read_write> ids_T: array<u32>;
var<storage, read_write> pos_T: array<u32>;

#include "order.wgsl"
#include "lists.wgsl"

var<workgroup> weights: array<f32, LIST>;
var<workgroup> sums: array<f32, LIST>;
var<workgroup> drawn_ids: array<u32, LIST>;

// sums[i] = weights[0] + … + weights[i] for i < count; the others' are the last one's.
fn add_up(lane: u32, count: u32) {
    workgroupBarrier();
    if (lane < LIST) {
        var sum = 0.0;
        for (var i = 0u; i < min(lane + 1u, count); i++) {
            sum += weights[i];
        }
        sums[lane] = sum;
    }
    workgroupBarrier();
}

@compute @workgroup_size(THREADS)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let t = group.x + group.y * groups.x;
    // The first list is the best so far; the others are read, as many at once as there is room for.
    for (var done = 0u; done < PARTS; done += LISTS - 1u) {
        for (var i = lane; i < SLOTS; i += THREADS) {
            let part = done + i / LIST - 1u;
            if (i >= LIST && part < PARTS) {
                keys[i] = best_keys[(t * PARTS + part) * LIST + i % LIST];
                ids[i] = best_ids[(t * PARTS + part) * LIST + i % LIST];
            } else if (i >= LIST || done == 0u) {
                keys[i] = 0u;
                ids[i] = NO_ID;
            }
        }
        merge_lists(lane);
    }
    let temperature = settings_P[0];
    let top_p = settings_P[2];
    let min_p = settings_P[3];
    let top_k = u32(settings_P[1]);
    var count = min(select(top_k, LIST, top_k == 0u), V);
    let by_id = top_p >= 1.0;
    // Those beyond the list are no candidates if top-k is on, or leaves them out below.
    var are_all = top_k > 0u || V <= LIST;

    if (lane < LIST) {
        weights[lane] = exp((value_of(keys[lane]) - value_of(keys[0])) / temperature);
    }
    add_up(lane, count);
    if (!by_id) {
        var total = sums[count - 1u];
        if (top_k == 0u) {
            total = 0.0;
            for (var part = 0u; part < PARTS; part++) {
                let best = value_of(best_keys[(t * PARTS + part) * LIST]);
                let scale = exp((best - value_of(keys[0])) / temperature);
                total += part_sums[t * PARTS + part] * scale;
            }
        }
        let wanted = top_p * total;
        are_all |= sums[count - 1u] >= wanted;
        var last = 0u;
        while (last < count - 1u && sums[last] < wanted) {
            last++;
        }
        count = last + 1u;
    }
    var kept = 1u;
    while (kept < count && weights[kept] >= min_p) {
        kept++;
    }
    are_all |= kept < count;
    var place = lane;
    if (by_id && lane < kept) {
        place = 0u;
        for (var i = 0u; i < kept; i++) {
            place += u32(ids[i] < ids[lane]);
        }
    }
    var weight = 0.0;
    if (lane < LIST) {
        weight = weights[lane];
    }
    workgroupBarrier();
    if (lane < kept) {
        weights[place] = weight;
        drawn_ids[place] = ids[lane];
    }
    add_up(lane, kept);
    if (lane == 0u && t < tokens()) {
        let wanted = uniform_C[pos_T[t]] * sums[kept - 1u];
        var drawn = 0u;
        while (drawn < kept - 1u && sums[drawn] <= wanted) {
            drawn++;
        }
        let id = select(TOO_MANY, drawn_ids[drawn], are_all);
        ids_T[t] = select(id, NO_ID, keys[0] == NOT_FINITE);
        pos_T[t] += 1u;
    }
}
