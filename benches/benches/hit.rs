//! What a memory hit costs in user space, sockets apart, and what it allocates (the columns below each row: none).
//!
//!     cargo bench -p sluice-benches --bench hit --profile fast

#![expect(clippy::unwrap_used, reason = "a bench that cannot be set up has nothing to measure")]

use divan::Bencher;
use sluice_benches::Bench;

#[global_allocator]
static ALLOCATOR: divan::AllocProfiler = divan::AllocProfiler::system();

fn main() {
    divan::main();
}

/// From the request's bytes to the answer's, through all stages, counted and kept for explain.
#[divan::bench(args = [350, 10_240, 102_400])]
fn lane(bencher: Bencher<'_, '_>, body: usize) {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
        let mut bench = Bench::new(body).unwrap();
        bench.hit();
        bencher.bench_local(|| bench.hit());
    });
}
