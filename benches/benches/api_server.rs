//! How fast the simulated API server answers, without any transport, and tells its watchers.

use benches::api::Api;
use criterion::{Criterion, criterion_group, criterion_main};
use serde_json::json;

const PODS: &str = "/api/v1/namespaces/default/pods";
const MAPS: &str = "/api/v1/namespaces/default/configmaps";

fn verbs(criterion: &mut Criterion) {
    let mut api = Api::with_pods(5);
    criterion.bench_function("api/get a pod", |bencher| {
        bencher.iter(|| api.ask("GET", &format!("{PODS}/pod-0"), ""));
    });
    criterion.bench_function("api/list 5 pods", |bencher| {
        bencher.iter(|| api.ask("GET", PODS, ""));
    });
    let mut turn = 0_u64;
    criterion.bench_function("api/server-side apply of a ConfigMap", |bencher| {
        bencher.iter(|| {
            turn += 1;
            let map = json!({
                "apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "map"},
                "data": {"turn": turn.to_string(), "text": "some lines\n".repeat(20)},
            });
            let path = format!("{MAPS}/map?fieldManager=bench&force=true");
            api.ask("PATCH", &path, &map.to_string())
        });
    });
}

fn watches(criterion: &mut Criterion) {
    for watchers in [1_u16, 10, 100] {
        let mut api = Api::with_pods(5);
        let mut open = api.watch(PODS, watchers);
        let mut turn = 0_u64;
        let name = format!("api/one change told to {watchers} watchers");
        criterion.bench_function(&name, |bencher| {
            bencher.iter(|| {
                turn += 1;
                let labels = json!({"metadata": {"labels": {"turn": turn.to_string()}}});
                api.ask("PATCH", &format!("{PODS}/pod-0"), &labels.to_string());
                let told = open.iter_mut().map(|watch| api.told(watch)).sum::<usize>();
                assert_eq!(told, usize::from(watchers));
            });
        });
    }
}

criterion_group!(benches, verbs, watches);
criterion_main!(benches);
