//! The CRD in `kind-config/` is the one that this operator serves.

use std::{fs, path::Path};

#[test]
fn the_committed_crd_is_what_the_operator_generates() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../kind-config/etcdcluster-crd.yaml");
    let committed = fs::read_to_string(&path).expect("kind-config/etcdcluster-crd.yaml is there");
    let generated = serde_saphyr::to_string(&operator::crd()).expect("the CRD prints as YAML");
    assert!(
        committed == generated,
        "the CRD is stale: run `cargo run -p operator -- crd > kind-config/etcdcluster-crd.yaml`"
    );
}
