//! Keys, revisions and transactions of the store.

use etcd_client::proto::{
    PbCompare, PbRangeRequest, PbTargetUnion, PbTxnOpRequest, PbTxnRequest, PbTxnRequestOp,
};

use super::*;

fn put(store: &mut Store, key: &str, value: &str) -> i64 {
    let request = PbPutRequest {
        key: key.into(),
        value: value.into(),
        ..PbPutRequest::default()
    };
    store.write().put(&request).expect("a plain put");
    store.revision()
}

fn delete(store: &mut Store, key: &str) -> i64 {
    let request = PbDeleteRequest {
        key: key.into(),
        ..PbDeleteRequest::default()
    };
    store.write().delete(&request).deleted
}

fn get(store: &Store, key: &str, revision: i64) -> Result<Option<String>, Failure> {
    let request = PbRangeRequest {
        key: key.into(),
        revision,
        ..PbRangeRequest::default()
    };
    let kvs = store.range(&request)?.kvs;
    Ok(kvs
        .first()
        .map(|kv| String::from_utf8_lossy(&kv.value).into_owned()))
}

#[test]
fn an_old_revision_shows_the_old_value_until_it_is_compacted() {
    let mut store = Store::default();
    let first = put(&mut store, "k", "1");
    let second = put(&mut store, "k", "2");
    assert_eq!((first, second), (2, 3), "an empty etcd is at revision 1");
    assert_eq!(get(&store, "k", first), Ok(Some("1".into())));
    store.compact(second).expect("a revision that exists");
    assert_eq!(get(&store, "k", first), Err(Failure::Compacted));
    assert_eq!(get(&store, "k", 0), Ok(Some("2".into())));
    assert_eq!(get(&store, "k", 9), Err(Failure::FutureRevision));
}

#[test]
fn deleting_nothing_makes_no_revision() {
    let mut store = Store::default();
    assert_eq!((delete(&mut store, "k"), store.revision()), (0, 1));
}

#[test]
fn versions_restart_when_a_key_is_created_again() {
    let mut store = Store::default();
    put(&mut store, "k", "1");
    put(&mut store, "k", "2");
    delete(&mut store, "k");
    let created = put(&mut store, "k", "3");
    let request = PbRangeRequest {
        key: "k".into(),
        ..PbRangeRequest::default()
    };
    let kv = store.range(&request).expect("a plain get").kvs.remove(0);
    assert_eq!((kv.version, kv.create_revision), (1, created));
}

#[test]
fn a_transaction_sees_its_own_writes_and_makes_one_revision() {
    let mut store = Store::default();
    let op = |request| PbTxnRequestOp {
        request: Some(request),
    };
    let put = |key: &str| {
        let put = PbPutRequest {
            key: key.into(),
            ..PbPutRequest::default()
        };
        op(PbTxnOpRequest::RequestPut(put))
    };
    let read = PbRangeRequest {
        key: "a".into(),
        ..PbRangeRequest::default()
    };
    let request = PbTxnRequest {
        compare: vec![PbCompare {
            key: "a".into(),
            target_union: Some(PbTargetUnion::Version(0)),
            ..PbCompare::default()
        }],
        success: vec![put("a"), op(PbTxnOpRequest::RequestRange(read)), put("b")],
        failure: vec![],
    };
    let first = store.write().txn(&request).expect("a valid transaction");
    assert!(first.succeeded);
    assert_eq!(store.revision(), 2);
    let second = store.write().txn(&request).expect("a valid transaction");
    assert!(!second.succeeded, "the key exists now");
    assert_eq!(store.revision(), 2, "an empty branch writes nothing");
}

#[test]
fn compaction_gives_space_back_and_a_dump_loads_to_the_same_store() {
    let mut store = Store::default();
    for value in ["1", "2", "3"] {
        put(&mut store, "k", value);
    }
    put(&mut store, "gone", "x");
    delete(&mut store, "gone");
    let full = store.bytes();
    store
        .compact(store.revision())
        .expect("a revision that exists");
    assert!(store.bytes() < full);
    let versions: Vec<_> = store
        .dump()
        .map(|(at, gone, kv)| (at, gone, kv.clone()))
        .collect();
    assert_eq!(versions.len(), 1);
    assert_eq!(
        Store::load(store.revision(), store.compacted(), versions),
        store
    );
}

#[test]
fn events_come_in_order_with_the_value_before() {
    let mut store = Store::default();
    put(&mut store, "k", "1");
    put(&mut store, "other", "1");
    put(&mut store, "k", "2");
    delete(&mut store, "k");
    let events = store.events_since(3, &Span::new(b"k", b""), true);
    let kinds: Vec<i32> = events.iter().map(|event| event.r#type).collect();
    assert_eq!(kinds, [0, 1]);
    let before = events[0].prev_kv.as_ref().expect("a value before");
    assert_eq!(before.value, b"1");
}
