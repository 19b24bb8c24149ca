//! Discovery: which groups, versions and resources there are.
//!
//! Owns: the discovery documents, in the old form (one per group and version) and in the aggregated.
//! Always holds: groups come in order of name, resources too.
//! Deliberately does not know: schemas.

use std::{collections::BTreeMap, sync::Arc};

use serde_json::{Map, Value, json};

use super::{ApiError, ApiServer, Resource, about::page_not_found};

/// A subresource: its name, kind (group, version, kind) and verbs.
type Subresource = (&'static str, [&'static str; 3], &'static [&'static str]);

const CHANGE: &[&str] = &["get", "patch", "update"];

impl ApiServer {
    /// Resources of each group and version, by name.
    pub(super) fn served(&self) -> BTreeMap<(String, String), Vec<Arc<Resource>>> {
        let mut served: BTreeMap<(String, String), Vec<Arc<Resource>>> = BTreeMap::new();
        for r in self.registry.all() {
            let key = (r.group.to_string(), r.version.to_string());
            served.entry(key).or_default().push(Arc::clone(r));
        }
        for resources in served.values_mut() {
            resources.sort_by(|one, other| one.plural.cmp(&other.plural));
        }
        served
    }

    fn groups(&self) -> BTreeMap<String, Vec<String>> {
        let mut groups: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for (group, version) in self.served().into_keys() {
            groups.entry(group).or_default().push(version);
        }
        for versions in groups.values_mut() {
            versions.sort_by_key(|version| std::cmp::Reverse(priority(version)));
        }
        groups.remove("");
        groups
    }

    pub(super) fn group_list(&self) -> Value {
        let groups: Vec<Value> = self.groups().iter().map(describe_group).collect();
        json!({"kind": "APIGroupList", "apiVersion": "v1", "groups": groups})
    }

    pub(super) fn group(&self, name: &str) -> Option<Value> {
        let groups = self.groups();
        let mut group = describe_group(groups.get_key_value(name)?);
        group["kind"] = "APIGroup".into();
        group["apiVersion"] = "v1".into();
        Some(group)
    }

    pub(super) fn resource_list(&self, group: &str, version: &str) -> Result<Value, ApiError> {
        let served = self.served();
        let resources = served
            .get(&(group.to_owned(), version.to_owned()))
            .ok_or_else(page_not_found)?;
        let listed: Vec<Value> = resources.iter().flat_map(describe).collect();
        let group_version = if group.is_empty() {
            version.to_owned()
        } else {
            format!("{group}/{version}")
        };
        Ok(json!({
            "kind": "APIResourceList", "apiVersion": "v1", "groupVersion": group_version,
            "resources": listed,
        }))
    }

    pub(super) fn aggregated_discovery(&self, core: bool) -> Value {
        let served = self.served();
        let groups = if core {
            BTreeMap::from([(String::new(), vec!["v1".to_owned()])])
        } else {
            self.groups()
        };
        let items: Vec<Value> = groups
            .into_iter()
            .map(|(group, versions)| {
                let versions: Vec<Value> = versions
                    .into_iter()
                    .map(|version| {
                        let resources = &served[&(group.clone(), version.clone())];
                        let resources: Vec<Value> =
                            resources.iter().map(describe_aggregated).collect();
                        json!({"version": version, "resources": resources, "freshness": "Current"})
                    })
                    .collect();
                let metadata = if group.is_empty() {
                    json!({})
                } else {
                    json!({"name": group})
                };
                json!({"metadata": metadata, "versions": versions})
            })
            .collect();
        json!({
            "kind": "APIGroupDiscoveryList", "apiVersion": "apidiscovery.k8s.io/v2",
            "metadata": {}, "items": items,
        })
    }
}

/// Orders versions: stable before beta before alpha, newer before older.
fn priority(version: &str) -> (u8, u64, u64) {
    let rest = version.strip_prefix('v').unwrap_or_default();
    let number = |text: &str| text.parse().unwrap_or(0);
    if let Some((major, minor)) = rest.split_once("beta") {
        (1, number(major), number(minor))
    } else if let Some((major, minor)) = rest.split_once("alpha") {
        (0, number(major), number(minor))
    } else {
        (2, number(rest), 0)
    }
}

