//! The last words of real members, as the kubelet keeps them, and what they are taken to mean.

use operator::last_words::LastWords;

/// Last 2048 bytes of real etcd's log on damaged data.
macro_rules! words {
    ($name:literal) => {
        [
            include_str!(concat!("last_words/", $name, "-3.5.21.txt")),
            include_str!(concat!("last_words/", $name, "-3.6.16.txt")),
        ]
    };
}

#[test]
fn the_words_of_3_5_and_3_6_are_understood() {
    for (words, meaning) in [
        (words!("no-data"), Some(LastWords::NoData)),
        (words!("no-log"), Some(LastWords::NoData)),
        (words!("log-lost"), Some(LastWords::LogLost)),
        (words!("log-garbled"), Some(LastWords::LogCorrupt)),
        (words!("log-crc"), Some(LastWords::LogCorrupt)),
        (words!("database-garbled"), Some(LastWords::DatabaseCorrupt)),
        (
            words!("snapshot-database-missing"),
            Some(LastWords::DatabaseCorrupt),
        ),
        (words!("no-configuration"), Some(LastWords::NoConfiguration)),
        // A bus error: its cause has scrolled out of what the kubelet keeps.
        (words!("database-cut-short"), None),
    ] {
        for text in words {
            assert_eq!(LastWords::of(text), meaning, "{text}");
        }
    }
}

#[test]
fn a_failed_start_for_another_reason_is_no_loss() {
    for words in [
        r#"{"level":"fatal","msg":"discovery failed","error":"listen tcp 0.0.0.0:2380: bind: address already in use"}"#,
        r#"{"level":"fatal","msg":"discovery failed","error":"cannot be downgraded"}"#,
        "",
    ] {
        assert_eq!(LastWords::of(words), None, "{words}");
    }
}
