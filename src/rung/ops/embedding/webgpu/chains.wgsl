// For each token the next one with the same id, or the number of tokens; with the highest bit set
// where it is the first one with that id. One thread a token.
// T tokens

var<storage, read> ids_T: array<u32>;
var<storage, read_write> same_id_next: array<u32>;

@compute @workgroup_size(THREADS)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    let t = id.x;
    if (t >= tokens()) {
        return;
    }
    let own = ids_T[t];
    var next = t + 1u;
    while (next < tokens() && ids_T[next] != own) {
        next++;
    }
    var before = 0u;
    while (ids_T[before] != own) {
        before++;
    }
    same_id_next[t] = next | select(0u, 0x80000000u, before == t);
}
