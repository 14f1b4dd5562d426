// LISTS lists of 64 candidates in the workgroup's memory, the best first in each once sorted.
// After Batcher's bitonic sort (1968): of two sorted lists, the better of a[i] and b[63 − i] are the
// best 64, in an order that six steps sort.

const LIST: u32 = 64u;
const SLOTS: u32 = LISTS * LIST;

var<workgroup> keys: array<u32, SLOTS>;
var<workgroup> ids: array<u32, SLOTS>;

// Compares candidates `step` apart, in blocks of `block` by turns best first and last.
fn compare(lane: u32, count: u32, block: u32, step: u32) {
    for (var pair = lane; pair < count / 2u; pair += THREADS) {
        let low = pair & (step - 1u);
        let i = ((pair - low) << 1u) | low;
        let j = i + step;
        let best_first = ((i % LIST) & block) == 0u;
        let swapped = is_before(keys[j], ids[j], keys[i], ids[i]) == best_first;
        if (swapped) {
            let key = keys[i];
            let id = ids[i];
            keys[i] = keys[j];
            ids[i] = ids[j];
            keys[j] = key;
            ids[j] = id;
        }
    }
    workgroupBarrier();
}

fn sort_lists(lane: u32) {
    workgroupBarrier();
    for (var block = 2u; block <= LIST; block *= 2u) {
        for (var step = block / 2u; step > 0u; step /= 2u) {
            compare(lane, SLOTS, block, step);
        }
    }
}

// Sorted lists become one in the first list's place.
fn merge_lists(lane: u32) {
    workgroupBarrier();
    for (var count = SLOTS / 2u; count >= LIST; count /= 2u) {
        var new_keys: array<u32, SLOTS / 2u / THREADS>;
        var new_ids: array<u32, SLOTS / 2u / THREADS>;
        for (var n = 0u; n < SLOTS / 2u / THREADS; n++) {
            let i = n * THREADS + lane;
            if (i < count) {
                let a = i / LIST * 2u * LIST + i % LIST;
                let b = a + 2u * LIST - 1u - 2u * (i % LIST);
                let first = is_before(keys[a], ids[a], keys[b], ids[b]);
                new_keys[n] = select(keys[b], keys[a], first);
                new_ids[n] = select(ids[b], ids[a], first);
            }
        }
        workgroupBarrier();
        for (var n = 0u; n < SLOTS / 2u / THREADS; n++) {
            let i = n * THREADS + lane;
            if (i < count) {
                keys[i] = new_keys[n];
                ids[i] = new_ids[n];
            }
        }
        workgroupBarrier();
        for (var step = LIST / 2u; step > 0u; step /= 2u) {
            compare(lane, count, LIST, step);
        }
    }
}
