// y = act(norm(x) · wᵀ + b) · (norm(x) · upᵀ + bup): a workgroup EACH rows of both weights.
// K width, F hidden

#include "normed.wgsl"
#include "product.wgsl" NAME=hidden WEIGHT=w_FK BIAS=b_F FIRST=0u
#if up_FK
#include "product.wgsl" NAME=up WEIGHT=up_FK BIAS=bup_F FIRST=0u
#endif
var<storage, read_write> y_TF: array<f32>;

#include "activations.wgsl"

fn work(block: u32, at: Place) {
    let first = block * EACH;
#repeat r EACH
    let row_r = min(first + r, F - 1u);
    var sum_r = 0.0;
    var up_sum_r = 0.0;
#end
    prepare(at.lane);
    var unit = at.lane;
    for (; unit + (UNROLL - 1u) * THREADS < w_FK_UNITS; unit += UNROLL * THREADS) {
#repeat u UNROLL
        let x_u = w_FK_activations(0u, unit + u * THREADS);
#end
#repeat r EACH
#repeat u UNROLL
        sum_r += w_FK_dot_unit(row_r, unit + u * THREADS, x_u);
#if up_FK
        up_sum_r += up_FK_dot_unit(row_r, unit + u * THREADS, x_u);
#endif
#end
#end
    }
    for (; unit < w_FK_UNITS; unit += THREADS) {
        let x = w_FK_activations(0u, unit);
#repeat r EACH
        sum_r += w_FK_dot_unit(row_r, unit, x);
#if up_FK
        up_sum_r += up_FK_dot_unit(row_r, unit, x);
#endif
#end
    }
#repeat r EACH
    share(r, sum_r, at);
#if up_FK
    share(EACH + r, up_sum_r, at);
#endif
#end
    gather(at);
    let row = first + at.lane;
    if (at.lane >= EACH || row >= F) {
        return;
    }
    var y = hidden(at.lane, row);
#if SILU
    y = silu(y);
#else
    y = gelu_of(y);
#endif
#if up_FK
    y *= up(EACH + at.lane, row);
#endif
    y_TF[row] = y;
}