fn describe_group((name, versions): (&String, &Vec<String>)) -> Value {
    let versions: Vec<Value> = versions
        .iter()
        .map(|version| json!({"groupVersion": format!("{name}/{version}"), "version": version}))
        .collect();
    json!({"name": name, "versions": versions, "preferredVersion": versions[0]})
}

fn verbs(r: &Resource) -> Vec<&'static str> {
    let mut verbs = vec![
        "create",
        "delete",
        "deletecollection",
        "get",
        "list",
        "patch",
        "update",
        "watch",
    ];
    if r.id == "namespaces" {
        verbs.retain(|verb| *verb != "deletecollection");
    }
    verbs
}

fn subresources(r: &Resource) -> Vec<Subresource> {
    let mut all: Vec<Subresource> = Vec::new();
    if r.status {
        all.push(("status", ["", "", ""], CHANGE));
    }
    if r.scale {
        all.push(("scale", ["autoscaling", "v1", "Scale"], CHANGE));
    }
    match r.id.as_ref() {
        "pods" => all.extend([
            ("binding", ["", "v1", "Binding"], &["create"] as &[&str]),
            ("eviction", ["policy", "v1", "Eviction"], &["create"]),
            ("log", ["", "v1", "Pod"], &["get"]),
        ] as [Subresource; 3]),
        "namespaces" => all.push(("finalize", ["", "", ""], &["update"])),
        _ => {}
    }
    all.sort_by_key(|(name, ..)| *name);
    all
}

fn describe(r: &Arc<Resource>) -> Vec<Value> {
    let mut own = json!({
        "name": r.plural, "singularName": r.singular, "namespaced": r.namespaced,
        "kind": r.kind, "verbs": verbs(r),
    });
    if !r.short_names.is_empty() {
        own["shortNames"] = json!(r.short_names);
    }
    if !r.categories.is_empty() {
        own["categories"] = json!(r.categories);
    }
    let subresources = subresources(r)
        .into_iter()
        .map(|(name, [group, version, kind], verbs)| {
            let mut described = json!({
                "name": format!("{}/{name}", r.plural), "singularName": "",
                "namespaced": r.namespaced, "kind": if kind.is_empty() { &r.kind } else { kind },
                "verbs": verbs,
            });
            if !kind.is_empty() && group != r.group {
                described["group"] = group.into();
                described["version"] = version.into();
            }
            described
        });
    std::iter::once(own).chain(subresources).collect()
}

fn describe_aggregated(r: &Arc<Resource>) -> Value {
    let own_kind = json!({"group": r.group, "version": r.version, "kind": r.kind});
    let scope = if r.namespaced {
        "Namespaced"
    } else {
        "Cluster"
    };
    let mut described = json!({
        "resource": r.plural, "responseKind": own_kind, "scope": scope,
        "singularResource": r.singular, "verbs": verbs(r),
    });
    let fields: &mut Map<String, Value> = super::metadata::fields(&mut described);
    if !r.short_names.is_empty() {
        fields.insert("shortNames".into(), json!(r.short_names));
    }
    if !r.categories.is_empty() {
        fields.insert("categories".into(), json!(r.categories));
    }
    let subresources: Vec<Value> = subresources(r)
        .into_iter()
        .map(|(name, [group, version, kind], verbs)| {
            let kind = if kind.is_empty() {
                own_kind.clone()
            } else {
                json!({"group": group, "version": version, "kind": kind})
            };
            json!({"subresource": name, "responseKind": kind, "verbs": verbs})
        })
        .collect();
    if !subresources.is_empty() {
        fields.insert("subresources".into(), subresources.into());
    }
    described
}

#[cfg(test)]
mod tests {
    use super::priority;

    #[test]
    fn stable_versions_come_before_beta_and_alpha() {
        let mut versions = ["v1alpha1", "v2", "v1beta1", "v1", "v1beta2"];
        versions.sort_by_key(|version| std::cmp::Reverse(priority(version)));
        assert_eq!(versions, ["v2", "v1", "v1beta2", "v1beta1", "v1alpha1"]);
    }
}
