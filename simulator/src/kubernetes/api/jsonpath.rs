//! The part of JSONPath that printer columns, scale paths and selectable fields use.
//!
//! Owns: parsing and evaluating `.a.b`, `['a.b']`, `[0]`, `[*]` and `[?(@.a=="b")]`.
//! Always holds: a path that leads nowhere gives nothing; it is not an error.
//! Deliberately does not know: what the values are for.

use serde_json::Value;

#[derive(Clone, Debug, PartialEq)]
enum Step {
    Field(String),
    Index(i64),
    All,
    Where {
        path: Vec<String>,
        equal: bool,
        value: String,
    },
}

/// A parsed path.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Path(Vec<Step>);

impl Path {
    /// Parses a path; `None` when it uses more than is modelled.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        let text = text
            .strip_prefix('{')
            .and_then(|t| t.strip_suffix('}'))
            .unwrap_or(text);
        let mut rest = text.strip_prefix('$').unwrap_or(text);
        let mut steps = Vec::new();
        while !rest.is_empty() {
            if let Some(bracket) = rest.strip_prefix('[') {
                let end = closing(bracket)?;
                steps.push(bracketed(&bracket[..end])?);
                rest = &bracket[end + 1..];
            } else {
                let field = rest.strip_prefix('.').unwrap_or(rest);
                let end = name_end(field);
                match &field[..end] {
                    "" => {}
                    "*" => steps.push(Step::All),
                    name => steps.push(Step::Field(name.replace('\\', ""))),
                }
                rest = &field[end..];
            }
        }
        Some(Self(steps))
    }

    /// All values that the path leads to.
    pub(super) fn find<'a>(&self, root: &'a Value) -> Vec<&'a Value> {
        let mut found = vec![root];
        for step in &self.0 {
            found = found
                .into_iter()
                .flat_map(|value| step.follow(value))
                .collect();
        }
        found
    }
}

impl Step {
    fn follow<'a>(&self, value: &'a Value) -> Vec<&'a Value> {
        let items = || value.as_array().into_iter().flatten();
        match self {
            Self::Field(name) => value.get(name).into_iter().collect(),
            Self::Index(index) => {
                let length = value.as_array().map_or(0, Vec::len);
                let length = i64::try_from(length).unwrap_or(i64::MAX);
                let index = if *index < 0 { length + index } else { *index };
                usize::try_from(index)
                    .ok()
                    .and_then(|index| value.get(index))
                    .into_iter()
                    .collect()
            }
            Self::All => match value {
                Value::Object(fields) => fields.values().collect(),
                _ => items().collect(),
            },
            Self::Where {
                path,
                equal,
                value: wanted,
            } => items()
                .filter(|item| {
                    let found = path.iter().try_fold(*item, |item, name| item.get(name));
                    let text = found.map(|found| match found {
                        Value::String(text) => text.clone(),
                        other => other.to_string(),
                    });
                    text.is_some_and(|text| (text == *wanted) == *equal)
                })
                .collect(),
        }
    }
}

/// Where a field name ends: at the next `.` or `[` that is not escaped.
fn name_end(text: &str) -> usize {
    let escaped = |at: usize| text[..at].ends_with('\\');
    let ends = text.match_indices(['.', '[']).map(|(at, _)| at);
    ends.filter(|at| !escaped(*at)).min().unwrap_or(text.len())
}

/// Where the bracket that is open ends, strings aside.
fn closing(text: &str) -> Option<usize> {
    let (mut quote, mut depth) = (None, 0);
    for (at, c) in text.char_indices() {
        match (quote, c) {
            (Some(open), c) if c == open => quote = None,
            (None, '\'' | '"') => quote = Some(c),
            (None, '[') => depth += 1,
            (None, ']') if depth == 0 => return Some(at),
            (None, ']') => depth -= 1,
            _ => {}
        }
    }
    None
}

fn bracketed(text: &str) -> Option<Step> {
    if text == "*" {
        return Some(Step::All);
    }
    if let Some(name) = unquote(text) {
        return Some(Step::Field(name.to_owned()));
    }
    if let Some(condition) = text
        .strip_prefix("?(")
        .and_then(|text| text.strip_suffix(')'))
    {
        let (equal, (path, value)) = match condition.split_once("!=") {
            Some(parts) => (false, parts),
            None => (true, condition.split_once("==")?),
        };
        let path = path
            .trim()
            .strip_prefix("@.")?
            .split('.')
            .map(str::to_owned)
            .collect();
        let value = value.trim();
        let value = unquote(value).unwrap_or(value).to_owned();
        return Some(Step::Where { path, equal, value });
    }
    text.parse().ok().map(Step::Index)
}

fn unquote(text: &str) -> Option<&str> {
    ['\'', '"']
        .iter()
        .find_map(|&quote| text.strip_prefix(quote)?.strip_suffix(quote))
}

/// The value at a dotted path of plain field names.
pub(super) fn field<'a>(object: &'a Value, path: &str) -> Option<&'a Value> {
    path.split('.')
        .filter(|name| !name.is_empty())
        .try_fold(object, |object, name| object.get(name))
}

/// Sets the value at a dotted path, making what is missing on the way.
pub(super) fn set_field(object: &mut Value, path: &str, value: Value) {
    let mut place = object;
    for name in path.split('.').filter(|name| !name.is_empty()) {
        place = super::metadata::fields(place)
            .entry(name)
            .or_insert(Value::Null);
    }
    *place = value;
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn paths_lead_where_they_should() {
        let object = json!({
            "metadata": {"labels": {"app.kubernetes.io/name": "etcd"}},
            "status": {"conditions": [
                {"type": "Ready", "status": "True"},
                {"type": "Available", "status": "False"},
            ], "members": [{"name": "a"}, {"name": "b"}]},
        });
        for (path, expected) in [
            (
                ".status.conditions[?(@.type==\"Available\")].status",
                vec![json!("False")],
            ),
            (
                ".status.conditions[?(@.type!='Available')].status",
                vec![json!("True")],
            ),
            ("{.status.members[*].name}", vec![json!("a"), json!("b")]),
            (".status.members[-1].name", vec![json!("b")]),
            (
                ".metadata.labels['app.kubernetes.io/name']",
                vec![json!("etcd")],
            ),
            (
                ".metadata.labels.app\\.kubernetes\\.io/name",
                vec![json!("etcd")],
            ),
            (".status.nothing", vec![]),
        ] {
            let found = Path::parse(path)
                .unwrap()
                .find(&object)
                .into_iter()
                .cloned();
            assert_eq!(found.collect::<Vec<_>>(), expected, "{path}");
        }
    }
}
