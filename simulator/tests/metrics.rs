//! The operator's metrics follow what becomes of clusters.

mod stage;

use std::time::Duration;

use operator::{Metrics, Options, metrics::Standing};
use simulator::determinism::simulate;
use stage::{Stage, options};
use tokio::time::sleep;

/// The values of all series of a metric.
fn series(metrics: &Metrics, name: &str) -> Vec<String> {
    let name = format!("etcd_operator_{name}");
    let text = metrics.text().unwrap();
    let lines = text.lines().filter_map(|line| line.strip_prefix(&name));
    lines.map(str::to_owned).collect()
}

#[test]
fn danger_is_seen_and_a_deleted_cluster_is_not() {
    simulate(1, async |simulation| {
        let stage = Stage::set(&simulation).await;
        let metrics = Metrics::default();
        let options = Options {
            metrics: metrics.clone(),
            ..options("only")
        };
        let operator = stage.sim.world.start_operator(options).unwrap();
        stage.create("demo", 3).await;
        stage.until_ready(3).await;
        assert_eq!(metrics.standing(), Standing::Leading);
        let labels = "{namespace=\"default\",cluster=\"demo\"}";
        let margin = |value: &str| vec![format!("{labels} {value}")];
        assert_eq!(series(&metrics, "cluster_quorum_margin"), margin("1.0"));
        for (name, left) in [("demo-1", "0.0"), ("demo-2", "-2.0")] {
            let pod = stage.sim.pods.host_of("default", name).unwrap();
            stage.sim.world.net().pause(pod);
            sleep(Duration::from_secs(20)).await;
            assert_eq!(series(&metrics, "cluster_quorum_margin"), margin(left));
        }
        let errors = series(&metrics, "errors_total");
        stage.delete("demo").await;
        sleep(Duration::from_secs(5)).await;
        assert_eq!(series(&metrics, "cluster_quorum_margin"), [""; 0]);
        assert_eq!(series(&metrics, "cluster_seconds_since"), [""; 0]);
        assert_eq!(series(&metrics, "errors_total"), errors);
        operator.stop();
    })
    .unwrap();
}

#[test]
fn passes_that_fail_are_counted_and_the_last_good_one_grows_old() {
    simulate(2, async |simulation| {
        let stage = Stage::set(&simulation).await;
        let metrics = Metrics::default();
        let options = Options {
            metrics: metrics.clone(),
            ..Options::default()
        };
        let operator = stage.sim.world.start_operator(options).unwrap();
        stage.create("demo", 1).await;
        stage.until_ready(1).await;
        stage.cut(&operator, true);
        stage
            .sim
            .world
            .net()
            .pause(stage.sim.pods.host_of("default", "demo-0").unwrap());
        sleep(Duration::from_secs(100)).await;
        let age = series(&metrics, "cluster_seconds_since_successful_pass");
        let age: f64 = age[0].rsplit(' ').next().unwrap().parse().unwrap();
        assert!(age > 60.0, "{age}");
    })
    .unwrap();
}
