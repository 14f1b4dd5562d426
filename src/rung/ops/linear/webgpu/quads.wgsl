// fn x_quad(t, quad): activations 4·quad … 4·quad + 3 of token t, from memory.

var<storage, read> x_TK: array<vec4<f32>>;

fn x_quad(t: u32, quad: u32) -> vec4<f32> {
    return x_TK[t * (K / 4u) + quad];
}
