//! What routing costs: it must not depend on how many routes there are.
//!
//!     cargo bench -p sluice-benches --bench router --profile fast

#![expect(clippy::unwrap_used, reason = "builds routes that are known to be good")]

use divan::{Bencher, black_box};
use sluice::plan::{Captures, Router};
use sluice_api::{ResourcePath, Verb};

fn main() {
    divan::main();
}

fn router(routes: u32) -> Router {
    let mut router = Router::default();
    for i in 0..routes {
        let path = ResourcePath::parse(&format!("/v1/resource{i}/{{id}}/items")).unwrap();
        router.insert(&path, Verb::Get, i).unwrap();
    }
    router
}

/// A path with a variable, four segments deep.
#[divan::bench(args = [10, 100, 10_000])]
fn variable(bencher: Bencher<'_, '_>, routes: u32) {
    let router = router(routes);
    let path = format!("/v1/resource{}/42/items", routes / 2);
    let mut captures = Captures::new();
    bencher.bench_local(|| router.find(black_box(path.as_bytes()), 0, Verb::Get, &mut captures));
}

/// A path that no route has.
#[divan::bench(args = [10, 100, 10_000])]
fn absent(bencher: Bencher<'_, '_>, routes: u32) {
    let router = router(routes);
    let mut captures = Captures::new();
    bencher.bench_local(|| router.find(black_box(b"/v1/resource/42/nothing"), 0, Verb::Get, &mut captures));
}
