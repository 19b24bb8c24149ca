//! The functions that rules may call.
//!
//! Always holds: a function is known before a rule with it is accepted, so that no rule fails for
//! want of one later.
//! Deliberately does not know: what the functions do.

use std::sync::LazyLock;

use kube_cel::{KubeCelExt, cel::Context};

/// Every function; filling it takes longer than most rules.
pub(super) static LIBRARY: LazyLock<Context<'static>> =
    LazyLock::new(|| Context::default().with_all());

/// Who does not have a function.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Missing {
    /// It is not modelled.
    Here,
    /// Real servers do not have it either.
    Everywhere,
}

/// # Errors
/// When there is no such function.
pub(super) fn find(function: &str) -> Result<(), Missing> {
    // Operators are spelled with signs.
    let operator = !function.starts_with(|c: char| c.is_ascii_alphabetic());
    if operator || FUNCTIONS.contains(&function) {
        Ok(())
    } else if NOT_MODELLED.contains(&function) {
        Err(Missing::Here)
    } else {
        Err(Missing::Everywhere)
    }
}

/// Functions that real servers have and this one does not.
#[rustfmt::skip]
const NOT_MODELLED: &[&str] = &[
    "optMap", "optFlatMap", "bind", "cel.bind", "existsOne", "transformList", "transformMap",
    "transformMapEntry", "jsonpatch.escapeKey", "path", "group", "serviceAccount", "resource",
    "subresource", "namespace", "name", "check", "allowed", "reason", "errored", "error",
    "fieldSelector", "labelSelector", "optional.unwrap", "unwrapOpt", "@mapInsert",
];

/// The functions of CEL and of Kubernetes' libraries that rules may call.
#[rustfmt::skip]
const FUNCTIONS: &[&str] = &[
    "add", "asApproximateFloat", "asInteger", "bytes", "charAt", "cidr", "compareTo", "contains",
    "containsCIDR", "containsIP", "distinct", "double", "duration", "endsWith", "family", "find",
    "findAll", "first", "flatten", "format", "format.byte", "format.date", "format.datetime",
    "format.labelValue", "format.named", "format.qualifiedName", "format.uri", "format.uuid",
    "getDate", "getDayOfMonth", "getDayOfWeek", "getDayOfYear", "getEscapedPath", "getFullYear",
    "getHost", "getHostname", "getHours", "getMilliseconds", "getMinutes", "getMonth", "getPort",
    "getQuery", "getScheme", "getSeconds", "hasValue", "indexOf", "int", "ip", "ip.isCanonical",
    "isCIDR", "isGlobalUnicast", "isGreaterThan", "isIP", "isInteger", "isLessThan",
    "isLinkLocalMulticast", "isLinkLocalUnicast", "isLoopback", "isQuantity", "isSemver",
    "isSorted", "isURL", "isUnspecified", "join", "last", "lastIndexOf", "lists.range",
    "lowerAscii", "major", "masked", "matches", "math.abs", "math.ceil", "math.floor",
    "math.greatest", "math.isFinite", "math.isInf", "math.isNaN", "math.least", "math.round",
    "math.sign", "math.trunc", "max", "min", "minor", "optional.none", "optional.of",
    "optional.ofNonZeroValue", "or", "orValue", "patch", "prefixLength", "quantity", "replace",
    "reverse", "semver", "sets.contains", "sets.equivalent", "sets.intersects", "sign", "size",
    "slice", "sort", "split", "startsWith", "string", "strings.quote", "sub", "substring", "sum",
    "timestamp", "trim", "uint", "upperAscii", "url", "validate", "value",
];
