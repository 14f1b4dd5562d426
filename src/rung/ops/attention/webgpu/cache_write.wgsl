// cache[slot_t, :, pos_t] = x_t, in the layout of keys or of values: one thread a value.
// T tokens, S slots, G key/value heads, D head width, C positions, P pages of L positions

#if KEYS
var<storage, read_write> cache_SGPDL: array<Element>;
#else
var<storage, read_write> cache_SGCD: array<Element>;
#endif
var<storage, read> x_TGD: array<f32>;
var<storage, read> pos_T: array<i32>;
var<storage, read> slot_T: array<i32>;

@compute @workgroup_size(THREADS)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let i = (group.x + group.y * groups.x) * THREADS + lane;
    if (i >= G * D * tokens()) {
        return;
    }
    let t = i / (G * D);
    let g = (i / D) % G;
    let d = i % D;
    let pos = u32(pos_T[t]);
    let head = u32(slot_T[t]) * G + g;
#if KEYS
    cache_SGPDL[((head * P + pos / L) * D + d) * L + pos % L] = Element(x_TGD[i]);
#else
    cache_SGCD[(head * C + pos) * D + d] = Element(x_TGD[i]);
#endif
}
