// y = softcap(norm(x) · wᵀ + b): a workgroup EACH rows.
// K width, N rows of this part of the weights

#include "normed.wgsl"
#include "product.wgsl" NAME=product WEIGHT=w_NK BIAS=b_N FIRST=FIRST_ROW
var<storage, read_write> y_TN: array<f32>;

#include "activations.wgsl"

fn work(block: u32, at: Place) {
    let first = block * EACH;
#repeat r EACH
    var sum_r = 0.0;
#end
    prepare(at.lane);
#include "rows.wgsl" TENSOR=w_NK ROW= COUNT=N FIRST=first
#repeat r EACH
    share(r, sum_r, at);
#end
    gather(at);
    let n = first + at.lane;
    if (at.lane >= EACH || n >= N) {
        return;
    }
    var y = product(at.lane, n);
    if (cap > 0.0) {
        y = cap * safe_tanh(y / max(cap, 1e-30));
    }
    y_TN[FIRST_ROW + n] = y;
}
