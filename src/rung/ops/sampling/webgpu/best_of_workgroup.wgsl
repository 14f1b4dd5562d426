// fn best_of_workgroup(lane): leaves the best of all threads in keys[0] and ids[0].

var<workgroup> keys: array<u32, THREADS>;
var<workgroup> ids: array<u32, THREADS>;

fn best_of_workgroup(lane: u32) {
    workgroupBarrier();
    for (var step = THREADS / 2u; step > 0u; step /= 2u) {
        if (lane < step && is_before(keys[lane + step], ids[lane + step], keys[lane], ids[lane])) {
            keys[lane] = keys[lane + step];
            ids[lane] = ids[lane + step];
        }
        workgroupBarrier();
    }
}
