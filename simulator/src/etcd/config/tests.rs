//! A member's settings, from flags, environment and file: what is taken and what is refused.

use super::*;

const V35: Version = Version::new(3, 5, 21);
const V36: Version = Version::new(3, 6, 16);

fn read(arguments: &str, version: Version) -> Result<Config, Refused> {
    let argv: Vec<String> = arguments.split_whitespace().map(str::to_owned).collect();
    Config::read(&argv, &BTreeMap::new(), &BTreeMap::new(), version)
}

fn read_yaml(yaml: &str, version: Version) -> Result<Config, Refused> {
    let argv = ["etcd", "--config-file=/etc/etcd.yaml", "--name=ignored"].map(str::to_owned);
    let environment = BTreeMap::from([("ETCD_DATA_DIR".to_owned(), "/ignored".to_owned())]);
    let files = BTreeMap::from([("/etc/etcd.yaml".to_owned(), yaml.as_bytes().to_vec())]);
    Config::read(&argv, &environment, &files, version)
}

#[test]
fn flags_go_before_environment_and_defaults_are_those_of_etcd() {
    let argv = ["etcd", "--name", "flag", "-force-new-cluster"].map(str::to_owned);
    let environment = BTreeMap::from([
        ("ETCD_NAME".to_owned(), "environment".to_owned()),
        ("ETCD_DATA_DIR".to_owned(), "/data".to_owned()),
        ("ETCD_UNKNOWN".to_owned(), "passed over".to_owned()),
    ]);
    let config = Config::read(&argv, &environment, &BTreeMap::new(), V35).expect("valid");
    assert_eq!(
        (config.name.as_str(), config.data_dir.as_str()),
        ("flag", "/data")
    );
    assert!(config.force_new_cluster && config.strict_reconfig && config.pre_vote);
    assert_eq!(
        (config.election_ticks(), config.snapshot_count),
        (10, 100_000)
    );
    assert_eq!(config.initial_cluster, "flag=http://localhost:2380");
}

#[test]
fn a_flag_of_a_later_version_is_unknown_to_an_earlier_one() {
    let refused = read("etcd --max-learners=2", V35).expect_err("3.5 has no such flag");
    assert_eq!(refused.code, 2);
    assert_eq!(
        refused.words[0],
        "flag provided but not defined: -max-learners"
    );
    assert_eq!(
        read("etcd --max-learners=2", V36)
            .expect("3.6 has it")
            .max_learners,
        2
    );
}

/// Recorded from etcd 3.5.21.
#[test]
fn wrong_values_are_refused_with_the_words_of_etcd() {
    for (arguments, code, words) in [
        (
            "--heartbeat-interval=abc",
            2,
            r#"invalid value "abc" for flag -heartbeat-interval"#,
        ),
        (
            "--initial-cluster-state=foo",
            2,
            r#"invalid value "foo" for flag -initial-cluster-state"#,
        ),
        (
            "--strict-reconfig-check=maybe",
            2,
            r#"invalid boolean value "maybe""#,
        ),
        ("extra", 1, "'extra' is not a valid flag"),
        (
            "--listen-client-urls=http://example.com:1 --advertise-client-urls=http://a:1",
            1,
            "expected IP in URL for binding (http://example.com:1)",
        ),
        (
            "--listen-client-urls=http://127.0.0.1:1",
            1,
            "--advertise-client-urls is required",
        ),
        (
            "--election-timeout=200",
            1,
            "should be at least as 5 times as --heartbeat-interval[100ms]",
        ),
        ("--cert-file=x", 1, "not modelled: --cert-file"),
    ] {
        let refused = read(&format!("/bin/etcd {arguments}"), V35).expect_err(arguments);
        assert_eq!(refused.code, code, "{arguments}");
        assert!(
            refused.words[0].contains(words),
            "{arguments}: {:?}",
            refused.words
        );
    }
}

#[test]
fn a_configuration_file_rules_out_flags_and_environment_and_unknown_keys_pass() {
    let config = read_yaml(
        "name: file\nmax-learners: 2\nbogus-key: 1\nforce-new-cluster: true\n",
        V36,
    )
    .expect("valid");
    assert_eq!(
        (config.name.as_str(), config.data_dir.as_str()),
        ("file", "file.etcd")
    );
    assert!(config.max_learners == 2 && config.force_new_cluster);
}

#[test]
fn a_configuration_file_with_a_wrong_type_or_a_missing_one_is_refused() {
    let refused = read_yaml("heartbeat-interval: \"abc\"\n", V36).expect_err("not a number");
    assert!(
        refused.words[0].contains("cannot unmarshal string"),
        "{:?}",
        refused.words
    );
    let argv = ["etcd", "--config-file=nope"].map(str::to_owned);
    let missing = Config::read(&argv, &BTreeMap::new(), &BTreeMap::new(), V36);
    assert!(missing.expect_err("missing").words[0].contains("open nope: no such file"));
}
